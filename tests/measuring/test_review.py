"""Which cleaned pages a person should look at."""

import dataclasses

import pytest

from pagewash.errors import OptionError
from pagewash.measuring.metrics import PageMetrics
from pagewash.measuring.review import ReviewLimits, reason_to_look

QUIET = PageMetrics(
    **{field.name: 0.0 for field in dataclasses.fields(PageMetrics)[:-1]}, blank=False
)


def test_a_page_within_the_limits_needs_no_look():
    assert reason_to_look(QUIET) is None
    assert reason_to_look(dataclasses.replace(QUIET, ink_lost=0.05)) is None


def test_every_reason_is_said():
    harmed = dataclasses.replace(QUIET, ink_lost=0.071, ink_added=0.3, picture_lost=1.0)
    assert reason_to_look(harmed) == (
        "7 % of the ink is gone; 30 % of the ink came from nowhere; "
        "100 % of the pictures and dark areas are gone"
    )


def test_limits_may_be_moved():
    harmed = dataclasses.replace(QUIET, ink_lost=0.071)
    assert reason_to_look(harmed, ReviewLimits(ink_lost=0.1)) is None


@pytest.mark.parametrize("limit", [-0.1, 5])
def test_a_limit_that_is_no_share_is_refused(limit):
    with pytest.raises(OptionError, match="ink_lost is a share"):
        ReviewLimits(ink_lost=limit)
