"""The pages of many documents through the network, as one stream in order.

Pages of several documents share batches; an error of one costs that one's document alone.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

from pagewash.pages import Page
from pagewash.runs.loading import Cleans
from pagewash.runs.open_document import Ended, RunPage

log = logging.getLogger(__name__)


def clean_stream(
    items: Iterator[RunPage | Ended], load: Callable[[], Cleans]
) -> Iterator[RunPage | Ended]:
    """Clean the pages of a stream; what else is in it keeps its place.

    The network is loaded when the first page comes: a run of nothing but broken files never
    needs it. Where it fails on pages that it took together, each is cleaned alone, so that only
    the document of the page that it cannot clean fails.
    """
    for item in items:
        if _needs_network(item):
            items = chain([item], items)
            del item  # or its pixels would stay until the end
            break
        yield item
    else:
        return
    cleaner = load()
    while True:
        waiting: deque[RunPage | Ended] = deque()
        try:
            yield from _together(items, waiting, cleaner)
            return
        except Exception:
            log.warning("the network failed on some pages; each of them is tried alone")
            log.debug("the failure", exc_info=True)
        yield from _alone(waiting, cleaner)


def _needs_network(item: RunPage | Ended) -> bool:
    return isinstance(item, RunPage) and isinstance(item.page, Page)


def _together(
    items: Iterator[RunPage | Ended], waiting: deque[RunPage | Ended], cleaner: Cleans
) -> Iterator[RunPage | Ended]:
    """Clean pages as the cleaner batches them; what has gone in and not come out is `waiting`."""

    def pages() -> Iterator[Page]:
        for item in items:
            if isinstance(item, Ended) or not isinstance(item.page, Page):
                waiting.append(item)
            elif item.opened.error is None:
                waiting.append(item)
                yield item.page

    def passing() -> Iterator[RunPage | Ended]:
        while waiting and not _needs_network(waiting[0]):
            yield waiting.popleft()

    for cleaned in cleaner.clean_pages(pages()):
        yield from passing()
        item = waiting.popleft()
        assert isinstance(item, RunPage)
        item.cleaned = cleaned
        yield item
    yield from passing()


def _alone(waiting: deque[RunPage | Ended], cleaner: Cleans) -> Iterator[RunPage | Ended]:
    """Clean pages one by one, and fail the documents of those that cannot be cleaned."""
    while waiting:
        item = waiting.popleft()
        if isinstance(item, RunPage) and isinstance(item.page, Page):
            try:
                (item.cleaned,) = cleaner.clean_pages([item.page])
            except Exception as error:
                item.opened.fail(error)
                continue
        yield item
