class SubTop:  # @d1
    pass
