def annotations():  # @d
    pass


def from_the_top():
    pass
