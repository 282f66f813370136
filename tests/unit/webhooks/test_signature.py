"""Signatures: what we make the official library accepts, what it makes we accept, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from domain.errors import InvalidRequest
from domain.vault.secret import SecretBytes
from domain.webhooks.signature import (
    KEY_BYTES_MAX,
    KEY_BYTES_MIN,
    TOLERANCE_S,
    BadSignature,
    secret_key,
    secret_text,
    sign,
    verify,
)

KEY = SecretBytes(bytes(range(32)))
OTHER = SecretBytes(bytes(range(1, 33)))
NOW_S = 1_772_368_215
keys = st.binary(min_size=KEY_BYTES_MIN, max_size=KEY_BYTES_MAX).map(SecretBytes)
ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)


def checked(signatures: str, body: bytes = b"{}", **said: str) -> None:
    asked: dict[str, Any] = {"message_id": "evt_1", "timestamp": str(NOW_S), **said}
    verify([KEY], signatures=signatures, body=body, now_s=NOW_S, **asked)


@given(key=keys, message_id=ids, body=st.text().map(str.encode))
@settings(max_examples=60)
def test_signatures_are_those_of_the_official_library(key: SecretBytes, message_id: str, body: bytes) -> None:
    theirs = Webhook(secret_text(key.reveal())).sign(
        message_id, datetime.fromtimestamp(NOW_S, UTC), body.decode()
    )
    ours = sign([key], message_id, NOW_S, body)

    assert ours == theirs
    verify(
        [OTHER, key],
        message_id=message_id,
        timestamp=str(NOW_S),
        signatures=theirs,
        body=body,
        now_s=NOW_S,
    )


@given(key=keys)
def test_a_secret_is_read_as_it_was_written(key: SecretBytes) -> None:
    text = secret_text(key.reveal())
    assert secret_key(text) == key
    assert secret_key(text.rstrip("=")) == key


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_abc", "abc", "whsec_" + "A" * 20, "whsec_" + "ö" * 40, "whsec_" + "A" * 100]
)
def test_what_is_no_secret_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        secret_key(text)
    assert len(text) <= len("whsec_") or text not in refused.value.message


def test_while_a_secret_is_replaced_both_sign() -> None:
    both = sign([KEY, OTHER], "evt_1", NOW_S, b"{}")
    checked(both)
    assert len(both.split(" ")) == 2


@given(body=st.binary(max_size=200), at=st.integers(0, 199))
@settings(max_examples=60)
def test_another_body_is_not_verified(body: bytes, at: int) -> None:
    signed = sign([KEY], "evt_1", NOW_S, body)
    changed = bytearray(body or b"x")
    changed[at % len(changed)] ^= 1
    with pytest.raises(BadSignature):
        checked(signed, bytes(changed))


def test_time_is_part_of_what_is_signed() -> None:
    signed = sign([KEY], "evt_1", NOW_S, b"{}")
    for timestamp in (str(NOW_S + 1), str(NOW_S - TOLERANCE_S - 1), str(NOW_S + TOLERANCE_S + 1)):
        with pytest.raises(BadSignature):
            checked(signed, timestamp=timestamp)


@pytest.mark.parametrize(
    "signatures",
    [
        "",
        "v1",
        "v1,",
        "v1,???",
        "v1,ö",
        "v1a,AAAA",
        "v2,AAAA",
        "no comma at all",
        "v1,AAAA v1",
        " ".join(["v1,AAAA"] * 17),
        "v1," + "A" * 5000,
    ],
)
def test_every_malformed_header_is_one_error(signatures: str) -> None:
    with pytest.raises(BadSignature):
        checked(signatures)


@pytest.mark.parametrize("timestamp", ["", "now", "1.5", "-1", "٣٣٣٣٣٣٣٣٣٣", "9" * 13, f" {NOW_S}"])
def test_every_malformed_time_is_the_same_error(timestamp: str) -> None:
    with pytest.raises(BadSignature):
        checked(sign([KEY], "evt_1", NOW_S, b"{}"), timestamp=timestamp)


@pytest.mark.parametrize("message_id", ["", "x" * 257])
def test_a_message_without_a_sensible_id_is_refused(message_id: str) -> None:
    with pytest.raises(BadSignature):
        checked(sign([KEY], message_id, NOW_S, b"{}"), message_id=message_id)
