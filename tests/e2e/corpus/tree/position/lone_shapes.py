def other(a, b, c, d):  # @other
    pass


def three():  # @three
    if x:
        return 1, 2, 3  # @bare
    elif x:
        return (1, *x, 2)  # @star
    elif x:
        return 1, 2
    elif x:
        return [1, 2, 3]
    elif x:
        return ((1, 2, 3))  # @paren
    elif x:
        return ((1, 2, 3), 4)
    elif x:
        return x, (
            2), 3  # @lines

    def inner():
        return 1, 2, 3  # @inner_return
    return lambda: (1, 2, 3)


class Method:
    async def point(self): return self.x, self.y, self.z  # @method


def nobody_unpacks():
    return 1, 2, 3


a, b, c = three()  # @plain
(a, b, c) = three()  # @paren_call
[a, b, *c] = (three())  # @list
a, b = three()
a = b, c, d = [e, f, g] = three()  # @twice
(a, (b, c, d)) = three()
a, b, c = yield_ = three()  # @first
for a, b, c in three(): pass
with three() as (a, b, c): pass
a, b, c = x.three()  # @attribute
a, b, c = three()[0]
a, b, c = three(), 1, 2
a, b, c = x, = three(),
a, b, c = three
(
    a,
    b, c) = \
    three()  # @start
a: tuple = three()


async def use():
    a, b, c = await x.point()
    a, b, c = x.point()  # @point
    (a), x.y, x[0] = inner()  # @inner
    a, b, c = three() if x else three()
    a += three()
    [a, b, c] = undefined()


def inner():
    return 1, 2, 3  # @late_inner
