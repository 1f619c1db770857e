"""Definitions that other modules import, and some that are not top-level definitions."""
from __future__ import annotations  # @future


def decorate(function):
    return function


class Alpha:  # @class
    class Inner:
        pass


class Alpha:
    """Only the first top-level definition counts."""


@decorate
@decorate
def decorated():  # @decorated
    def nested():
        pass


async def waits():  # @async
    pass


variable = 1
try:
    def guarded():
        pass
finally:
    pass
for _ in ():
    class Looped:
        pass
with open(__file__):
    def within():
        pass


def one_line(): pass  # @one
semicolon = 1; plain = 2


def naïve_größe():  # @unicode
    pass


def ﬁne():  # @ligature
    pass


from pkg.alpha import Alpha as itself_is_no_other_file
