"""References through imports."""
import shapes
from shapes import four, four as quad, stars as many, Thing, recursive as looped  # @imports
from nowhere import ordinary
from .shapes import method as relative
from shapes import renamed as local
from lone_shapes import other  # @import_other
from shapes import other


def ordinary(a, b, c, d):  # @ordinary
    pass


def local(a, b, c, d):
    pass


def method(a, b, c, d):  # @method
    pass


def other(a, b, c, d):
    pass


four(1, 2, 3, 4)  # @four
quad(1, 2, 3, 4)  # @quad
x.quad(1, 2, 3, 4)
shapes.four(1, 2, 3, 4)
many(1, 2, 3, 4)
Thing(1, 2, 3, 4)
Thing.method(1, 2, 3, 4)  # @method_call
ordinary(1, 2, 3, 4)  # @ordinary_call
relative(1, 2, 3, 4)
local(1, 2, 3, 4)
other(1, 2, 3, 4)  # @other_call


def late():
    late_name(p, q, r, s)  # @late
    from shapes import four as late_name
