class Delta:  # @d
    pass
