from ..alpha import Alpha  # @up
from .. import pkg_top  # @top
from . import SubTop  # @own
from ...alpha import Alpha as beyond_the_top
from .... import pkg_top as far_beyond
from ..alpha import *
from pkg.alpha import (decorated,  # @paren
                       waits as waiting,  # @as
                       variable, guarded, Looped, within, nested, Inner,
                       one_line,  # @one
                       )
from pkg import pkg_conditional, \
    pkg_top as again  # @again
from ..alpha import naïve_größe  # @unicode
from ..alpha import ﬁne  # @ligature
from ..alpha import fine as not_the_ligature
from pkg.alpha import plain, semicolon
from alpha import Alpha as no_such_module
from .SubTop import SubTop as no_module
import pkg.alpha


def function():
    from pkg.alpha import Alpha, Alpha as Twice  # @inside
    try:
        from . alpha import Alpha as not_here
    except ImportError:
        class Local:
            from .. alpha import waits  # @class

    def inner(): from .beta import function; from pkg.sub import SubTop  # @oneline
