"""Pages as they are, for tests of what comes after."""

import pytest

from pagewash.training import wearing


@pytest.fixture
def unharmed(monkeypatch):
    """Pages stay as they are in the corpus."""
    monkeypatch.setattr(wearing, "WORN", 0)
    monkeypatch.setattr(wearing, "FRAMED", 0)
