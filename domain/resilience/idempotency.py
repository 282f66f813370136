"""Asking twice with one key gives one answer: the book of idempotency keys.

A key belongs to a scope (tenant and API key) and to one body. While its request runs, a repeat is told so;
afterwards it gets the same answer for `ttl_s`. A request that failed leaves nothing and may be tried again.
Bounded by count and bytes: the oldest answers go first, running requests never.
"""

from collections import OrderedDict
from typing import NamedTuple

IDEMPOTENCY_TTL_S = 86_400.0
KEY_CHARS_MAX = 255


class Answer(NamedTuple):
    """What was sent, to be sent again."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Claimed(NamedTuple):
    """The caller is the first: it must `complete` or `release` the entry."""

    entry: tuple[str, str]


class InProgress(NamedTuple):
    """The first request with this key is still running."""


class OtherBody(NamedTuple):
    """The key was used for a different body."""


class _Entry:
    __slots__ = ("answer", "digest", "expires_at")

    def __init__(self, digest: bytes, expires_at: float) -> None:
        self.digest = digest
        self.expires_at = expires_at
        self.answer: Answer | None = None


class IdempotencyBook:
    """Per process. `size_bytes` counts the kept bodies."""

    def __init__(
        self,
        *,
        ttl_s: float = IDEMPOTENCY_TTL_S,
        entries_max: int = 100_000,
        bytes_max: int = 64 * 1024 * 1024,
    ) -> None:
        self._ttl_s = ttl_s
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self.size_bytes = 0

    def claim(
        self, scope: str, key: str, digest: bytes, *, now: float
    ) -> Claimed | Answer | InProgress | OtherBody:
        """The standing of a request with this key and the digest of its body."""
        name = (scope, key)
        entry = self._entries.get(name)
        if entry is not None and entry.answer is not None and now >= entry.expires_at:
            self._forget(name)
            entry = None
        if entry is None:
            self._entries[name] = _Entry(digest, now + self._ttl_s)
            self._make_room()
            return Claimed(name)
        if entry.digest != digest:
            return OtherBody()
        return entry.answer or InProgress()

    def complete(self, claimed: Claimed, answer: Answer, *, now: float) -> None:
        """Keeps the answer; one larger than an eighth of the book is not kept, and may be asked for again."""
        entry = self._entries.get(claimed.entry)
        if entry is None:
            return
        if len(answer.body) > self._bytes_max // 8:
            self._forget(claimed.entry)
            return
        entry.answer = answer
        entry.expires_at = now + self._ttl_s
        self.size_bytes += len(answer.body)
        self._make_room()

    def release(self, claimed: Claimed) -> None:
        """The request failed or its caller left. No-op after `complete`."""
        entry = self._entries.get(claimed.entry)
        if entry is not None and entry.answer is None:
            self._forget(claimed.entry)

    def _forget(self, name: tuple[str, str]) -> None:
        entry = self._entries.pop(name)
        if entry.answer is not None:
            self.size_bytes -= len(entry.answer.body)

    def _make_room(self) -> None:
        if len(self._entries) <= self._entries_max and self.size_bytes <= self._bytes_max:
            return
        for name in [name for name, entry in self._entries.items() if entry.answer is not None]:
            if len(self._entries) <= self._entries_max and self.size_bytes <= self._bytes_max:
                return
            self._forget(name)
