"""Python allows the space, the grammar of tree-sitter does not."""


def differs(x):
    try:
        pass
    except *(A, B):
        pass
