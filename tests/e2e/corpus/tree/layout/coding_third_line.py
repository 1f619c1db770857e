

# coding: koi8-r
