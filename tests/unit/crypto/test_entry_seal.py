"""Sealed entries open in their place, with their key, unchanged; or not at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.crypto.entry_seal import AesGcmEntrySeal
from application.ports.entry_seal import NoSeal
from domain.errors import InvalidRequest

KEY = b"k" * 32
OLD, NEW = b"1" * 32, b"2" * 32


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=40), st.binary(max_size=2_000))
def test_what_was_sealed_opens_and_cannot_be_read(tenant_id: str, key: bytes, plain: bytes) -> None:
    seal = AesGcmEntrySeal({"now": NEW})

    sealed = seal.seal(tenant_id, key, plain)

    assert seal.open(tenant_id, key, sealed) == plain
    assert len(plain) < 4 or plain not in sealed
    assert seal.seal(tenant_id, key, plain) != sealed


@settings(max_examples=150)
@given(st.data())
def test_a_changed_bit_or_a_missing_byte_does_not_open(data: st.DataObject) -> None:
    seal = AesGcmEntrySeal({"now": NEW})
    sealed = seal.seal("acme", KEY, b"the answer")
    place = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))

    assert seal.open("acme", KEY, bytes(flipped)) is None
    assert seal.open("acme", KEY, sealed[:place]) is None
    assert seal.open("acme", KEY, sealed + b"\x00") is None


@pytest.mark.parametrize("seal", [AesGcmEntrySeal({"now": NEW}), NoSeal()])
def test_an_entry_in_another_place_does_not_open(seal: AesGcmEntrySeal | NoSeal) -> None:
    sealed = seal.seal("acme", b"1" + KEY, b"the answer")

    assert seal.open("acme", b"2" + KEY, sealed) is None
    assert seal.open("other", b"1" + KEY, sealed) is None
    assert seal.open("acme1", KEY, sealed) is None


def test_the_first_key_seals_and_older_ones_still_open() -> None:
    before = AesGcmEntrySeal({"old": OLD}).seal("acme", KEY, b"before")
    turned = AesGcmEntrySeal({"new": NEW, "old": OLD})
    after = turned.seal("acme", KEY, b"after")

    assert turned.open("acme", KEY, before) == b"before"
    assert AesGcmEntrySeal({"new": NEW}).open("acme", KEY, after) == b"after"
    assert AesGcmEntrySeal({"new": NEW}).open("acme", KEY, before) is None
    assert AesGcmEntrySeal({"old": NEW}).open("acme", KEY, before) is None


@pytest.mark.parametrize("keys", [{}, {"short": b"1" * 31}, {"": NEW}, {"x" * 256: NEW}])
def test_keys_that_are_none_are_refused(keys: dict[str, bytes]) -> None:
    with pytest.raises(InvalidRequest):
        AesGcmEntrySeal(keys)
