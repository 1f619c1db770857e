"""Definitions with four positional parameters and calls that pass four."""


def four(a, b, c, d):  # @four
    pass


def mixed(a, /, b, *, c, d): pass
def ordinary(a, /, b, c, d=1, *, e): pass  # @ordinary
def stars(a, b, c, *d, **e): pass  # @stars


class Thing:  # @thing
    def method(self, a, b, c):  # @method
        pass

    async def awaited(self, a, b, c):  # @awaited
        pass

    def short(self, a, b):
        pass

    @staticmethod
    @decorate
    def decorated(a: P1 = 1, b: P2 = "", *c, d: P3 = 2.0): pass

    def decorated2(a: P4, b: P5 = "", c: P6[P7, P8] = {}, d: P9 = 2.0): pass  # @typed


four(1, 2, 3, 4)  # @module
four(1, 2, 3)
four(1, 2, 3, *x)
four(*w, 1, *x, 2, 3, 4, **y)  # @starred
four(1, 2, 3, d=4)
four(a=1, b=2, c=3, d=4)
x.four(1, 2, 3, 4, 5)  # @attribute
(four)(1, 2, 3, 4)  # @callee
(
    four)(1, 2, 3, 4)  # @below
x[0](1, 2, 3, 4); x()(1, 2, 3, 4); (lambda a, b, c, d: 0)(1, 2, 3, 4)
f"{four(1, 2, 3, 4)}"
mixed(1, 2, 3, 4)
stars(1, 2, 3, 4)
ordinary(
    1, 2,
    3, 4, e=5)  # @ordinary_call
x.short(1, 2, 3, 4)
x.decorated(1, 2, 3, 4)
x().decorated2(1, (2, 2), [3], {4: 4})  # @typed_call
four(four(1, 2, 3, 4), 2, 3, [four(5, 6, 7, 8) for y in x])  # @three


def caller():
    x.y.method(p, q, r, s)  # @method_call
    lambda: Thing().awaited(p, q, r, s)  # @awaited_call
    await_ = x.awaited((i for i in x), q, r, s)  # @again

    @four(p, q, r, s)  # @decorator
    class Sub(four(p, q, r, s), x, x, x, key=four(p, q, r, s)):  # @bases
        def four(self, a, b, c, d):  # @nested
            return four(self, a, b, c)  # @recursive

    x.method(
        p, q, r).method(p, q, r, s)  # @chain


def never_called(a, b, c, d): pass
never_defined(p, q, r, s)


def recursive(a, b, c, d):  # @recursive_def
    return recursive(d, c, b, a)  # @recursive_call
