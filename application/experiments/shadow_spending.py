"""What shadows cost today, and how much of that is allowed: one cap for all instances together.

This process knows its own calls at once, and those of others as far as they were written when it last asked.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from application.ports.system import Clock
from domain.experiments.experiment import Shadow
from domain.experiments.shadowing import affords, counted_nano_usd
from domain.money import NANO_PER_USD

DAY_US: Final = 86_400 * 1_000_000
SUBJECTS_MAX: Final = 10_000
Subject = tuple[str, str]
"""Id of an experiment, name of its shadow."""


class ShadowSpending:
    """Days begin at midnight UTC. Belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._day = 0
        self._written: dict[Subject, int] = {}
        self._noted: list[tuple[Subject, int]] = []
        self._noted_sums: Counter[Subject] = Counter()
        """Of `_noted`: requests ask, and must not pay for what waits while the store is away."""
        self._running: Counter[Subject] = Counter()
        self._alone: Counter[Subject] = Counter()
        self._dearest: dict[Subject, int] = {}

    @property
    def day_from_us(self) -> int:
        """When today began."""
        self._look_at_the_day()
        return self._day * DAY_US

    def affords(self, experiment_id: str, shadow: Shadow, like_nano_usd: int) -> bool:
        """Whether one more call fits under the day's cap. `like_nano_usd` is what the same request cost
        control."""
        self._look_at_the_day()
        subject = experiment_id, shadow.name
        expected = max(like_nano_usd, self._dearest.get(subject, 0))
        cap = int(shadow.usd_per_day * NANO_PER_USD)
        return affords(cap, self.counted(subject), self._running[subject], expected)

    def counted(self, subject: Subject) -> int:
        """Nano-dollars, today."""
        self._look_at_the_day()
        return self._written.get(subject, 0) + self._noted_sums[subject] + self._alone[subject]

    def began(self, subject: Subject) -> None:
        """A call runs; `ended` has to follow."""
        self._running[subject] += 1

    def counts(self, subject: Subject, bill: int | None, like_nano_usd: int, *, sent: bool) -> int:
        """What a call counts. `bill` in nano-dollars, None: nobody knows; `sent`: a provider was asked."""
        if not sent:
            return 0
        return counted_nano_usd(bill, max(like_nano_usd, self._dearest.get(subject, 0)))

    def ended(self, subject: Subject, bill: int | None, amount: int, *, written: bool) -> None:
        """A call is over and counts `amount`. `written`: it will be among those that instances tell each
        other of; else this process alone remembers it, for today."""
        self._look_at_the_day()
        self._running[subject] -= 1
        if not self._running[subject]:
            del self._running[subject]
        if len(self._dearest) >= SUBJECTS_MAX:
            self._dearest.clear()
        if bill:
            self._dearest[subject] = max(bill, self._dearest.get(subject, 0))
        if written:
            self._noted.append((subject, amount))
            self._noted_sums[subject] += amount
        elif amount:
            self._alone[subject] += amount

    def asking(self) -> int:
        """To be called before calls are written and others' are asked for; `told` gets what it returns."""
        return len(self._noted)

    def told(self, day_from_us: int, written: Mapping[Subject, int], mark: int) -> None:
        """Takes over what all instances have written since `day_from_us`. What was noted here before `mark`
        is in it; what is newer may be in it too, and then counts twice until the next time."""
        if day_from_us == self.day_from_us:
            self._written = dict(written)
            for subject, amount in self._noted[:mark]:
                self._noted_sums[subject] -= amount
            del self._noted[:mark]
            self._noted_sums = +self._noted_sums

    def _look_at_the_day(self) -> None:
        today = self._clock.utc_us() // DAY_US
        if today != self._day:
            self._day, self._written, self._noted = today, {}, []
            # A call dearer than the cap ends a shadow for its day, not for the life of this process.
            for sums in (self._noted_sums, self._alone, self._dearest):
                sums.clear()
