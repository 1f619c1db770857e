def in_file():  # @d
    pass
