from twin import Both as Other, only_second  # @other


def Both():
    pass


def only_second():
    pass
