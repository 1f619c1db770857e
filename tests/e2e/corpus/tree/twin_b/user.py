from twin import Both  # @yes
from twin import only_second
