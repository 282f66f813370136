"""The text of keys, as properties."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.tenancy.key import (
    BASE62,
    KEY_ID_LENGTH,
    KEY_LENGTH_MAX,
    KeyRecord,
    format_key,
    key_id_from,
    parse_key,
)

ENVS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
KEY_IDS = st.text(BASE62, min_size=KEY_ID_LENGTH, max_size=KEY_ID_LENGTH)
SECRETS = st.binary(min_size=32, max_size=32)
KEYS = st.builds(format_key, ENVS, KEY_IDS, SECRETS)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(ENVS, KEY_IDS, SECRETS)
@settings(max_examples=60, deadline=None)
def test_a_key_is_parsed_into_what_it_was_made_of(env: str, key_id: str, secret: bytes) -> None:
    parsed = parse_key(format_key(env, key_id, secret))

    assert parsed is not None
    assert (parsed.env, parsed.key_id) == (env, key_id)


@given(SECRETS, SECRETS)
@settings(max_examples=60, deadline=None)
def test_different_secrets_make_different_keys(first: bytes, second: bytes) -> None:
    keys = {format_key("live", "0" * 12, secret) for secret in (first, second)}

    assert len(keys) == len({first, second})


@given(KEYS, st.data())
@settings(max_examples=200, deadline=None)
def test_any_change_of_one_character_is_noticed(key: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.sampled_from(BASE62 + "_-ä\n "))

    changed = key[:place] + other + key[place + 1 :]

    assert changed == key or parse_key(changed) is None


@given(KEYS, st.data())
@settings(max_examples=60, deadline=None)
def test_a_swap_of_neighbours_and_a_lost_or_doubled_character_are_noticed(
    key: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(key) - 2))
    swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
    shorter = key[:place] + key[place + 1 :]
    longer = key[:place] + key[place] + key[place:]

    assert swapped == key or parse_key(swapped) is None
    assert parse_key(shorter) is None
    assert parse_key(longer) is None


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_other_text_is_a_key(text: str) -> None:
    assert parse_key(text) is None


def test_the_longest_key_is_within_the_limit() -> None:
    key = format_key("a" * 12, "z" * 12, b"\xff" * 32)

    assert len(key) <= KEY_LENGTH_MAX
    assert parse_key(key) is not None
    assert parse_key(key + " " * KEY_LENGTH_MAX) is None


@pytest.mark.parametrize(
    ("env", "key_id", "secret"),
    [
        ("", "0" * 12, bytes(32)),
        ("Live", "0" * 12, bytes(32)),
        ("live", "0" * 11, bytes(32)),
        ("live", "0" * 11 + "_", bytes(32)),
        ("live", "0" * 12, bytes(31)),
    ],
)
def test_parts_of_another_shape_make_no_key(env: str, key_id: str, secret: bytes) -> None:
    with pytest.raises(ValueError, match=r"secret|env"):
        format_key(env, key_id, secret)


def test_a_parsed_key_does_not_show_its_secret() -> None:
    parsed = parse_key(format_key("live", "0" * 12, bytes(range(32))))

    assert parsed is not None
    assert parsed.secret not in repr(parsed)


def test_a_key_id_uses_every_draw() -> None:
    draws = iter(range(12))

    assert key_id_from(lambda _: next(draws)) == BASE62[:12]


def test_a_key_is_live_until_the_moment_it_expires_or_is_revoked() -> None:
    def record(expires_at: datetime | None = None, revoked_at: datetime | None = None) -> KeyRecord:
        return KeyRecord(
            key_id="0" * 12,
            tenant_id="t",
            name="n",
            role="agent",
            hash=b"",
            pepper_version=1,
            created_at=NOW,
            expires_at=expires_at,
            revoked_at=revoked_at,
        )

    assert record().live(NOW)
    assert record(expires_at=NOW + timedelta(microseconds=1)).live(NOW)
    assert not record(expires_at=NOW).live(NOW)
    assert not record(revoked_at=NOW).live(NOW)
