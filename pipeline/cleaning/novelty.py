"""How unlike the usual a page is: from what the network makes of it while it is cleaned.

A page's features are averages over it: of the encoder's outermost level, which sees strokes, and of
how much is passed on, and what ink is left. They are compared with those of usual pages, which
stand on the model's card; how they get there is `pagewash.training.calibration`'s. Arrays in,
numbers out: knows neither pages nor files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pagewash.errors import InputError
from pagewash.inference.checkpoint import floats_of, text_of

Floats = NDArray[np.float32]

LEAST_INK, LEAST_CONTRAST = 0.003, 0.001
"""What counts as none, as shares: below it, the logarithm would tell specks from fewer specks."""

LAYOUT_DIRECTIONS = 4
"""Numbers for each place of a page's embedding."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """The features of usual pages."""

    mean: Floats
    """(C,)."""

    directions: Floats
    """(C, C): in the space that they span, usual pages vary by about 1 to all sides."""

    distances: Floats
    """(101,) rising: how far the percentiles 0 to 100 of usual pages are from the mean."""

    layout: Floats
    """(L, D): directions in which places of a page differ most, for `cleaning.embedding`."""

    def novelty(self, features: Floats) -> float:
        """Say how unlike the usual a page is.

        Args:
            features: (n, C) of all places of the page.

        Returns:
            Percentage of usual pages that are less so, 0 to 100; 100 is beyond all of them.
        """
        return float(np.interp(self.distance(features), self.distances, np.arange(101)))

    def distance(self, features: Floats) -> float:
        """Mahalanobis distance of a page from usual ones; goes on where `novelty` ends."""
        return float(np.linalg.norm((feature_vector(features) - self.mean) @ self.directions))

    @classmethod
    def from_card(cls, values: Mapping[str, str]) -> "Calibration":
        """Read a calibration off a model's card.

        Raises:
            InputError: it is none.
        """
        try:
            known = {key.name: floats_of(values[key.name]) for key in fields(cls)}
            channels = len(known["mean"])
            known["directions"] = known["directions"].reshape(channels, channels)
            known["distances"] = known["distances"].reshape(101)
            known["layout"] = known["layout"].reshape(-1, LAYOUT_DIRECTIONS)
            return cls(**known)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"the calibration on the model's card cannot be used: {error!r}. Copy the card "
                "again, or make a new one: python -m pagewash.training.calibration MODEL FONTS"
            ) from error

    def for_card(self) -> dict[str, str]:
        """Return it as text for a model's card: float32, least byte first, in base64."""
        return {key.name: text_of(getattr(self, key.name)) for key in fields(self)}


def feature_vector(features: Floats) -> Floats:
    """Put a page's features into (C,) numbers that are spread evenly over usual pages.

    Ink and its contrast become logarithms: a blank page is as far from a page of text as that is
    from a page full of pictures.
    """
    *level, gain, ink, square = features.mean(0)
    contrast = max(square - ink**2, 0.0)
    logs = np.log([ink + LEAST_INK, contrast + LEAST_CONTRAST])
    return np.array([*level, gain, *logs], np.float32)
