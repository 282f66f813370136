"""The `Link` header of RFC 8288, as far as pages need it."""

import re
from typing import Final

HEADER_CHARS_MAX: Final = 32 * 1024
_LINK: Final = re.compile(
    r"<([^<>]{1,8192})>((?:\s*;\s*[^\s=;,\"<>]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s;,\"<>]*))?)*)"
)
_RELATION: Final = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


def link_of(header: str | None, relation: str = "next") -> str | None:
    """Where the first link of a relation leads; None where there is none."""
    if header is None or len(header) > HEADER_CHARS_MAX:
        return None
    for target, parameters in _LINK.findall(header):
        for quoted, bare in _RELATION.findall(parameters):
            if relation in (quoted or bare).lower().split():
                return str(target)
    return None
