# coding: UTF_8
"""BOM, CRLF, form feeds, tabs."""


def bom_first(x):
	if x == "bom one":
		return "bom two"

	x("bom three", # comment
		"bom four")
