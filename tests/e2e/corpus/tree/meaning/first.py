"""Literals and where they count; second.py has the other halves."""
lookup = 4101 == 4102
other(4103)


def places(x):
    if x == 201: pass  # @compare
    if 202 < x <= 203 != 204: pass  # @chain
    x in "in text"; x is "is text"; x not in "not in"  # @in
    x(205, 206, key=207)  # @call
    x.y(208)(209)  # @calls
    return 210  # @return


def nothing(x):
    x = 301
    x + 302; x[303]; [304]; {305: 306}; x(*"307"); x(**"308"); x((309, 310)); x == (311,)
    x == 312 + 313
    assert x, 314
    yield 315
    x(1 if x else 316)
    x(f"{317}", f"text", f"{x(318)}")
    x("three" "nineteen")
    x("also" f"not")
    x(True, False, None, ...)
    x == 0, 0x0, -1
    x(0, 1, -1, 0b1, 0_0, "", b"", '''''', r"", "__main__", '__main__', u"__main__", (0))
    x(not 320, +321, ~322, --323)
    lambda: 324
    x(lambda: 325)
    match x:
        case 326: pass
        case Point(327, y=328): pass
        case "329": pass

    class Base(330, key=331): pass
    x(i for i in 332)
    x(a := 333)
    raise x
    return 334,


def signs(x):
    x(-401)  # @minus
    x(- 402)  # @space
    x(-(403))  # @inner
    x((-404))  # @outer
    x(405)
    x == -406.5 == -407j  # @others
    x(-
      408)  # @below
    x(-409 ** 2)
    x(-0.0)  # @zero
    x(0j)  # @zeroj


def numbers(x):
    x(16, 1_000_000, 0XFFFF, 0o17, 0B11)  # @ints
    x(16.0, 1e3, .5, 1_0.5, 5j, 5J)  # @floats
    x(18446744073709551615, 18446744073709551616, 340282366920938463463374607431768211456)  # @big
    x(1e400)  # @inf
    x(0.1)  # @tenth
    x(1.0)  # @one


def strings(x):
    x("quotes")  # @quotes
    x('single')  # @single
    x("""triple""")  # @triple
    x(u"prefix u")  # @u
    x(r"raw plain")  # @rawplain
    x(r"raw \d")  # @raw
    x(b"bytes"); x(b"text or bytes")  # @bytes
    x("escaped \x41"); x("it's"); x("say \"so\"")
    x(Rb"raw \b bytes")  # @rawbytes
    x(b"__main__")  # @bmain
    x("""two
lines""")  # @lines
    x("größe", "日本語")  # @unicode
    x("tab	inside")  # @tab
    x(("in parens"))  # @paren
    x("only in one function"); x("only in one function")
    x("folded \
over")  # @folded
