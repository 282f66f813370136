"""What doctor says of drivers is what would happen, not what is installed."""

import sys
from pathlib import Path

import pytest

from adapters.databases.mssql_session import refusal
from entrypoints.cli.doctor_connectors import DRIVERS, installed, unloadable


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package with a folder of libraries."""
    libraries = tmp_path / "driver_with_libraries" / "libs"
    libraries.mkdir(parents=True)
    (libraries.parent / "__init__.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return libraries


def test_a_library_that_is_none_is_told_without_its_folder(package: Path) -> None:
    (package / "libdriver-1.so").write_bytes(b"nothing that loads")

    reason = unloadable("driver_with_libraries", "libdriver*")

    assert reason.startswith("libdriver-1.so: ")
    assert str(package) not in reason


def test_no_library_is_no_reason(package: Path) -> None:
    assert unloadable("driver_with_libraries", "libdriver*") == ""
    assert unloadable("no_such_driver_anywhere", "libdriver*") == ""


def test_what_is_not_installed_is_not_there() -> None:
    assert not installed("no_such_driver_anywhere.below")
    assert installed("sqlite3")
    assert len({driver.serves for driver in DRIVERS}) == len(DRIVERS)


def test_a_driver_that_does_not_load_is_not_a_server_that_is_away() -> None:
    error = RuntimeError()
    error.ddbc_error = "Failed to load the driver. Please read"  # type: ignore[attr-defined]

    assert "the driver of SQL Server does not load here" in refusal(error, "db:1433").message
