"""isinstance and except, and the function that a place belongs to."""
isinstance(None, AtModule)


def first(x, more):
    isinstance(x, IsOne)  # @one
    isinstance(x, (IsOne, mod.IsTwo))  # @tuple
    (isinstance)(x, [IsThree])  # @paren
    isinstance(x, IsFour, *more)  # @third
    isinstance(*x, NotOne)
    isinstance(x, *NotTwo)
    isinstance(x, cls=NotThree)
    x.isinstance(x, NotFour)
    isinstance(NotFive)
    isinstance(NotSix, None)
    issubclass(x, NotSeven)
    isinstance(x, AtModule)
    f"{isinstance(x, InFString)}"
    isinstance(x, OnlyHere) or isinstance(x, OnlyHere)


def second(x, more):
    if isinstance(x, IsOne) and not isinstance(x, mod.IsTwo): pass  # @one2
    lambda: isinstance(x, (
        IsThree))  # @lambda
    [isinstance(x, IsFour | None) for x in x]  # @comprehension
    isinstance(*x, NotOne)
    isinstance(x, *NotTwo)
    isinstance(x, cls=NotThree)
    x.isinstance(x, NotFour)
    isinstance(NotFive)
    isinstance(NotSix, None)
    issubclass(x, NotSeven)
    f"{isinstance(x, InFString)}"


def third():
    try:
        pass
    except ExOne:  # @except
        pass
    except (ExTwo, mod.ExThree) as ExName:  # @except_tuple
        pass
    except getattr(ExNot, ExNot):
        pass
    except:
        pass


def fourth():
    try:
        try:
            pass
        except* ExOne:  # @group
            pass
        except*(ExTwo, ExTwo):  # @two
            pass
    except mod.ExThree:  # @three
        pass
    except getattr(ExNot, ExNot) as ExName:
        pass


try:
    pass
except AtModule:
    pass


def outer():
    isinstance(None, Outside)  # @outside
    isinstance(None, Inside)  # @inside

    @decorate(isinstance(None, OnlyOuter))
    def inner(a=isinstance(None, Inside)) -> Outside:  # @inner
        class Within(base(isinstance(None, InnerClass))):  # @base
            def method(self, x: InnerClass):  # @method
                pass

    isinstance(None, OnlyOuter)

    @isinstance(None, Inside)  # @class_decorator
    class Decorated:
        isinstance(None, Inside)  # @class_body
