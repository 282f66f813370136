"""The file of a backup: whole or not there, and believed only when every byte is what was written."""

import gzip
import io
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import pytest

from adapters.disk.backup_form import KEY_FILES, MANIFEST, Manifest
from adapters.disk.backup_reader import restore_backup
from adapters.disk.backup_writer import BackupSource, write_backup
from adapters.sql.online_copy import copy_database
from application.backups import BackupTold, KeyState
from domain.errors import Conflict, InvalidRequest, StoreUnavailable

MADE_AT = "2026-03-01T00:00:00+00:00"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with one of everything, and what no backup holds."""
    folder = tmp_path / "data"
    for name, content in {
        "journal/12-ab/00000001.seg": b"rows",
        "journal/12-ab/holds.board": b"board",
        "journal/12-ab/lock": b"",
        "journal/.new-13-cd/lock": b"",
        "batches/batch_1/records": b"records",
        "files/default/file_1": b"content",
        "cache.db": b"answers",
        "server.json": b"{}",
        "vault.manifest": b"pins",
        "pepper.key": b"pepper",
        "vault.keys": b"keys",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with closing(sqlite3.connect(folder / "interchange.db")) as database, database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE facts (fact TEXT)")
        database.execute("INSERT INTO facts VALUES ('kept')")
    return folder


def source(
    data_dir: Path, *, with_keys: bool = False, during: Callable[[], object] = lambda: None
) -> BackupSource:
    """`during` is what happens while the database is copied."""

    def copied(target: Path) -> None:
        copy_database(f"sqlite:///{data_dir / 'interchange.db'}", target)
        during()

    return BackupSource(
        data_dir=data_dir,
        database=copied,
        revision="0001",
        keys={name: data_dir / name for name in KEY_FILES},
        with_keys=with_keys,
    )


def written(target: Path, what: BackupSource) -> BackupTold:
    return write_backup(target, what, made_at=MADE_AT, version="1.2.3")


def restored(file: Path, into: Path) -> BackupTold:
    into.mkdir()
    return restore_backup(file, into, lambda _told: None)


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_restored_is_what_was_there_without_keys_and_what_may_be_lost(
    data_dir: Path, tmp_path: Path
) -> None:
    told = written(tmp_path / "b", source(data_dir))

    assert restored(tmp_path / "b", tmp_path / "new") == told
    found = below(tmp_path / "new")
    with closing(sqlite3.connect(tmp_path / "new" / "interchange.db")) as database:
        assert database.execute("SELECT fact FROM facts").fetchall() == [("kept",)]
    found.pop("interchange.db")
    assert found == {
        "journal/12-ab/00000001.seg": b"rows",
        "journal/12-ab/holds.board": b"board",
        "journal/12-ab/lock": b"",
        "batches/batch_1/records": b"records",
        "files/default/file_1": b"content",
        "vault.manifest": b"pins",
    }
    assert told.keys == {
        "vault.keys": KeyState.LEFT_OUT,
        "pepper.key": KeyState.LEFT_OUT,
        "audit.key": KeyState.NOT_THERE,
        "admin.key": KeyState.NOT_THERE,
    }


def test_keys_come_along_only_when_they_are_asked_for(data_dir: Path, tmp_path: Path) -> None:
    told = written(tmp_path / "b", source(data_dir, with_keys=True))
    restored(tmp_path / "b", tmp_path / "new")

    assert told.keys["vault.keys"] is KeyState.INCLUDED
    assert (tmp_path / "new" / "pepper.key").read_bytes() == b"pepper"
    assert (tmp_path / "new" / "pepper.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_boards_are_read_before_rows_and_rows_before_the_database(data_dir: Path, tmp_path: Path) -> None:
    written(tmp_path / "b", source(data_dir))

    with tarfile.open(tmp_path / "b") as tar:
        names = [name.removeprefix("data/") for name in tar.getnames()]
    order = ["journal/12-ab/holds.board", "journal/12-ab/00000001.seg", "interchange.db"]
    order += ["batches/batch_1/records", "files/default/file_1", MANIFEST]
    assert [name for name in names if name in order] == order


def test_a_batch_that_ends_and_a_file_that_is_made_meanwhile_are_in_it(
    data_dir: Path, tmp_path: Path
) -> None:
    def during() -> None:
        with (data_dir / "batches/batch_1/records").open("ab") as file:
            file.write(b" and the last")
        (data_dir / "batches/batch_1/records").unlink()
        (data_dir / "files/default/file_2").write_bytes(b"output")

    written(tmp_path / "b", source(data_dir, during=during))
    restored(tmp_path / "b", tmp_path / "new")

    found = below(tmp_path / "new")
    assert found["batches/batch_1/records"] == b"records and the last"
    assert found["files/default/file_2"] == b"output"


def test_a_backup_that_exists_is_not_overwritten(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"older")

    with pytest.raises(Conflict):
        written(tmp_path / "b", source(data_dir))
    with pytest.raises(Conflict):
        written(tmp_path / "c", source(data_dir, during=partial((tmp_path / "c").write_bytes, b"another's")))

    assert (tmp_path / "b").read_bytes() == b"older"
    assert (tmp_path / "c").read_bytes() == b"another's"


def test_of_a_damaged_database_no_backup_is_made(data_dir: Path, tmp_path: Path) -> None:
    (data_dir / "interchange.db").write_bytes(b"no database" * 1000)

    with pytest.raises(StoreUnavailable, match="cannot be copied"):
        written(tmp_path / "b", source(data_dir))

    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_a_backup_that_was_cut_off_or_changed_is_refused_and_leaves_nothing(
    data_dir: Path, tmp_path: Path, share: float
) -> None:
    written(tmp_path / "b", source(data_dir))
    whole = (tmp_path / "b").read_bytes()
    place = int(len(whole) * share)
    (tmp_path / "cut").write_bytes(whole[:place])
    (tmp_path / "changed").write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])

    for number, name in enumerate(("cut", "changed")):
        into = tmp_path / f"new{number}"
        with pytest.raises((InvalidRequest, StoreUnavailable)):
            restored(tmp_path / name, into)
        assert not any(into.iterdir())


def anew(file: Path, change: Callable[[tarfile.TarInfo, bytes], list[tuple[str, bytes]]]) -> None:
    """The same backup with other members, as somebody could write it."""
    with tarfile.open(file) as tar:
        members = [(each, tar.extractfile(each).read()) for each in tar]  # type: ignore[union-attr]
    with gzip.open(file, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for each, content in members:
            for name, text in change(each, content):
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text))


@pytest.mark.parametrize(
    "name", ["data/../../out", "/etc/out", "data/cron.d/out", "out", "data/journal/../../x"]
)
def test_a_member_that_leads_out_of_the_directory_is_refused(
    data_dir: Path, tmp_path: Path, name: str
) -> None:
    written(tmp_path / "b", source(data_dir))
    anew(
        tmp_path / "b",
        lambda each, content: (
            [(name, b"x"), (each.name, content)] if each.name == MANIFEST else [(each.name, content)]
        ),
    )

    with pytest.raises(InvalidRequest, match="which no backup does"):
        restored(tmp_path / "b", tmp_path / "new")
    assert not any((tmp_path / "new").iterdir())


def test_another_content_than_the_manifest_says_is_refused(data_dir: Path, tmp_path: Path) -> None:
    written(tmp_path / "b", source(data_dir))
    anew(
        tmp_path / "b",
        lambda each, content: [(each.name, b"rowz" if each.name.endswith(".seg") else content)],
    )

    with pytest.raises(InvalidRequest, match=r"damaged: journal/12-ab/00000001\.seg changed"):
        restored(tmp_path / "b", tmp_path / "new")


def test_a_form_of_a_later_version_is_refused_by_its_name(data_dir: Path, tmp_path: Path) -> None:
    def later(each: tarfile.TarInfo, content: bytes) -> list[tuple[str, bytes]]:
        if each.name != MANIFEST:
            return [(each.name, content)]
        manifest = msgspec.json.decode(content, type=Manifest)
        return [(each.name, msgspec.json.encode(msgspec.structs.replace(manifest, form=2)))]

    written(tmp_path / "b", source(data_dir))
    anew(tmp_path / "b", later)

    with pytest.raises(InvalidRequest, match=r"newer version \(1\.2\.3\)"):
        restored(tmp_path / "b", tmp_path / "new")
