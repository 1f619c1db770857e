def in_held():
    pass
