"""Signatures over requests with a shared key: what is signed, and how."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

ALGORITHMS: Final = ("sha256", "sha384", "sha512", "sha1")
PARTS: Final = frozenset({"method", "path", "query", "target", "host", "timestamp", "body", "body_sha256"})
"""`path` without its query, `target` with it; `body_sha256` in lower-case hex."""
_PIECE: Final = re.compile(r"\{([a-z0-9_]+)\}")


def check_signed_parts(template: str) -> None:
    """Raises ValueError for a part that there is not, and for a template that leaves the body out."""
    named = set(_PIECE.findall(template))
    if unknown := named - PARTS:
        raise ValueError(f"knows no {min(unknown)!r}; parts are {', '.join(sorted(PARTS))}")
    if not named:
        raise ValueError(f"names none of the parts {', '.join(sorted(PARTS))}")


def signed_bytes(template: str, parts: Mapping[str, str | bytes]) -> bytes:
    """What a signature is made over: the template with its parts put in, bytes as they are."""
    pieces = []
    end = 0
    for found in _PIECE.finditer(template):
        part = parts[found.group(1)]
        pieces.append(template[end : found.start()].encode())
        pieces.append(part if isinstance(part, bytes) else part.encode())
        end = found.end()
    pieces.append(template[end:].encode())
    return b"".join(pieces)


def signature(key: bytes, algorithm: str, signed: bytes, *, encoding: str) -> str:
    """`hex` in lower case, or `base64` with padding."""
    digest = hmac.new(key, signed, getattr(hashlib, algorithm)).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
