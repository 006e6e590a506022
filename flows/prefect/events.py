"""What Prefect hears when a run has ended: one event with its counts, for automations to react to.

Automations compare labels, not numbers: so the event says in a label whether many pages failed.
"""

from prefect.events import emit_event

from pagewash.measuring.history import jump_of_run
from pagewash.runs.outcome import RunReport

RUN_ENDED = "pagewash.run.ended"

DOUBTFUL_JUMPED = "pagewash.doubtful.jumped"
"""Far more pages of a run are doubtful than of the runs before it."""

MANY = 0.1
"""Failed pages are many above this share of all pages: those of the run, and one for each document
that was clean already."""


def tell_run_ended(report: RunReport) -> None:
    """Emit the event of a run; Prefect adds the flow run and the deployment that it belongs to."""
    emit_event(
        RUN_ENDED,
        resource={
            "prefect.resource.id": f"pagewash.run.{report.run.run_id}",
            "prefect.resource.name": report.run.run_id,
            "pagewash.failed": how_many_failed(report),
        },
        payload={
            "documents": report.documents,
            "documents_failed": len(report.failures),
            "documents_left": report.left,
            "pages": report.pages,
            "pages_failed": report.pages_failed,
            "pages_to_look_at": report.review,
            "seconds": round(report.seconds, 1),
            "metrics": str(report.run.folder) if report.run.folder else None,
            "first_failure": report.failures[0].message if report.failures else None,
        },
    )


def tell_jump(report: RunReport) -> None:
    """Emit an event where the share of doubtful pages has jumped, against earlier runs."""
    if report.run.metrics is None:
        return
    jump = jump_of_run(report.run.metrics, report.run.run_id)
    if jump is not None:
        emit_event(
            DOUBTFUL_JUMPED,
            resource={
                "prefect.resource.id": f"pagewash.run.{report.run.run_id}",
                "prefect.resource.name": report.run.run_id,
            },
            payload={"share_before": round(jump.before, 4), "share_now": round(jump.now, 4)},
        )


def how_many_failed(report: RunReport) -> str:
    """`none`, `few` or `many` of the pages failed; what was clean already counts among them."""
    if report.pages_failed == 0:
        return "none"
    pages = report.pages + report.done_before
    return "many" if report.pages_failed > MANY * pages else "few"
