"""Percent-encoding as RFC 3986 has it: nothing but its unreserved characters stays as it is."""

from typing import Final

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENCODED: Final = tuple(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256))


def percent_encoded(text: str) -> str:
    """Safe as a whole path segment, a name or value of a query, or a form field.

    Raises UnicodeEncodeError for text with lone surrogates.
    """
    return "".join([_ENCODED[byte] for byte in text.encode()])


def pairs_encoded(pairs: "list[tuple[str, str]]") -> str:
    """`a=1&b=2`, for queries and forms."""
    return "&".join([f"{percent_encoded(name)}={percent_encoded(value)}" for name, value in pairs])
