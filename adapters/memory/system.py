"""Time and ids that a test moves by hand."""

from datetime import UTC, datetime, timedelta

from application.ports.system import Clock, IdFactory

START = datetime(2026, 1, 1, tzinfo=UTC)


class SteppingClock(Clock):
    """Stands still until told to `advance`. Both clocks move together."""

    def __init__(self, *, utc: datetime = START, monotonic_s: float = 1000.0) -> None:
        self._utc = utc
        self._monotonic_s = monotonic_s

    def monotonic(self) -> float:
        return self._monotonic_s

    def utc_now(self) -> datetime:
        return self._utc

    def advance(self, seconds: float) -> None:
        """Moves time on. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._monotonic_s += seconds
        self._utc += timedelta(seconds=seconds)


class CountingIds(IdFactory):
    """`req_000000000001`, `req_000000000002`, …: rising, and the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def next(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count:012d}"
