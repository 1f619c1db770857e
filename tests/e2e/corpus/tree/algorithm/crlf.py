def strings_crlf():
    """A docstring is a statement."""
    u'a' R'b' f'''c
    {d}''' "e\
f"
    x[...:-1j, rb'b':0x1F] @= b
    x >>= x // x != (x <= -x)
    print(x)
