def lone_cr(x):    # a comment ends here too    return x("lone \return")def lone_cr_again(x):    return x("lone \
return")