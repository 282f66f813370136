"""`idempotency-key` on the LLM routes: the header, the book, and answers sent again."""

import hashlib

from domain.errors import IdempotencyKeyReused, InvalidRequest, RequestInProgress
from domain.resilience.idempotency import (
    KEY_CHARS_MAX,
    Answer,
    Claimed,
    IdempotencyBook,
    InProgress,
    OtherBody,
)
from domain.tenancy.principal import Principal

HEADER = b"idempotency-key"
REPLAYED = (b"x-interchange-idempotent-replay", b"true")
RETRY_AFTER_S = 1.0


def claim(
    book: IdempotencyBook, principal: Principal, path: str, key: bytes, body: bytes, now: float
) -> Claimed | Answer:
    """The right to answer, or the answer that was given.

    Raises:
        InvalidRequest: an empty or over-long key.
        RequestInProgress: the first request with this key is still running.
        IdempotencyKeyReused: the key was used for another body or route.
    """
    text = key.decode("latin-1").strip()
    if not text or len(text) > KEY_CHARS_MAX or not text.isprintable():
        raise InvalidRequest(
            f"idempotency-key must be 1-{KEY_CHARS_MAX} printable characters", param="idempotency-key"
        )
    digest = hashlib.sha256(path.encode() + b"\0" + body).digest()
    standing = book.claim(f"{principal.tenant_id}/{principal.key_id}", text, digest, now=now)
    if isinstance(standing, InProgress):
        raise RequestInProgress(
            "a request with this idempotency-key is still running",
            param="idempotency-key",
            retry_after_s=RETRY_AFTER_S,
        )
    if isinstance(standing, OtherBody):
        raise IdempotencyKeyReused(
            "this idempotency-key was used for a different request; use a new one", param="idempotency-key"
        )
    return standing
