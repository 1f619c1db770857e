from lone_shapes import three as triple, other, three as inner  # @imports
a, b, c = triple()  # @triple
a, b, c = other.triple()
a, b, c = three()
other(1, 2, 3, 4)  # @other
a, b, c = inner()  # @inner
