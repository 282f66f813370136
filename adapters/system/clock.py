"""The machine's clocks. The only place that reads them."""

import time
from datetime import UTC, datetime

from application.ports.system import Clock


class SystemClock(Clock):
    def monotonic(self) -> float:
        return time.monotonic()

    def utc_now(self) -> datetime:
        return datetime.now(UTC)
