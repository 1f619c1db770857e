"""Constants of equal name and value in two files."""
SHARED = 801  # @shared
SHARED_TEXT = "text"  # @text
OTHER_VALUE = 802
INT_OR_FLOAT = 803
A = 804
A1 = 805  # @a1
_2 = 806
__B__ = 807  # @b
lower = 808
MiXED = 809
CHAIN = CHAINED = 810
ANNOTATED: int = 811  # @annotated
ANNOTATION_ONLY: int
AUGMENTED += 812
TUPLE_A, TUPLE_B = 813, 814
ATTRIBUTE.NAME = 815
ITEM[0] = 816
if True:
    IN_IF = 817
ONE, = 818,
NEGATIVE = -819  # @negative
PARENS = (820)  # @parens
JOINED = "a" "b"
FSTRING = f"a"
NOTHING = None
TRUTH = True
TWICE = 0  # @twice
TWICE = 0  # @again
ONLY_HERE = 821; ONLY_HERE = 821
FIRST = 822; SECOND = 823  # @semicolon
(IN_PARENS) = 824  # @in_parens
EMPTY = ""  # @empty
CONTINUED = \
    825  # @continued
ÄÖÜ = 826
SUM = 827 + 1


class K:
    IN_CLASS = 828
