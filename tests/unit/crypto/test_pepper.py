"""Where the pepper comes from."""

from pathlib import Path

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher, load_peppers, parse_peppers
from adapters.crypto.owner_key_file import PrivateOwnerKeyFile
from adapters.crypto.secret_file import write_secret_once
from domain.errors import InvalidRequest, StoreUnavailable
from domain.tenancy.key import format_key, parse_key


def test_the_pepper_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = load_peppers(tmp_path / "data", None)
    second = load_peppers(tmp_path / "data", None)

    assert first == second
    assert [len(pepper) for pepper in first.values()] == [32]
    assert (tmp_path / "data" / "pepper.key").stat().st_mode & 0o777 == 0o600


def test_the_environment_comes_first_and_may_hold_several_versions(tmp_path: Path) -> None:
    peppers = load_peppers(tmp_path, f"1:{'ab' * 32},2:{'cd' * 32}")

    assert peppers == {1: b"\xab" * 32, 2: b"\xcd" * 32}
    assert list(tmp_path.iterdir()) == []


def test_keys_of_an_older_pepper_still_match(tmp_path: Path) -> None:
    key = parse_key(format_key("live", "0" * 12, bytes(32)))
    assert key is not None
    old = PepperedKeyHasher({1: b"1" * 32}).hash(key)
    rotated = PepperedKeyHasher({1: b"1" * 32, 2: b"2" * 32})

    assert rotated.matches(key, old)
    assert rotated.hash(key).pepper_version == 2


@pytest.mark.parametrize(
    "text", ["secret", "1:xyz", f"1:{'ab' * 31}", f"1:{'ab' * 32},1:{'cd' * 32}", " , ", f"x:{'ab' * 32}"]
)
def test_a_malformed_pepper_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InvalidRequest, match="64 hexadecimal digits") as refused:
        parse_peppers(text, "INTERCHANGE_KEY_PEPPER")

    assert "ab" * 31 not in refused.value.message
    assert "xyz" not in refused.value.message


def test_a_hasher_needs_a_long_pepper() -> None:
    for peppers in ({}, {1: b"short"}):
        with pytest.raises(ValueError, match="32 bytes"):
            PepperedKeyHasher(peppers)


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreUnavailable):
        load_peppers(tmp_path / "file", None)
    with pytest.raises(StoreUnavailable):
        PrivateOwnerKeyFile(tmp_path / "file" / "admin.key").replace("x")


def test_who_comes_second_reads_what_the_first_wrote(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    assert write_secret_once(path, b"one") == b"one"
    assert write_secret_once(path, b"two") == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
