"""Over many pages a run takes no more memory, and holds no more open, than over some.

`pytest tests/flows/test_many_pages.py --many 10000` takes its time.
"""

import re
import time
from pathlib import Path

import pytest
from scans import write_scan

PROCESSES = Path("/proc")
SLACK = 50
"""MiB: what one page more in hand may take."""


@pytest.fixture
def many(pytestconfig: pytest.Config) -> int:
    """How many pages."""
    return pytestconfig.getoption("--many")


def memory_and_descriptors(process: int) -> tuple[float, int] | None:
    """MiB and how many; None once it has ended."""
    folder = PROCESSES / str(process)
    try:
        size = re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text())
        descriptors = len(list((folder / "fd").iterdir()))
    except OSError:
        return None
    return (int(size[1]) / 1024, descriptors) if size else None


@pytest.mark.timeout(7200)
@pytest.mark.skipif(not (PROCESSES / "self/fd").exists(), reason="needs Linux's /proc")
def test_memory_and_descriptors_stay_flat_over_many_pages(many, commands, tiny_model, tmp_path):
    source, out = tmp_path / "scans", tmp_path / "out"
    source.mkdir()
    for number in range(many):
        if number < 8:
            write_scan(source / f"{number}.png", seed=number)
        else:
            (source / f"{number}.png").hardlink_to(source / f"{number % 8}.png")
    run = commands.begin("clean", source, out, "--model", tiny_model, log=tmp_path / "log")
    seen: list[tuple[int, float, int]] = []
    while (taken := memory_and_descriptors(run)) is not None:
        seen.append((len(list(out.glob("*.png"))), *taken))
        time.sleep(0.02 + many / 2000)
    assert commands.wait(run) == 0
    assert len(list(out.glob("*.png"))) == many
    early = [taken for done, *taken in seen if 0.1 * many < done <= 0.5 * many]
    late = [taken for done, *taken in seen if done > 0.5 * many]
    assert early, seen
    assert late, seen
    (memory, descriptors), (memory_late, descriptors_late) = (
        [max(values) for values in zip(*part, strict=True)] for part in (early, late)
    )
    print(
        f"{many} pages: {memory:.0f} MiB and {descriptors} open, then {memory_late:.0f} MiB, "
        f"{descriptors_late}"
    )
    assert memory_late <= 1.1 * memory + SLACK
    assert descriptors_late <= descriptors + 8
