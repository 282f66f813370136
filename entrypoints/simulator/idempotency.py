"""Requests that carry an `Idempotency-Key`: carried out once, billed once, answered as often as asked.

A key belongs to an account (provider and API key) and to one body. While its first request is being worked
on, a repeat waits for the same answer; the work goes on when the caller leaves. Streams pay no heed to keys.
"""

import asyncio
from collections import OrderedDict
from hashlib import sha256
from typing import Generic, TypeVar

from entrypoints.simulator.conversation import Rejected

_KEPT_MAX = 200_000
HEADER = b"idempotency-key"

Answer = TypeVar("Answer")


class _Entry(Generic[Answer]):
    __slots__ = ("answer", "digest", "waiting")

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self.answer: Answer | None = None
        self.waiting: list[asyncio.Future[Answer]] = []


class KeyedAnswers(Generic[Answer]):
    """The newest keys with their answers. `repeats` counts requests that were answered without new work."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, str, str], _Entry[Answer]] = OrderedDict()
        self.repeats = 0

    def begin(
        self, account: tuple[str, str], key: str, body: bytes
    ) -> "Answer | asyncio.Future[Answer] | None":
        """The answer, or a future of it while it is worked on; None: the caller works, then calls `end`.

        Raises:
            Rejected: the key was used for another body.
        """
        digest = sha256(body).digest()
        name = (*account, key)
        entry = self._entries.get(name)
        if entry is None:
            self._entries[name] = _Entry(digest)
            if len(self._entries) > _KEPT_MAX:
                self._entries.popitem(last=False)
            return None
        if entry.digest != digest:
            raise Rejected(
                400, "Keys for idempotent requests can only be used for the same request.",
                kind="idempotency_error",
            )  # fmt: skip
        self.repeats += 1
        return entry.answer if entry.answer is not None else self.wait(account, key)

    def wait(self, account: tuple[str, str], key: str) -> "asyncio.Future[Answer]":
        """The answer of what was begun and is still worked on."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._entries[*account, key].waiting.append(future)
        return future

    def end(self, account: tuple[str, str], key: str, answer: Answer) -> None:
        """The work is done."""
        entry = self._entries.get((*account, key))
        if entry is None:
            return
        entry.answer = answer
        for future in entry.waiting:
            if not future.done():
                future.set_result(answer)
        entry.waiting.clear()

    def forget(self, account: tuple[str, str], key: str) -> None:
        """The work could not be done; a repeat is a first request again."""
        entry = self._entries.pop((*account, key), None)
        for future in entry.waiting if entry is not None else ():
            future.cancel()
