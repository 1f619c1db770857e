"""`except* A` and `except *A` in one statement: the same to Python, a syntax error to the grammar of tree-sitter."""


def differs(x):
    try:
        pass
    except* A:
        pass
    except *A:
        pass
