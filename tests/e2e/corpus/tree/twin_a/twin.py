from twin import Both as Myself


def Both():  # @d
    pass


def only_first():
    pass
