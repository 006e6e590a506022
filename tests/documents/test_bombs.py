"""Small files that unfold to hours or gigabytes cost little, and themselves alone."""

import io
import re
import time
from pathlib import Path

import hostile
import pytest

from pagewash.documents import pdf_images, pdf_layout
from pagewash.documents.document import open_document
from pagewash.errors import InputError, PagewashError, TooLargeError
from pagewash.isolation import process
from pagewash.isolation.document import IsolatedDocument
from pagewash.pages import Page, ReadLimits, UntouchedPage


def pages_of(data: bytes) -> list[Page | UntouchedPage]:
    with open_document(io.BytesIO(data)) as document:
        return list(document.pages())


def test_forms_that_draw_forms_are_followed_so_far(monkeypatch):
    monkeypatch.setattr(pdf_layout, "_MOST_FORMS", 100)
    (page,) = pages_of(hostile.forms_in_forms(1 / 3))  # 10 + 100 + 1000 forms
    assert isinstance(page, UntouchedPage)
    assert page.damaged


def test_forms_in_forms_are_followed_where_they_are_few():
    (page,) = pages_of(hostile.forms_in_forms(1 / 9))
    assert isinstance(page, Page)


@pytest.mark.parametrize(
    ("make", "module", "limit"),
    [
        (hostile.content_stream, pdf_layout, "_MOST_CONTENT"),
        (hostile.icc_in_pdf, pdf_images, "_MOST_PROFILE"),
    ],
)
def test_a_stream_under_two_filters_is_counted_before_it_is_kept(monkeypatch, make, module, limit):
    data = make(0.0004)  # 1 MB
    assert len(data) < 100_000
    assert isinstance(pages_of(data)[0], Page)
    monkeypatch.setattr(module, limit, 500_000)
    assert isinstance(pages_of(data)[0], UntouchedPage)


def test_samples_of_16_bits_that_are_too_many_are_not_unfolded():
    (page,) = pages_of(hostile.samples_of_16_bits_in_pdf(0.001))  # 3 MB for 0.5 MB
    assert isinstance(page, UntouchedPage)


def test_what_the_library_unfolds_by_itself_is_stopped_by_the_memory_of_the_document(tmp_path):
    path = tmp_path / "objects.pdf"
    path.write_bytes(hostile.object_stream(0.1))  # 300 MB
    with pytest.raises(PagewashError, match=r"objects\.pdf"):
        IsolatedDocument(path, ReadLimits(max_document_gigabytes=0.25))
    process.end_all()


def test_pages_of_one_strip_are_counted_before_the_first(tmp_path):
    path = tmp_path / "pages.tif"
    path.write_bytes(hostile.tiff_of_many_pages(0.1))  # 8 megapixels
    limits = ReadLimits(max_document_mpixels=7)
    with IsolatedDocument(path, limits) as document, pytest.raises(TooLargeError, match="8 mega"):
        next(document.pages())


def test_a_tiff_whose_pages_go_in_a_circle_ends():
    assert len(pages_of(hostile.tiff_in_a_circle())) == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", hostile.BOMBS)
def test_every_bomb_at_its_full_size_costs_a_minute_and_its_memory_at_most(tmp_path, name):
    make, extension = hostile.BOMBS[name]
    path = tmp_path / f"{name}.{extension}"
    path.write_bytes(make(1.0))
    limits = ReadLimits(max_document_seconds=20)
    began, peak = time.monotonic(), 0.0
    try:
        with IsolatedDocument(path, limits) as document:
            for _, page in zip(range(10), document.pages(), strict=False):
                assert page is not None
            status = Path("/proc", str(document.worker_pid), "status")
            if status.exists():
                (found,) = re.findall(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))
                peak = int(found) / 1e6
    except InputError:
        pass
    assert time.monotonic() - began < 60
    assert peak < limits.max_document_gigabytes
    process.end_all()
