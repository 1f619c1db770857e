from .alpha import Alpha as FirstLetter  # @i1


def pkg_top():  # @d1
    pass


if True:
    def pkg_conditional():
        pass
