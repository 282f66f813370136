"""Marked reasoning of one family carried through callers who speak another.

Messages and Gemini's shape have one field for a vendor's mark (`signature`, `thoughtSignature`). What
another family wants back travels there as base64 text with a fixed beginning, so that it is told from the
vendor's own marks, unpacked when its maker answers again, and taken out before anybody else refuses it.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

import msgspec

from adapters.wire.pivot import Thought

SEAL: Final = b64encode(b"interchange-sealed").decode()
"""How every sealed mark begins. 18 bytes are 24 characters exactly, so what follows is base64 by itself."""
SEAL_BYTES: Final = SEAL.encode()

_THOUGHTS: Final = msgspec.json.Decoder(list[Thought])


def seal(thoughts: Sequence[Thought]) -> str:
    """The stretches as one opaque text."""
    return SEAL + b64encode(msgspec.json.encode(thoughts)).decode()


def unseal(mark: str) -> list[Thought] | None:
    """The stretches in a sealed mark; None for a vendor's own mark, and for one that was damaged.

    SDKs may have turned the text into the URL-safe alphabet; both are read.
    """
    if not mark.startswith(SEAL):
        return None
    packed = mark[len(SEAL) :].replace("-", "+").replace("_", "/")
    try:
        return _THOUGHTS.decode(b64decode(packed + "=" * (-len(packed) % 4)))
    except (ValueError, msgspec.DecodeError):
        return []
