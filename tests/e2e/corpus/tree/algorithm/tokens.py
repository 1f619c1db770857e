"""One of each token that a parser might count otherwise: exactly 30, so that one lost or gained shows."""


def groups():  # @groups
    try:
        x is not y not in z
    except* E:
        f"a {x + 1} b", ...
    finally:
        lambda: (a := 1) @ 2 ** ~3


def groups_apart():  # @groups_apart
    try:
        x is  not y not  in z
    except *E:
        f"a {x + 1} b" , ...
    finally:
        lambda : ( a:= 1 )@2**~3


def other_f_string():  # @other_f_string
    try:
        x is not y not in z
    except* E:
        f"a {x+1} b", ...
    finally:
        lambda: (a := 1) @ 2 ** ~3


def strings():  # @strings
    """A docstring is a statement."""
    u'a' R'b' f'''c
    {d}''' "e\
f"
    x[...:-1j, rb'b':0x1F] @= b
    x >>= x // x != (x <= -x)
    print(x)


def strings_again():  # @strings_again
    """A docstring is a statement."""
    u'a' R'b' f'''c
    {d}''' "e\
f"
    x[...:-1j, rb'b':0x1F]@=b
    x>>=x//x!=(x<=-x)
    print (x)


def inner_semicolon():  # @inner_semicolon
    if x: a = 1;
    if x: b = 2; c = 3;
    class K(x): d = 4;
    return a, b, c


def inner_semicolon_again():  # @inner_semicolon_again
    if x: a = 1 ;
    if x: b = 2 ; c = 3 ;
    class K ( x ): d = 4 ;
    return a, b, c;


def no_inner_semicolon():
    if x: a = 1
    if x: b = 2; c = 3
    class K(x): d = 4
    return a, b, c


def last_is_nested():  # @last_is_nested
    first = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    if first:
        while first: first.pop(); del first;


def last_is_nested_again():  # @last_is_nested_again
    first = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    if first:
        while first: first.pop(); del first


def decorated_first():  # @decorated_first
    @one(1)
    @two
    async def inner(a, /, *, b: 0 = 2) -> 0:
        await a; yield b
    return inner


def decorated_first_again():  # @decorated_first_again
    @ one (1)
    # between
    @ two
    async def inner(a, /, *, b : 0=2) ->0:
        await a; yield b
    return inner


def decorated_otherwise():
    @one(2)
    @two
    async def inner(a, /, *, b: 0 = 2) -> 0:
        await a; yield b
    return inner


def outer_one():  # @outer_one
    def nested(a):  # @nested_one
        match a:
            case [1, *_] | {"k": 2, **r} if r: return 1
            case K(x=1) as k: pass
            case -1 | None: pass
    return nested


def outer_two():  # @outer_two
    def nested(a):  # @nested_two
        match a:
            case [1, *_] | {"k": 2, **r} if r: return 1
            case K(x=1) as k: pass
            case -1 | None: pass
    return nested


def unicode_names():  # @unicode_names
    größe = λ = "日本語"; x = größe, λ, (größe), [λ], {größe: λ}, größe, λ, größe


def unicode_names_again():  # @unicode_names_again
    größe = λ = "日本語"
    x = größe, λ, (größe), [λ], {größe: λ}, größe, λ, größe


def unicode_names_again_with_semicolon():  # @unicode_semicolon
    größe = λ = "日本語" ;x = größe, λ, (größe), [λ], {größe: λ}, größe, λ, größe


def ligature():
    x = ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ, ﬁ


def no_ligature():
    x = fi, fi, fi, fi, fi, fi, fi, fi, fi, fi, fi, fi, fi, fi, fi, fi
