"""The machine: read once, rarely edited. Importing it decides where compiled kernels are kept."""

from hpcglass.core.cache import use_own_cache

use_own_cache()
