"""What instances tell each other about kept answers, under the seal of the answers themselves.

Vectors tell much of the questions they were made of, invalidations name beginnings of prompts, and whoever
could write a record could take answers out or teach wrong lessons. Kinds and sizes stay in clear, and whoever
may write to the store can still leave records out, or say them again.
"""

import os
from collections.abc import Sequence
from typing import Final

from application.ports.answer_store import CacheLog, LogPage, LogRecord
from application.ports.entry_seal import EntrySeal
from domain.caching.entry import Position

_FORM: Final = b"\x01"
_SALT_BYTES: Final = 16
_LABEL: Final = b"interchange cache log 1|"
_NOBODYS: Final = ""


class SealedCacheLog(CacheLog):
    """A record is `1 | salt (16 bytes) | sealed`, bound to its kind. One that does not open comes as empty
    data: readers take that for something they cannot read, and of an invalidation for the widest there is."""

    def __init__(self, log: CacheLog, seal: EntrySeal) -> None:
        self._log = log
        self._seal = seal

    async def append(self, records: Sequence[LogRecord]) -> Position:
        return await self._log.append([LogRecord(each.kind, self._sealed(each)) for each in records])

    async def read(self, after: Position, limit: int) -> LogPage:
        page = await self._log.read(after, limit)
        opened = [(number, LogRecord(each.kind, self._opened(each))) for number, each in page.records]
        return page._replace(records=opened)

    def _sealed(self, record: LogRecord) -> bytes:
        salt = os.urandom(_SALT_BYTES)
        return _FORM + salt + self._seal.seal(_NOBODYS, _place(record.kind, salt), record.data)

    def _opened(self, record: LogRecord) -> bytes:
        salt, sealed = record.data[1 : 1 + _SALT_BYTES], record.data[1 + _SALT_BYTES :]
        if record.data[:1] != _FORM or len(salt) != _SALT_BYTES:
            return b""
        return self._seal.open(_NOBODYS, _place(record.kind, salt), sealed) or b""


def _place(kind: str, salt: bytes) -> bytes:
    """Begins unlike any answer's key, which has no label in it."""
    return _LABEL + salt + kind.encode("utf-8", "surrogatepass")
