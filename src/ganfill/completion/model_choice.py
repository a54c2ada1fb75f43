"""Chooses among models of different resolutions."""

import math
from collections.abc import Mapping

from ganfill.images.alignment import Placement
from ganfill.models.model import Model


def choose_model(models: Mapping[str, Model], placement: Placement) -> str:
    """Returns the name of the model whose pixels are closest in size to those of the photo, in its largest region.

    Args:
        models: by name.
        placement: of the photo; without regions, the model with the lowest resolution is taken.
    """
    side = max((region.side for region in placement.regions), default=1.0)
    return min(models, key=lambda name: abs(math.log(models[name].resolution / max(side, 1.0))))
