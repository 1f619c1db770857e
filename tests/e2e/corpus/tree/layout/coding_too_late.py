x = 1
# coding: koi8-r
y = x
