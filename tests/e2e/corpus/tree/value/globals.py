"""Names rebound through global statements."""
counter = 0  # @counter
counter = chained = counter + 1  # @chained
counter += 1
annotated: int = 0  # @annotated
only_declared: int
(parens) = 1  # @parens
pair_a, pair_b = 1, 2
attribute.name = 1
for loop in (): pass
with x as context: pass
import imported
def function(): pass
if x:
    conditional = 1
unused = 1
global counter
twice = twice = 1  # @twice


def bump():
    global counter, chained, \
        annotated  # @first
    global only_declared, pair_a, loop, context, imported, function, conditional, attribute
    nonlocal_ = 1


class Holder:
    global unused

    def method(self):
        if x:
            global counter; global parens, twice, twice  # @method
        lambda: counter
