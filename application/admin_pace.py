"""How often one credential may come to the routes of administration: counted in memory, by each process."""

from collections import OrderedDict
from typing import Final

from application.ports.system import Clock
from domain.errors import RateLimited
from domain.limits.bucket import Asked, Bucket, LimitRule, ask
from domain.limits.limit import Meter
from domain.limits.refusal import limited
from domain.limits.standing import LimitStanding
from domain.tenancy.principal import Principal

CREDENTIALS_MAX: Final = 20_000
"""Who came least recently is forgotten first, and begins anew."""
NAME: Final = "admin requests"
_PERIOD_NS: Final = 60_000_000_000


class AdminPace:
    """At most `burst + per_minute * w / 60 s` in every window of w seconds of each credential; the burst
    is one minute's. None: no limit. Belongs to one event loop."""

    def __init__(self, clock: Clock, per_minute: int | None) -> None:
        self._clock = clock
        self._per_minute = per_minute or 0
        unit_ns = -(-_PERIOD_NS // max(1, self._per_minute))
        self._rule = LimitRule(unit_ns, unit_ns * self._per_minute, 0)
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    def take(self, by: Principal) -> None:
        """Counts one request of this credential. Raises RateLimited."""
        if not self._per_minute:
            return
        who = (by.tenant_id, by.key_id)
        now_us = int(self._clock.monotonic() * 1e6)
        bucket, told = ask(self._buckets.get(who, Bucket()), self._rule, Asked(need=1), now_us)
        # Nothing is ever given back here, so how low it once stood need not be remembered.
        self._buckets[who] = bucket._replace(marks=())
        self._buckets.move_to_end(who)
        if len(self._buckets) > CREDENTIALS_MAX:
            self._buckets.popitem(last=False)
        if not told.granted:
            raise self._refusal(by, told.room, told.drained_in_us / 1e6, told.retry_in_us / 1e6)

    def _refusal(self, by: Principal, room: int, reset_s: float, wait_s: float) -> RateLimited:
        standing = LimitStanding(
            limit_id="",
            name=NAME,
            scope="key=*",
            subject=by.key_id,
            meter=Meter.REQUESTS,
            amount=self._per_minute,
            per="minute",
            calendar=False,
            remaining=room,
            reset_s=reset_s,
        )
        return limited(standing, wait_s, (standing,), int(self._clock.utc_now().timestamp() * 1e6))
