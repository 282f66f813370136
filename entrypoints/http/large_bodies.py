"""How many bytes of large request bodies may be in memory at once, over all requests."""

from domain.errors import Overloaded
from entrypoints.http.content_encoding import decoded_bytes_of

LARGE_FROM_BYTES = 64 * 1024
"""Smaller bodies are bounded well enough by the number of requests in flight."""
RETRY_AFTER_S = 1.0


class LargeBodies:
    """Room for `bytes_max` bytes. A body without a declared length takes as much as one body may have."""

    def __init__(self, bytes_max: int, body_bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._body_bytes_max = body_bytes_max
        self.held_bytes = 0

    def size_of(self, headers: dict[bytes, bytes]) -> int:
        """What a request is going to hold; 0 for a small body."""
        declared = headers.get(b"content-length")
        if declared is None:
            return self._body_bytes_max if b"transfer-encoding" in headers else 0
        size_bytes = int(declared) if declared.isdigit() and len(declared) < 19 else 0
        if b"content-encoding" in headers:
            # What comes out of it is bounded, not known.
            return min(self._body_bytes_max, decoded_bytes_of(size_bytes))
        return 0 if size_bytes < LARGE_FROM_BYTES else min(size_bytes, self._body_bytes_max)

    def take(self, size_bytes: int) -> None:
        """Raises Overloaded when there is no room now; a body of any allowed size fits into an empty room."""
        if self.held_bytes and self.held_bytes + size_bytes > self._bytes_max:
            raise Overloaded(
                f"large request bodies take {self.held_bytes} bytes of memory already, the limit for all "
                f"together is {self._bytes_max} (limits.max_large_body_bytes)",
                retry_after_s=RETRY_AFTER_S,
            )
        self.held_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """What `take` took."""
        self.held_bytes -= size_bytes
