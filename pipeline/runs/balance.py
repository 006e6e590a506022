"""Shards of about equal work, for several workers at once.

Work is told in megapixels, from the headers of the documents: no page is decoded. Who the workers
are is decided elsewhere.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, groupby

from pagewash.errors import PagewashError
from pagewash.isolation.document import IsolatedDocument
from pagewash.options import RunOptions, parse_pages
from pagewash.runs.planning import Job

SHARD_MEGAPIXELS = 1000.0
"""Most work in a shard of several documents, some 115 A4 pages at 300 dpi: what a worker that is
lost leaves to do again."""

SHARDS_EACH = 4
"""Shards for each worker where there is less to do: the last to finish has the others wait for a
quarter of its work at most."""

DOCUMENT_MEGAPIXELS = 0.5
"""Work that every document makes, however small: it is opened, hashed, written and recorded."""


def balanced_shards(
    jobs: Sequence[Job], megapixels: Sequence[float], at_once: int
) -> list[tuple[Job, ...]]:
    """Cut jobs into shards of about equal work; a large document is a shard of its own.

    Args:
        jobs: what to clean, in order; documents that lie together stay together.
        megapixels: of each job.
        at_once: shards that will be cleaned at the same time, at least 1.

    Returns:
        The shards, the one with most work first, so that it does not end alone.
    """
    work = [DOCUMENT_MEGAPIXELS + each for each in megapixels]
    share = min(SHARD_MEGAPIXELS, sum(work) / (at_once * SHARDS_EACH))
    # a job belongs where the middle of its work lies, when all work stands in one line
    places = [int((end - own / 2) / share) for own, end in zip(work, accumulate(work), strict=True)]
    numbered = groupby(range(len(jobs)), key=places.__getitem__)
    shards = [list(numbers) for _, numbers in numbered]
    shards.sort(key=lambda numbers: sum(work[number] for number in numbers), reverse=True)
    return [tuple(jobs[number] for number in numbers) for numbers in shards]


def megapixels_of(jobs: Sequence[Job], options: RunOptions) -> list[float]:
    """Millions of pixels that each job will have to clean.

    Args:
        jobs: their documents are opened, several at once.
        options: say which pages, and how many threads.

    Returns:
        One number for each job; 0.0 for a document that cannot be read, which its shard will tell.
    """
    wanted = parse_pages(options.pages)

    def measure(job: Job) -> float:
        try:
            with IsolatedDocument(job.source, options.limits) as document:
                return document.megapixels(wanted)
        except PagewashError:
            return 0.0

    with ThreadPoolExecutor(options.threads) as pool:
        return list(pool.map(measure, jobs))
