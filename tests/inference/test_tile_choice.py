"""The fastest size of tiles is kept for a machine, a model and a way to compute."""

import logging
from dataclasses import replace

import pytest

from pagewash.errors import AccessError
from pagewash.inference.tile_choice import Setting, keep_tile, kept_tile

SETTING = Setting("0123456789abcdef0123", "cpu", "int8", 2)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_nothing_is_kept_at_first():
    assert kept_tile(SETTING) is None


def test_what_is_kept_is_of_its_setting_alone():
    keep_tile(SETTING, 1536)
    keep_tile(replace(SETTING, threads=4), 3584)
    assert kept_tile(SETTING) == 1536
    assert kept_tile(replace(SETTING, threads=4)) == 3584
    assert kept_tile(replace(SETTING, precision="fp32")) is None


def test_machines_that_share_a_home_do_not_share_their_tiles(monkeypatch):
    keep_tile(SETTING, 1536)
    monkeypatch.setattr("platform.node", lambda: "another")
    assert kept_tile(SETTING) is None


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff"])
def test_an_illegible_file_is_told_of_and_written_anew(caplog, content):
    path = keep_tile(SETTING, 1536)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert kept_tile(SETTING) is None
    assert "pagewash bench" in caplog.text
    keep_tile(SETTING, 1024)
    assert kept_tile(SETTING) == 1024


def test_a_cache_that_cannot_be_written_is_reported(cache):
    (cache / "pagewash").write_text("in the way")
    with pytest.raises(AccessError, match="cannot be written"):
        keep_tile(SETTING, 1536)
