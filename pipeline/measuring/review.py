"""Which cleaned pages a person should look at for what was added to them, and why.

Turns the safety numbers of a page into a sentence; measures nothing. What pages lost, `guard`
tells. The limits are those of the definitions.
"""

from pagewash.measuring.definitions import PageMetrics, definitions


def reason_to_look(metrics: PageMetrics) -> str | None:
    """Why a cleaned page should be looked at, for instance ``7 % of the ink came from nowhere``.

    Returns:
        None for a page within the limits.
    """
    reasons = [
        f"{getattr(metrics, name):.0%} of {metric.alarm}".replace("%", " %")
        for name, metric in definitions().items()
        if metric.limit is not None and getattr(metrics, name) > metric.limit
    ]
    return "; ".join(reasons) or None
