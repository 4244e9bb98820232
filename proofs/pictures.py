"""All pictures, in the order in which they are listed."""

from __future__ import annotations

from proofs import descent_pictures, loss_pictures, training_pictures
from proofs.picture import Picture

MODULES = (loss_pictures, descent_pictures, training_pictures)
"""The modules whose ``PICTURES`` there are."""


def pictures() -> dict[str, Picture]:
    """Every picture by its name."""
    return {picture.name: picture for module in MODULES for picture in module.PICTURES}
