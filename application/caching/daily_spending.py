"""What calls beside requests cost each tenant's route today, and how much of that is allowed."""

from typing import Final

from application.ports.system import Clock
from domain.money import NANO_PER_USD

DAY_US: Final = 86_400 * 1_000_000
SUBJECTS_MAX: Final = 4096
"""(tenant, route) pairs whose spending is remembered; more of them may spend nothing that day."""


class DailySpending:
    """Of this process, since midnight UTC. One allowance for audits and judges together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._day = 0
        self._spent: dict[tuple[str, str], int] = {}

    def affords(self, tenant_id: str, route: str, usd_per_day: float) -> bool:
        """Whether anything is left of a day's allowance."""
        self._look_at_the_day()
        subject = tenant_id, route
        room = subject in self._spent or len(self._spent) < SUBJECTS_MAX
        return room and self._spent.get(subject, 0) < int(usd_per_day * NANO_PER_USD)

    def count(self, tenant_id: str, route: str, cost_nano_usd: int | None) -> None:
        """Adds a bill; what is not known counts nothing here, and is in the usage."""
        self._look_at_the_day()
        subject = tenant_id, route
        if subject in self._spent or len(self._spent) < SUBJECTS_MAX:
            self._spent[subject] = self._spent.get(subject, 0) + (cost_nano_usd or 0)

    def spent_nano_usd(self, tenant_id: str, route: str) -> int:
        """Today."""
        self._look_at_the_day()
        return self._spent.get((tenant_id, route), 0)

    def _look_at_the_day(self) -> None:
        today = int(self._clock.utc_now().timestamp() * 1e6) // DAY_US
        if today != self._day:
            self._day, self._spent = today, {}
