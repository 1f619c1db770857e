"""Mutable objects as defaults."""
a_list = []  # @list
a_dict = {}  # @dict
a_set = {1}  # @set
a_list_comp = [i for i in ()]  # @list_comp
a_set_comp = {i for i in ()}  # @set_comp
a_dict_comp = {i: i for i in ()}  # @dict_comp
list_call = list()  # @list_call
dict_call = (dict())  # @dict_call
set_call = set()  # @set_call
list_of = list(())
dict_of = dict(a=1)
a_tuple = ()
a_generator = (i for i in ())
other_call = deque()
attribute_call = x.list()
annotated: list = []  # @annotated
first = second = []  # @chain
in_tuple, in_tuple2 = [], []
rebound = None
rebound = []  # @rebound
rebound = None
if x:
    conditional = []
no_default = []


def uses(a=a_list, b=a_dict, /, c=a_set, *args, d=a_list_comp, e: set = a_set_comp, f: dict = a_dict_comp,  # @one
         g=list_call, h=dict_call, i=set_call, j=(annotated), k=first, l=second, m=rebound, **kw):  # @two
    pass


def uses_no(a=list_of, b=dict_of, c=a_tuple, d=a_generator, e=other_call, f=attribute_call, g=in_tuple,
            h=conditional, i=in_tuple2, j=a_list[0], k=a_list.x, l=f"{a_list}", m=[a_list], n=undefined):
    uses(a_list, a=a_list)
    lambda x=a_dict: x  # @lambda

    class K:
        async def method(self, a=a_list):  # @method
            pass
