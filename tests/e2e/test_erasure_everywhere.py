"""A user is forgotten by every instance on one PostgreSQL whose policies hold them, journals included."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.test_row_security import Walled
from tests.e2e.stack import Stack
from tests.e2e.test_erasure import ALICE, BOB, ERASABLE, SECRET, ask, erased, exported, settled

SHARED = {
    "INTERCHANGE_KEY_PEPPER": f"1:{'ab' * 32}",
    "INTERCHANGE_VAULT_KEYS": f"k1:{'cd' * 32}",
}


@pytest.fixture
def walled() -> Iterator[Walled]:
    world = Walled()
    yield world
    world.server.drop(world.name)


def found_in(directory: Path, text: str) -> list[str]:
    return [
        str(path)
        for path in directory.rglob("*")
        if path.is_file() and path.suffix != ".sock" and text.encode() in path.read_bytes()
    ]


def test_what_two_instances_knew_of_a_user_is_forgotten_by_both(walled: Walled, tmp_path: Path) -> None:
    environ = {"DATABASE_URL": walled.url, **SHARED}
    with Stack(tmp_path / "a", ERASABLE, environ=environ) as one:
        (tmp_path / "b").mkdir(mode=0o700)
        (tmp_path / "b" / "admin.key").write_text(one.key)
        with (
            Stack(tmp_path / "b", ERASABLE, environ=environ) as two,
            one.client() as here,
            two.client() as there,
        ):
            for client in (here, there):
                ask(client, ALICE, f"{ALICE} says {SECRET}")
            bobs = ask(there, BOB, "Bob stays.").headers["x-request-id"]
            settled(one)
            settled(two)
            assert found_in(tmp_path / "b" / "journal", "alice-7f3a91") != []
            records = exported(here, ALICE)
            assert sum(record["record"] == "recording" for record in records) == 4
            assert SECRET in json.dumps(records)

            report = erased(here, ALICE)

            assert report["counts"] == {"recording": 4, "request": 2}
            assert {record["record"] for record in exported(there, ALICE)} == {"user", "audit", "end"}
            for directory in (tmp_path / "a", tmp_path / "b"):
                assert found_in(directory, "alice-7f3a91") == []
            kept = here.get(f"/api/v1/requests/{bobs}/content")
            assert kept.status_code == 200, kept.text
            assert "Bob stays." in kept.json()["parts"][0]["content"]
