def crlf(x):
    x("""two
lines""")
    x("""folded \
over""")
    return x == 201
