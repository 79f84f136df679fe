"""An input file: TOML in, typed and checked tables out, every problem at once."""

from hpcglass.config.config import Config
from hpcglass.config.models import EnsembleParams, ModelParams, SystemParams
from hpcglass.config.tables import read_text

__all__ = ["Config", "EnsembleParams", "ModelParams", "SystemParams", "read_text"]
