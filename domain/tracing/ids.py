"""Ids of traces and spans, made of ids we have already: what was sent outward and what is recorded later are
the same without keeping either, and whoever knows a request id can tell its trace."""

import re
from hashlib import blake2b
from typing import Final

_OURS: Final = re.compile(r"req_[0-9a-f]{28}")
_PREFIX_CHARS: Final = 4
_MARK: Final = "1c7e"


def trace_id_of(request_id: str) -> str:
    """Of a request that belongs to no trace of its caller: 32 hex digits, those of its id where it has 28 of
    them. Their last 64 bits are random, which is what sampling needs (trace context, level 2)."""
    if _OURS.fullmatch(request_id) is not None:
        return _MARK + request_id[_PREFIX_CHARS:]
    return blake2b(request_id.encode(), digest_size=16, person=b"interchange-trac").hexdigest()


def span_id_of(name: str) -> str:
    """Of a request, an attempt (by `AttemptEvent.attempt_id`) or a step: 16 hex digits."""
    return blake2b(name.encode(), digest_size=8, person=b"interchange-span").hexdigest()
