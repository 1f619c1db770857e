from delta import Delta  # @yes
from lone.delta import Delta as no_package
from .delta import Delta as no_package_either
from . import Delta as nor_here
