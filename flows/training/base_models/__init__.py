"""Pretrained models: where they come from, what in them is refused, how they are mirrored into the lake and loaded.

locate(candidate, lake, root, cache)   a verified folder on this machine (locate.py)
mirror(wanted, lake, cache, who)       into the lake, once (mirror.py)
loading_arguments(candidate)           what from_pretrained is told (loading.py)
"""

from flows.training.base_models.contents import weights_sha256
from flows.training.base_models.loading import loading_arguments
from flows.training.base_models.locate import BaseModel, locate

__all__ = ["BaseModel", "loading_arguments", "locate", "weights_sha256"]
