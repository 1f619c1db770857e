"""Statements within statements, and words that are keywords only sometimes."""
match = case = type = _ = print = exec = None  # @keywords
type.x = match[0] = 1
print(match, case, type, "not in a function")


def soft(match, case, type: Soft, print=None, exec=None):  # @soft
    match(case)
    match, case = case, match
    match[case]; match * case; match - case; match(*case, **type)
    print(case, "soft one"); print("soft two"); exec("soft three")  # @one
    type = "soft four"; type.x = 1; type(type) is type; case == "soft five"  # @five
    print; print >> case; print, exec
    match match:
        case {"key": Soft(x="soft six") | Soft(), **rest} if rest == "soft seven":  # @seven
            return "soft eight"  # @eight
        case [_, (1 | 2), *_, "soft nine" "x"]:
            async def inner(type: Soft): await type("soft ten"); return type  # @ten
        case match.case: pass
        case -1.5 + 2j: isinstance(match, Soft)  # @case
        case _: pass


def again(type: Soft) -> Soft:  # @again
    type("soft one", "soft two", "soft three", "soft four", "soft five", "soft six", "soft seven")  # @again_one
    type("soft eight", "soft nine", "soft ten")  # @again_eight


if 1:
    while 2:
        for x in 3:
            with 4:
                try:
                    class Deep:
                        if 5:
                            def deep(self):
                                if (deep := self == "deep one") and not "deep two" != self: return "deep three"  # @deep
                                elif self < "deep four" < self > "deep five": return "deep six", "deep seven"  # @elif
                                else: [deep == "deep eight" for deep in self if deep in "deep nine"]  # @else
                                {**self("deep ten"), 1: self["x"]("deep eleven")}; del self("x").y[self("deep twelve")]  # @braces
                                assert self("deep thirteen"), self("deep fourteen")  # @assert
                                raise self("deep fifteen") from self("deep sixteen")  # @raise
                                yield self("deep seventeen"); yield from self(key="deep eighteen")  # @yield
                                self.x: self("deep nineteen") = self("deep twenty")  # @annotated
                finally:
                    pass


async def deep_again(self):
    async with self("deep one") as x, self("deep two"):  # @with
        async for x in self("deep three"):  # @for
            (await self("deep four"))("deep five")  # @await
            self(lambda x="deep no", *y, z=self("deep six"), **k: x == "deep seven")  # @lambda
            self[self("deep eight"):self("deep nine"), ...](*self("deep ten"), **self("deep eleven"))  # @subscript
            f"{self('deep no')}", self("deep twelve" if self("deep thirteen") else "deep no")("deep fourteen")  # @if
    global deep_global; nonlocal_ = self("deep fifteen"); x += self("deep sixteen")  # @augmented
    @self("deep seventeen")  # @decorator
    class Inner(self("deep eighteen"), metaclass=self("deep nineteen")): x = self("deep twenty")  # @class
