"""Token files that a platform renews: read anew for every use."""

import asyncio
from pathlib import Path
from typing import Final

from adapters.providers.token_requests import no_token

FILE_BYTES_MAX: Final = 256 * 1024
FILE_TIMEOUT_S: Final = 5.0


async def content_of_file(path: str) -> bytes:
    """At most `FILE_BYTES_MAX` bytes, read beside the loop: the file may lie on a network.

    Raises:
        UpstreamFailed: it cannot be read in time.
    """
    try:
        async with asyncio.timeout(FILE_TIMEOUT_S):
            return await asyncio.to_thread(_read, path)
    except (OSError, TimeoutError):
        raise no_token("the federated token file cannot be read") from None


async def token_of_file(path: str) -> str:
    """The file's whole content as one token. Raises UpstreamFailed."""
    return one_token(await content_of_file(path))


def one_token(content: bytes) -> str:
    """Text without line breaks. Raises UpstreamFailed."""
    token = content.decode("utf-8", "replace").strip()
    if not token or not token.isprintable():
        raise no_token("the federated token file holds no token")
    return token


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(FILE_BYTES_MAX)
