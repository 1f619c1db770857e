from shadow import in_file  # @yes
from shadow import in_package
from . import in_file  # @dot
