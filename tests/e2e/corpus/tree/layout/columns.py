"""Characters of one to four bytes in front of what counts, and every place on one line."""
def größer(ä, ö): return ä == "näh" and ö("日本", "𝒜𝒷", "é", "e\u0301") or ä == 'näh'; "日本"  # @one
def kleiner(ä, ö): x = "𝒜𝒷é"; ä("日本") if "näh" == x else ö("𝒜𝒷", ("é"), u"é", "é", "e\u0301")  # @two


def ﬁrst(x: ﬂow, y: flow = "ﬂow") -> ﬂow:  # @lig_one
    return x("ﬂow")  # @lig_literal


def second(x: ﬂow, y: flow = "flow") -> "ﬂow":  # @lig_two
    return x("flow", "ﬂow")  # @lig_literal2
