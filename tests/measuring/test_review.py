"""Which cleaned pages a person should look at."""

import dataclasses

from pagewash.measuring.definitions import METRICS, PageMetrics
from pagewash.measuring.review import reason_to_look

QUIET = PageMetrics(
    **{field.name: 0.0 for field in dataclasses.fields(PageMetrics)[:-1]}, blank=False
)


def test_a_page_within_the_limits_needs_no_look():
    assert reason_to_look(QUIET) is None
    assert reason_to_look(dataclasses.replace(QUIET, ink_added=0.02)) is None


def test_the_reason_is_said():
    harmed = dataclasses.replace(QUIET, ink_added=0.3)
    assert reason_to_look(harmed) == "30 % of the ink came from nowhere"


def test_every_limit_is_a_share_that_something_is_said_of():
    limited = [metric for metric in METRICS.values() if metric.limit is not None]
    assert {metric.name for metric in limited} == {"ink_added"}
    assert all(metric.share and 0 < metric.limit < 1 and metric.alarm for metric in limited)
