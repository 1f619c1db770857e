def in_package():
    pass
