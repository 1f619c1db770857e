"""Every position in which a type counts, each name in two functions."""


def every(a: TPosOnly, /, b: TOrdinary, *c: TVarArgs, d: TKeyword = None, **e: TVarKw) -> TReturn:  # @every
    pass


async def again(u: TPosOnly, v: TOrdinary, w: TVarArgs, *, x: TKeyword, y: TVarKw = None, z: (TReturn)):  # @again
    pass


def generic(a: Gen[In1, In2], b: Gen2[Deep[Leaf]], c: mod.Gen[In1]) -> In3 | In4 | None:  # @generic
    pass


def more(a: Leaf | In1 | None, b: (Gen, In2), c: [Gen2, Deep], d: mod.Gen, e: In3, f: Opt[(In4, In4)]):  # @more
    pass


def dotted(a: some . dotted
           . Name,
           b: (
               par.Dotted),  # @dotted
           c: some.dotted):
    pass


def dotted_again(a: some.dotted.Name, b: par.Dotted, c: Dotted, d: Name):  # @dotted_again
    pass


def nothing(a: "Quoted", b: Called(), c: Sliced[A1:B1], d: Starred[*Stars], e: Either if Cond else Or,
            f: -Negated, g: Called().Attribute, h: Item[0], i: {Set}, j: {Dict: Value}, k: None, l: ...,
            m: (Walrus := Walrus), n: Plus + Minus, o: f"{FString}", p: not Not, q: And and And, r: lambda: Lambda):
    pass


def nothing_again(a: "Quoted", b: Called(), c: Sliced2[A1:B1], d: Starred2[*Stars], e: Either if Cond else Or,
                  f: -Negated, g: Called().Attribute, h: Item2[0], i: {Set}, j: {Dict: Value}, k: None, l: ...,
                  m: (Walrus := Walrus), n: Plus + Minus, o: f"{FString}", p: not Not, q: And and And, r: lambda: Lambda):
    v: VariableOnly = None
    return v


def variables():
    v: VariableOnly = None
    w: VariableOnly
    return v, w


def slices(a: Mixed[A2:B2, Beside]) -> Beside:  # @slices
    pass


def slices_again(a: Other[A2:B2, Beside], *b: *Unpacked):  # @slices_again
    pass


def unpacked(*b: *Unpacked):
    pass


def unpacked_index(*b: *Starry[InStar, mod.InStar]) -> Starry[InStar, mod.InStar]:  # @starry
    pass


def unpacked_index_again(*b: *Starry[InStar, mod.InStar], c: AfterStar) -> AfterStar:  # @after
    pass


def after_star(c: AfterStar, *b: *tuple[*Starry[InStar], ...]): pass  # @after_again
