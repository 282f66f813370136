"""The machine's clocks. The only place that reads them."""

import time
from datetime import UTC, datetime

from application.ports.system import Clock


class SystemClock(Clock):
    # The clock's own function, without a Python frame around it: a request reads it about ten times.
    monotonic = staticmethod(time.monotonic)

    def utc_now(self) -> datetime:
        return datetime.now(UTC)

    def utc_us(self) -> int:
        return time.time_ns() // 1000
