"""Peppers that turn under servers that run."""

from pathlib import Path

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher, load_peppers, parse_peppers
from adapters.crypto.pepper_file import PepperFile
from domain.errors import Conflict, InvalidRequest
from domain.tenancy.key import parse_key


def opened(directory: Path, told: str | None = None) -> tuple[PepperedKeyHasher, PepperFile]:
    peppers = load_peppers(directory, told)
    hasher = PepperedKeyHasher(peppers)
    return hasher, PepperFile(directory, hasher, peppers)


def test_another_process_follows_and_both_check_each_others_hashes(tmp_path: Path) -> None:
    command, server = opened(tmp_path), opened(tmp_path)
    key = parse_key(server[0].new_key("live"))
    assert key is not None
    old = server[0].hash(key)

    assert command[1].turn() == 2
    new = command[0].hash(key)
    assert not server[0].matches(key, new)
    server[1].look()

    assert server[0].matches(key, new) and server[0].matches(key, old)
    assert server[1].hashing() == 2
    assert (tmp_path / "pepper.key").stat().st_mode & 0o777 == 0o600


def test_a_file_that_broke_changes_nothing(tmp_path: Path) -> None:
    hasher, file = opened(tmp_path)
    (tmp_path / "pepper.key").write_text("nonsense")
    file.look()
    assert hasher.versions == (1,)
    (tmp_path / "pepper.key").unlink()
    file.look()
    assert hasher.versions == (1,)


def test_the_pepper_that_hashes_is_not_dropped(tmp_path: Path) -> None:
    hasher, file = opened(tmp_path)
    with pytest.raises(Conflict):
        file.drop(1)
    file.turn()
    file.drop(1)
    assert hasher.versions == (2,)


def test_peppers_of_the_environment_are_turned_there(tmp_path: Path) -> None:
    hasher, file = opened(tmp_path, f"*1:{'ab' * 32},2:{'cd' * 32}")

    assert (hasher.newest, hasher.versions) == (1, (1, 2))
    for change in (file.turn, lambda: file.drop(2)):
        with pytest.raises(Conflict, match="INTERCHANGE_KEY_PEPPER"):
            change()
    file.look()
    assert hasher.newest == 1


def test_one_star_at_most() -> None:
    with pytest.raises(InvalidRequest, match="two peppers"):
        parse_peppers(f"*1:{'ab' * 32},*2:{'cd' * 32}", "here")
