"""The budgets of a storm, and the provider's bill held against them at every charge."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from entrypoints.simulator.bill import Charge

NANO_USD_PER_USD = 10**9
TENANT = "default"


class Limit(NamedTuple):
    """One budget: what it tells spending apart by, and how much each subject may spend."""

    name: str
    by: tuple[str, ...]
    usd: Decimal
    hard: bool = True
    period: str = "total"
    provider: str = ""
    """Only what this provider charges."""

    @property
    def nano_usd(self) -> int:
        return int(self.usd * NANO_USD_PER_USD)

    def yaml(self) -> str:
        """Its line of a configuration."""
        scope = {"tenant": TENANT, **dict.fromkeys(self.by, '"*"')}
        if self.provider:
            scope["provider"] = self.provider
        parts = ", ".join(f"{name}: {value}" for name, value in scope.items())
        return (
            f"  - {{name: {self.name}, scope: {{{parts}}}, period: {self.period}, "
            f"limit_usd: {self.usd}, hard: {str(self.hard).lower()}, contact: storm@example.org}}\n"
        )


class Payer(NamedTuple):
    """On whose behalf one request is made. `number` is the request's own."""

    number: int
    key: str
    agent: str
    session: str
    workflow: str

    @property
    def text(self) -> str:
        """As a header."""
        return "|".join(map(str, self))


def payer_from(text: str) -> Payer:
    """The opposite of `Payer.text`."""
    number, *rest = text.split("|")
    return Payer(int(number), *rest)


class Overspent(NamedTuple):
    """A charge that took a budget beyond its limit."""

    budget: str
    subject: str
    billed_nano_usd: int
    limit_nano_usd: int


class BillWatch:
    """Follows a simulated provider's bill. `hours` is how many clock hours the storm has touched."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self.limits = {limit.name: limit for limit in limits}
        self.sums: dict[tuple[str, str], int] = defaultdict(int)
        self.worst: dict[str, float] = defaultdict(float)
        self.overspent: list[Overspent] = []
        self.told: dict[tuple[int, str], int] = defaultdict(int)
        self.cut: dict[tuple[int, str], int] = defaultdict(int)
        self.charges = 0
        self.unnamed = 0
        self.hours = 1

    def __call__(self, charge: Charge) -> None:
        """One more charge."""
        self.charges += 1
        if not charge.caller:
            self.unnamed += 1
            return
        payer = payer_from(charge.caller)
        (self.told if charge.told else self.cut)[payer.number, charge.provider] += charge.cost_nano_usd
        for limit in self.limits.values():
            if limit.provider and limit.provider != charge.provider:
                continue
            subject = "&".join(f"{name}={getattr(payer, name)}" for name in limit.by)
            self.sums[limit.name, subject] += charge.cost_nano_usd
            if limit.hard:
                self._judge(limit, subject)

    def _judge(self, limit: Limit, subject: str) -> None:
        billed = self.sums[limit.name, subject]
        allowed = limit.nano_usd * (1 if limit.period == "total" else self.hours)
        self.worst[limit.name] = max(self.worst[limit.name], billed / allowed)
        if billed > allowed:
            self.overspent.append(Overspent(limit.name, subject, billed, allowed))

    def change(self, limit: Limit) -> None:
        """A budget has another limit from now on."""
        self.limits[limit.name] = limit

    def billed(self) -> int:
        """Everything, nano-dollars."""
        return sum(self.told.values()) + sum(self.cut.values())


def limits_for(seconds: float) -> Sequence[Limit]:
    """The budgets of a storm of so many seconds: each is used up several times, except that of the tenant,
    which is lowered at the end to what is nearly spent, and then used up too."""
    return (
        Limit("all", (), Decimal(100_000)),
        Limit("wave", ("workflow",), Decimal(5)),
        Limit("each-key", ("key",), Decimal("2.6")),
        Limit("each-agent", ("agent",), Decimal("1.6")),
        Limit("each-session", ("session",), Decimal("0.7"), period="hour"),
        Limit("dear", (), Decimal(3) + Decimal(int(seconds)) / 20, provider="dear"),
        Limit("watched", (), Decimal(4), hard=False, period="day"),
        Limit("watched-agents", ("agent",), Decimal("0.2"), hard=False),
    )
