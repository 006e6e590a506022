"""Fuzzing of the readers, on request: coverage of our Python and of Pillow's guides what is tried.

    pip install atheris
    python tests/fuzzing/fuzz_readers.py CORPUS -max_total_time=1500 -timeout=60 -rss_limit_mb=4096

CORPUS is a folder; it gets the seeds, and keeps what reaches new code. Options are libFuzzer's. A
find is written to the folder where one stands, as `crash-…`, `timeout-…` or `oom-…`; once it is
mended, it belongs into `finds/`, where the tests try it again.
"""

import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

with atheris.instrument_imports(include=["pagewash.documents", "PIL"]):
    import harness


def one_input(data: bytes) -> None:
    """Try one file."""
    harness.check(data)


def main() -> None:
    """Put the seeds into the corpus, and begin."""
    corpus = next((Path(word) for word in sys.argv[1:] if not word.startswith("-")), None)
    if corpus is not None:
        corpus.mkdir(parents=True, exist_ok=True)
        for number, (kind, data) in enumerate(harness.seeds()):
            (corpus / f"seed-{number}.{kind}").write_bytes(data)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
