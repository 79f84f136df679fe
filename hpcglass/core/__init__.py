"""The machine: read once, rarely edited. Importing it decides how kernels are compiled, and where they are kept."""

from hpcglass.core.cache import use_own_cache
from hpcglass.core.compiling import call_own_copies, compile_wholes

use_own_cache()
compile_wholes()
call_own_copies()
