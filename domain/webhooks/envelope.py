"""An event as its subscribers get it: `{id, type, timestamp, tenant_id, data}`."""

import hashlib
from typing import Final

BODY_BYTES_MAX: Final = 256 * 1024
"""Larger events are not sent by webhook."""
_ID_DIGITS: Final = 32


def event_id(key: str) -> str:
    """The published id of the event with this key of the outbox: the same wherever it is told."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"evt_{digest[:_ID_DIGITS]}"
