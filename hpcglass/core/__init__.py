"""The machine: read once, rarely edited. Importing it decides how kernels are compiled, and where they are kept."""

from hpcglass.core.cache import use_own_cache
from hpcglass.core.compiling import call_own_copies, forget_literals

use_own_cache()
forget_literals()
call_own_copies()
