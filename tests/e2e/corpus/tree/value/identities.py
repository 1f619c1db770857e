"""Compared by identity with a name of the module."""
marker = object()  # @marker
other: object = object()  # @other
unused = object()
marker = marker or other  # @again
pair, pair2 = object(), object()
def function(): pass


def uses(x):
    x is marker  # @is
    marker is not other  # @is_not
    x == marker; x != marker; x in marker
    x is pair is function is x.marker is marker() is (marker)  # @chain
    x == other is not x < marker  # @mixed
    x is other is x  # @once
    x is not f"{marker is other}"
    not marker is x  # @not
    lambda: [x is other for x in x]  # @inner


if marker is None:  # @module
    pass
