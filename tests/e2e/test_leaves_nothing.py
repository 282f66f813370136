"""A process may open and close servers as often as it likes, as the one of these tests does."""

import gc
import weakref
from pathlib import Path

import pytest

from entrypoints.garbage_collection import leave_out_of_collections
from entrypoints.http.app import Application
from entrypoints.main import build_application
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually


def opened_and_closed(folder: Path) -> "weakref.ref[Application]":
    with Stack(folder) as stack, stack.client() as client:
        assert client.get("/health/ready").status_code == 200
        return weakref.ref(stack.application)


def test_a_server_that_was_closed_is_freed_as_a_whole(tmp_path: Path) -> None:
    """A frozen generation would keep it for ever: 13 MB each, and gigabytes at the end of these tests."""
    frozen = gc.get_freeze_count()

    gone = opened_and_closed(tmp_path)

    def freed() -> bool:
        # Threads of the web server let go of it a moment after it ended.
        gc.collect()
        return gone() is None

    assert eventually(freed, within_s=10)
    assert gc.get_freeze_count() <= frozen


def test_a_process_that_only_serves_leaves_what_it_built_out_of_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(tmp_path / "data"))

    opening = vars(build_application())["_open_faces"]

    assert opening.keywords["built"] is leave_out_of_collections
