"""Bodies of 29, 30 and 31 tokens, and what does not change them."""


def thirty(x):  # @thirty
    a = x + 1
    b = a * 2
    c = b - 3
    d = c / 4
    e = d % 5
    return not e, e  # 5 statements of 5 tokens, and 5


def layout(y):  # @layout
    # a comment
    a = x + 1  # another

    b = a * 2; c = b - 3
    d = (c / 4)
    return d


def thirty_with_layout(y): # @with_layout

    # comment first
    a = x \
        + 1
    b = (  # comment within
        a
    )

    c = [
        1, 2,
        3, 4,
    ]
    d = 'text'
    return a, -b  # and here


def same_in_one_line(z): a = x + 1; b = (a); c = [1, 2, 3, 4,]; d = 'text'; return a, -b


async def same_again():  # @same_again
	a = x + 1
	b = (a)
	c = [1, 2, 3, 4,]
	d = 'text'
	return a, -b


def semicolon_at_end():  # @semicolon
    a = x + 1
    b = (a)
    c = [1, 2, 3, 4,]
    d = 'text'
    return a, -b;


def other_quotes():
    a = x + 1
    b = (a)
    c = [1, 2, 3, 4,]
    d = "text"
    return a, -b


def one_token_short():
    a = x + 1
    b = (a)
    c = [1, 2, 3, 4,]
    d = 'text'
    return a, b


def one_token_short_again():
    a = x + 1
    b = (a)
    c = [1, 2, 3, 4,]
    d = 'text'
    return a, b


class Holder:
    @staticmethod
    def thirty_again(self, *others) -> Returns:  # @thirty_again
        a = x + 1
        b = a * 2
        c = b - 3
        d = c / 4
        e = d % 5
        return not e, e
