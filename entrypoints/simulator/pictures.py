"""What an image part shows of itself without a decoder: type, size in pixels where the header says, bytes."""

import base64
import binascii

TOKENS_PER_IMAGE = 85


def described(url: str) -> str:
    """A few words on an image given as data URL or by address."""
    if not url.startswith("data:"):
        return f"at {url[:60]}"
    head, _, data = url.partition(",")
    media_type = head[5:].partition(";")[0]
    return described_data(media_type, data)


def described_data(media_type: str, data: str) -> str:
    """A few words on base64 image data."""
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return f"unreadable {media_type}"
    size = _pixels(content)
    kind = media_type.removeprefix("image/")
    return f"{kind} {size[0]}x{size[1]}, {len(content)} bytes" if size else f"{kind}, {len(content)} bytes"


def _pixels(content: bytes) -> tuple[int, int] | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 10:
        return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")
    return None
