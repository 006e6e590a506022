"""Which cleaned pages a person should look at, and why.

Turns the safety numbers of a page into a sentence; measures nothing.
"""

from dataclasses import dataclass

from pagewash.errors import OptionError
from pagewash.measuring.metrics import PageMetrics


@dataclass(frozen=True)
class ReviewLimits:
    """How much may change before a page is to be looked at. Shares, 0 to 1."""

    ink_lost: float = 0.05
    """Of the scan's strokes."""

    ink_added: float = 0.02
    """Of the cleaned page's strokes."""

    picture_lost: float = 0.2
    """Of the scan's pictures."""

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        for name, limit in vars(self).items():
            if not 0 <= limit <= 1:
                raise OptionError(f"the limit for {name} is a share of 0 to 1, not {limit}")


def reason_to_look(metrics: PageMetrics, limits: ReviewLimits = ReviewLimits()) -> str | None:
    """Why a cleaned page should be looked at, for instance ``7 % of the ink is gone``.

    Returns:
        None for a page within the limits.
    """
    reasons = [
        f"{value:.0%} of {what}".replace("%", " %")
        for value, limit, what in (
            (metrics.ink_lost, limits.ink_lost, "the ink is gone"),
            (metrics.ink_added, limits.ink_added, "the ink came from nowhere"),
            (metrics.picture_lost, limits.picture_lost, "the pictures and dark areas are gone"),
        )
        if value > limit
    ]
    return "; ".join(reasons) or None
