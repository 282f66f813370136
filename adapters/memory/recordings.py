"""Recorded prompts and answers in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from application.ports.recordings import Recording, Recordings
from domain.errors import StoreUnavailable
from domain.recording.policy import DAY_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InMemoryRecordings(Recordings):
    """For tests. `reachable = False` makes it unreachable."""

    def __init__(self) -> None:
        self.reachable = True
        self.rows: dict[tuple[str, str, str], Recording] = {}
        self._days: dict[tuple[str, int], int] = {}

    async def put(self, recordings: Sequence[Recording], *, tenant_day_bytes_max: int) -> int:
        self._check()
        refused = 0
        for each in recordings:
            of = each.tenant_id, each.recorded_at_us // DAY_US
            used = self._days.get(of, 0) + len(each.content or b"")
            if used > tenant_day_bytes_max:
                refused += 1
                continue
            self._days[of] = used
            self.rows[each.tenant_id, each.request_id, each.part] = each
        return refused

    async def of_request(self, tenant_id: str, request_id: str, *, now_us: int) -> list[Recording]:
        self._check()
        mine = [
            each
            for each in self.rows.values()
            if (each.tenant_id, each.request_id) == (tenant_id, request_id) and each.expires_at_us > now_us
        ]
        return sorted(mine, key=lambda each: each.part, reverse=True)

    async def purge(self, now: datetime) -> int:
        self._check()
        now_us = (now - _EPOCH) // timedelta(microseconds=1)
        over = [key for key, each in self.rows.items() if each.expires_at_us <= now_us]
        for key in over:
            del self.rows[key]
        return len(over)

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the recordings cannot be reached", retry_after_s=1.0)
