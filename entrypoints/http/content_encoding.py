"""Compressed request bodies: decoded within the same limit that plain ones have."""

import zlib
from collections.abc import Callable

import zstandard

from domain.errors import InvalidRequest, RequestTooLarge

ALLOWED = "gzip, deflate, zstd, identity"
MEMBERS_MAX = 64
"""Parts of one compressed body: millions of empty ones would take minutes."""
RATIO_MAX = 100
"""How many times its size a body may grow; text that repeats itself a lot stays below."""
_RATIO_FROM_BYTES = 256 * 1024
"""What a body may become however small it is."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS

Decoder = Callable[[bytes, int], bytes]
"""(compressed, limit in bytes) -> plain. Raises InvalidRequest, RequestTooLarge."""


def decoder_for(encoding: str) -> Decoder | None:
    """The decoder of a Content-Encoding; None where nothing is to be done.

    Raises:
        InvalidRequest: another encoding, or several at once.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip", "deflate"):
        return _inflated
    if name == "zstd":
        return _unzstd
    raise InvalidRequest(
        f"content-encoding {encoding!r} is not accepted; allowed: {ALLOWED}", param="content-encoding"
    )


def decoded_bytes_of(compressed_bytes: int) -> int:
    """What a compressed body may become at most: a few KiB must not claim what all requests share."""
    return max(_RATIO_FROM_BYTES, RATIO_MAX * compressed_bytes)


def too_large(size_bytes_max: int) -> RequestTooLarge:
    """The refusal of a body beyond the limit, plain or decoded."""
    return RequestTooLarge(f"the request body is over the limit of {size_bytes_max} bytes", param="body")


def _inflated(body: bytes, size_bytes_max: int) -> bytes:
    parts: list[bytes] = []
    left = size_bytes_max + 1
    members = 0
    try:
        while body:
            members += 1
            if members > MEMBERS_MAX:
                raise _broken()
            inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
            part = inflater.decompress(body, left)
            left -= len(part)
            if left <= 0:
                raise too_large(size_bytes_max)
            parts.append(part)
            if not inflater.eof:
                raise _broken()
            # A gzip body may consist of several members; finding each copies everything behind it.
            body = inflater.unused_data
    except zlib.error:
        raise _broken() from None
    return b"".join(parts)


def _unzstd(body: bytes, size_bytes_max: int) -> bytes:
    """A frame that is cut short shows as a body that ends too early, which its reader notices."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    try:
        with decompressor.stream_reader(body, read_across_frames=True) as reader:
            # Bounded by what is read, not by what a few bytes promise to become.
            plain: bytes = reader.read(size_bytes_max + 1)
    except zstandard.ZstdError:
        raise _broken() from None
    if len(plain) > size_bytes_max:
        raise too_large(size_bytes_max)
    return plain


_WINDOW_BYTES_MAX = 8 * 1024 * 1024
"""What RFC 8878 asks every decoder to accept; larger windows would cost memory before a byte is seen."""


def _broken() -> InvalidRequest:
    return InvalidRequest("the body is not what its content-encoding says", param="content-encoding")
