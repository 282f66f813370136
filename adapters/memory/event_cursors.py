"""How far events were passed on, in memory: for tests and simulations."""

from dataclasses import dataclass

from application.ports.event_cursors import Cursor, EventCursors
from domain.errors import StoreUnavailable


@dataclass(slots=True)
class _Kept:
    seq: int
    fence: int = 0
    holder: str = ""
    until_us: int = 0


class InMemoryEventCursors(EventCursors):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._kept: dict[str, _Kept] = {}

    async def take(self, name: str, holder: str, now_us: int, until_us: int, start_seq: int) -> Cursor | None:
        self._check()
        kept = self._kept.setdefault(name, _Kept(start_seq))
        if kept.holder != holder:
            if kept.until_us > now_us:
                return None
            kept.holder, kept.fence = holder, kept.fence + 1
        kept.until_us = until_us
        return Cursor(kept.seq, kept.fence)

    async def advance(self, name: str, fence: int, seq: int) -> bool:
        self._check()
        kept = self._kept.get(name)
        if kept is None or kept.fence != fence:
            return False
        kept.seq = max(seq, kept.seq)
        return True

    async def release(self, name: str, fence: int) -> None:
        self._check()
        kept = self._kept.get(name)
        if kept is not None and kept.fence == fence:
            kept.holder, kept.until_us = "", 0

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the cursors are not reachable", retry_after_s=1.0)
