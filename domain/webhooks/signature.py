"""Signatures of webhooks as Standard Webhooks 1.0 defines them: what we send, and what is sent to us.

Signed is `id.timestamp.body`, the exact bytes, with HMAC-SHA256. A header holds several signatures separated
by spaces, each `version,base64`: while a secret is being replaced, one per secret. Versions other than `v1`
are for others to understand and passed over.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from domain.errors import InvalidRequest
from domain.vault.secret import SecretBytes

PREFIX: Final = "whsec_"
VERSION: Final = "v1"
KEY_BYTES: Final = 32
"""Of secrets made here."""
KEY_BYTES_MIN: Final = 24
KEY_BYTES_MAX: Final = 64
TOLERANCE_S: Final = 300
"""How far a timestamp may be from now, either way."""
SIGNATURES_MAX: Final = 16
"""In one header; more say nothing that fewer could not."""
_HEADER_LENGTH_MAX: Final = 4096
_ID_LENGTH_MAX: Final = 256
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/]{32,88}={0,2}", re.ASCII)


class BadSignature(ValueError):
    """A message that was not signed with one of these secrets, or not now. Says what is wrong with its form
    or time, and never how far a signature agreed."""


def secret_text(key: bytes) -> str:
    """A key as its receiver is given it. Raises InvalidRequest for one of a length nobody should use."""
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise InvalidRequest(f"a secret has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes", param="secret")
    return PREFIX + base64.b64encode(key).decode()


def secret_key(text: str) -> SecretBytes:
    """The key behind `whsec_…`. Raises InvalidRequest, which never shows it."""
    encoded = text.removeprefix(PREFIX)
    try:
        if not text.startswith(PREFIX) or not _ENCODED.fullmatch(encoded):
            raise ValueError
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise InvalidRequest(
            f"a secret is written as {PREFIX} and the base64 of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes",
            param="secret",
        )
    return SecretBytes(key)


def sign(keys: Sequence[SecretBytes], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature per key, in their order."""
    return " ".join(f"{VERSION},{_signature(key, message_id, str(timestamp_s), body)}" for key in keys)


def verify(
    keys: Sequence[SecretBytes],
    *,
    message_id: str,
    timestamp: str,
    signatures: str,
    body: bytes,
    now_s: float,
    tolerance_s: float = TOLERANCE_S,
) -> None:
    """Returns for a message that one of `keys` signed within `tolerance_s` of now.

    The texts are those of the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. Every key
    and every signature is compared, whichever agrees, each in constant time.

    Raises:
        BadSignature: for everything else, however it is malformed.
    """
    if not message_id or len(message_id) > _ID_LENGTH_MAX:
        raise BadSignature("webhook-id is missing or too long")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadSignature("webhook-timestamp is not seconds since 1970")
    if abs(now_s - int(timestamp)) > tolerance_s:
        raise BadSignature("webhook-timestamp is too far from now")
    given = _given(signatures)
    agreed = False
    for key in keys:
        expected = _digest(key, message_id, timestamp, body)
        for each in given:
            agreed |= hmac.compare_digest(expected, each)
    if not agreed:
        raise BadSignature("no signature agrees")


def _given(signatures: str) -> list[bytes]:
    if len(signatures) > _HEADER_LENGTH_MAX:
        raise BadSignature("webhook-signature is too long")
    found = []
    for part in signatures.split(" "):
        version, comma, encoded = part.partition(",")
        if not comma or version != VERSION:
            continue
        try:
            found.append(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            raise BadSignature("webhook-signature is not base64") from None
    if not found or len(found) > SIGNATURES_MAX:
        raise BadSignature(f"webhook-signature holds no {VERSION} signature, or too many")
    return found


def _signature(key: SecretBytes, message_id: str, timestamp: str, body: bytes) -> str:
    return base64.b64encode(_digest(key, message_id, timestamp, body)).decode()


def _digest(key: SecretBytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    signed = b".".join((message_id.encode("utf-8", "replace"), timestamp.encode(), body))
    return hmac.digest(key.reveal(), signed, hashlib.sha256)
