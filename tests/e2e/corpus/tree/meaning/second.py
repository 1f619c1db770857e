from first import *


def compared(x):
    if 201 == x: pass  # @compare
    x == 202 or x == 203 or x == 204  # @chain
    x("in text", "is text", "not in")  # @in
    x(205), x(206), x(207), x(208, 209)  # @call
    if x: return (210)  # @return
    x(4101, 4102, 4103)


def nothing(x):
    x(301, 302, 303, 304, 305, 306, 307, 308, 309, 310, 311, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321)
    x(322, 323, 324, 325, 326, 327, 328, 329, 330, 331, 332, 333, 334)
    x("307", "308", "text", "threenineteen", "three", "nineteen", "also", "not", "329")
    x(0, 1, -1, 0b1, 0_0, "", b"", '''''', r"", "__main__", '__main__', u"__main__", (0))
    x("three" "nineteen")


def signs(x):
    x(-401, -402, -403, -404)  # @all
    x(-405, 401)
    x(-406.5)  # @float
    x(-407j)  # @imag
    x(-408)  # @below
    x(409, -409)
    x(0.0)  # @zero
    x(-0j)  # @zeroj


class Holder:
    @decorate(501)
    def numbers(self, x, y=502):
        x(0x10, 1000000, 65535, 15, 3)  # @ints
        x(1.6e1, 1000.0, 0.5, 10.5, 5.0j)  # @floats
        x(0xFFFF_FFFF_FFFF_FFFF, 0x1_0000_0000_0000_0000, 0x1_0000_0000_0000_0000_0000_0000_0000_0000)  # @big
        x(1e999)  # @inf
        x(0.1000000000000000055)  # @tenth
        x(1.00)  # @one

    def decorated(self, x):
        x(501, 502)

        @decorate(503)  # @decorator
        def inner(y=x(504)):  # @default
            return x(505)  # @inner

        x(504, 505)  # @outer


def after(x):
    return x == 503 # @after


def strings(x):
    x('quotes')  # @quotes
    x('''single''')  # @single
    x("triple")  # @triple
    x("prefix u")  # @u
    x("raw plain")  # @rawplain
    x(r'raw \d')  # @raw
    x("raw \d")
    x(B'bytes'); x("text or bytes")  # @bytes
    x("escaped A"); x('it\'s'); x('say "so"')
    x(bR'raw \b bytes')  # @rawbytes
    x(b'__main__')  # @bmain
    x('''two
lines''')  # @lines
    x("日本語" if x else "größe"); x("größe"); x("日本語")  # @unicode
    x("tab	inside")  # @tab
    x(((("in parens"))))  # @paren
    x("""folded \
over""")  # @folded
