"""Webhooks that others send us: was this message made by whoever shares the secret, and made now?

A rule per source. Whatever is wrong with a message, it is the same answer: nobody learns how far a forgery
got. Only of a genuine message is it said that it comes too late.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from domain.errors import InvalidRequest
from domain.vault.secret import SecretBytes
from domain.webhooks.signature import BadSignature, secret_key
from domain.webhooks.signature import verify as verify_standard

TOLERANCE_S: Final = 300.0
TOLERANCE_S_MAX: Final = 3600.0
UNDATED_KEPT_S: Final = 3 * 86_400.0
"""How long a message that says no time is known as seen."""
VALUE_LENGTH_MAX: Final = 4096
SIGNATURES_MAX: Final = 16
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9_.:/+=@~-]{1,256}", re.ASCII)
"""Id, time and body are signed as one text with dots between them: an id that could hold the begin of a body
would let a piece of a genuine message pass for another one."""
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Source(Enum):
    """Who sends, so how they sign."""

    STANDARD_WEBHOOKS = "standard_webhooks"
    STRIPE = "stripe"
    GITHUB = "github"
    SLACK = "slack"


class NotGenuine(ValueError):
    """Unsigned, signed by somebody else, changed on its way, or malformed: one answer for all."""


class Genuine(NamedTuple):
    """A message of whoever holds the secret. `sent_at_s` is UTC epoch seconds, None where the source signs no
    time; `message_id` is what the source calls it, empty where that is not signed. `fingerprint` is the same
    for the same message sent again byte by byte, and for no other."""

    message_id: str
    sent_at_s: int | None
    fingerprint: bytes

    def timely(self, now_s: float, tolerance_s: float = TOLERANCE_S) -> bool:
        """Whether it was sent within so many seconds of now, either way."""
        return self.sent_at_s is None or abs(now_s - self.sent_at_s) <= tolerance_s

    def known_until_s(self, now_s: float, tolerance_s: float = TOLERANCE_S) -> float:
        """Until when it has to be known as seen: after that it would be too late anyway."""
        return now_s + UNDATED_KEPT_S if self.sent_at_s is None else self.sent_at_s + tolerance_s + 1.0


def check_genuine(
    source: Source, secrets: Sequence[SecretBytes], headers: Mapping[str, str], body: bytes
) -> Genuine:
    """The message, if one of the secrets made it. Names of headers are in lower case.

    Every secret and every signature is compared, whichever agrees, each in constant time.

    Raises NotGenuine, InvalidRequest for a secret that is none (`whsec_…`).
    """
    if any(len(value) > VALUE_LENGTH_MAX for value in headers.values()):
        raise NotGenuine
    return _RULES[source](secrets, headers, body)


def _standard(secrets: Sequence[SecretBytes], headers: Mapping[str, str], body: bytes) -> Genuine:
    keys = [secret_key(_plain(secret)) for secret in secrets]
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise NotGenuine
    try:
        verify_standard(
            keys,
            message_id=message_id,
            timestamp=timestamp,
            signatures=headers.get("webhook-signature", ""),
            body=body,
            now_s=0.0,
            tolerance_s=float("inf"),
        )
    except BadSignature:
        raise NotGenuine from None
    return Genuine(message_id, int(timestamp), _fingerprint(message_id.encode(), timestamp.encode(), body))


def _stripe(secrets: Sequence[SecretBytes], headers: Mapping[str, str], body: bytes) -> Genuine:
    parts = [part.partition("=") for part in headers.get("stripe-signature", "").split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1:
        raise NotGenuine
    timestamp = _seconds(times[0])
    _compare(secrets, timestamp.encode() + b"." + body, given)
    return Genuine("", int(timestamp), _fingerprint(timestamp.encode(), body))


def _github(secrets: Sequence[SecretBytes], headers: Mapping[str, str], body: bytes) -> Genuine:
    version, _, given = headers.get("x-hub-signature-256", "").partition("=")
    _compare(secrets, body, [given] if version == "sha256" else [])
    return Genuine("", None, _fingerprint(body))


def _slack(secrets: Sequence[SecretBytes], headers: Mapping[str, str], body: bytes) -> Genuine:
    version, _, given = headers.get("x-slack-signature", "").partition("=")
    timestamp = _seconds(headers.get("x-slack-request-timestamp", ""))
    signed = b":".join((b"v0", timestamp.encode(), body))
    _compare(secrets, signed, [given] if version == "v0" else [])
    return Genuine("", int(timestamp), _fingerprint(timestamp.encode(), body))


def _seconds(text: str) -> str:
    if not _SECONDS.fullmatch(text):
        raise NotGenuine
    return text


def _compare(secrets: Sequence[SecretBytes], signed: bytes, given: Sequence[str]) -> None:
    """Hexadecimal HMAC-SHA256 of `signed` under one of the secrets is one of `given`."""
    if not 1 <= len(given) <= SIGNATURES_MAX or not all(_HEX.fullmatch(each) for each in given):
        raise NotGenuine
    agreed = False
    for secret in secrets:
        expected = hmac.new(secret.reveal(), signed, hashlib.sha256).hexdigest()
        for each in given:
            agreed |= hmac.compare_digest(expected, each)
    if not agreed:
        raise NotGenuine


def _plain(secret: SecretBytes) -> str:
    try:
        return secret.reveal().decode("ascii").strip()
    except UnicodeDecodeError:
        raise InvalidRequest(
            "a secret of Standard Webhooks begins with whsec_", param="credentials"
        ) from None


def _fingerprint(*parts: bytes) -> bytes:
    """Of what was signed alone: a header that was not says nothing about which message it is."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


_RULES: Final[Mapping[Source, Callable[[Sequence[SecretBytes], Mapping[str, str], bytes], Genuine]]] = {
    Source.STANDARD_WEBHOOKS: _standard,
    Source.STRIPE: _stripe,
    Source.GITHUB: _github,
    Source.SLACK: _slack,
}
