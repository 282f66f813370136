"""Comparing a provider's bill with what was recorded here, by day and model."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from domain.analytics.event import AttemptEvent

UNRESOLVED: Final = "unresolved"
"""`AttemptEvent.outcome` of what was sent and never answered."""
CALLER_PAYS: Final = "caller"
"""`AttemptEvent.billed_as` where a caller's own credential was used."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SNAPSHOT: Final = re.compile(r"[-@](?:20\d{2}-?[01]\d-?[0-3]\d|latest|\d{3,4})$")
"""What providers add to a model's name for one state of it: `-2024-08-06`, `@20250514`, `-latest`, `-001`."""
_ROUNDED_NANO_USD: Final = 10_000_000
"""Invoices are often rounded to cents, each line by itself."""


class Billed(NamedTuple):
    """One line of an invoice. `model` is empty where the invoice does not tell models apart."""

    day: str
    """UTC, `2026-01-31`."""
    model: str
    cost_nano_usd: int


class Recorded(NamedTuple):
    """What was recorded of one day and model. The three amounts are apart from each other."""

    day: str
    model: str
    attempts: int
    settled_nano_usd: int
    """Where the provider itself counted."""
    estimated_attempts: int
    estimated_nano_usd: int
    unresolved_attempts: int
    """Sent, and nobody knows whether they were billed."""
    unresolved_nano_usd: int
    unpriced_attempts: int

    @property
    def cost_nano_usd(self) -> int:
        return self.settled_nano_usd + self.estimated_nano_usd + self.unresolved_nano_usd


def recorded_of(attempts: Iterable[AttemptEvent]) -> list[Recorded]:
    """The attempts by UTC day and model, in that order, without those a caller is billed for."""
    days: dict[tuple[str, str], Recorded] = {}
    for attempt in attempts:
        if attempt.billed_as == CALLER_PAYS:
            continue
        day = f"{_EPOCH + timedelta(microseconds=attempt.started_at_us):%Y-%m-%d}"
        place = (day, attempt.model)
        days[place] = _added(days.get(place), _recorded(day, attempt))
    return [days[place] for place in sorted(days)]


def _recorded(day: str, attempt: AttemptEvent) -> Recorded:
    cost = attempt.cost_nano_usd or 0
    unresolved = attempt.outcome == UNRESOLVED
    estimated = attempt.estimated and not unresolved
    return Recorded(
        day,
        attempt.model,
        attempts=1,
        settled_nano_usd=0 if unresolved or estimated else cost,
        estimated_attempts=int(estimated),
        estimated_nano_usd=cost if estimated else 0,
        unresolved_attempts=int(unresolved),
        unresolved_nano_usd=cost if unresolved else 0,
        unpriced_attempts=int(attempt.cost_nano_usd is None),
    )


class Reason(Enum):
    """Why both sides may differ, with the words for people."""

    UNRESOLVED = "attempts whose end is not known are counted at what they may have cost"
    ESTIMATED = "the provider gave no count, so tokens were estimated"
    UNPRICED = "some attempts have no known price and are not counted"
    ELSEWHERE = "billed more than recorded: other keys of the account, calls that did not go through here"
    NOT_BILLED = "recorded but not billed: free credits, or the invoice is not complete yet"
    NEIGHBOUR_DAY = "the day before or after differs the other way: the invoice's days may not be UTC"
    ROUNDING = "no more than cents: the invoice is rounded"
    CREDIT = "the invoice takes money back: credits or corrections"
    PRICES = "both know the traffic, but not at the same price: look at discounts and the price table"


class Line(NamedTuple):
    """Both sides of one day and model. `billed_nano_usd` None: not on the invoice."""

    day: str
    model: str
    billed_nano_usd: int | None
    recorded: Recorded | None
    difference_nano_usd: int
    """Billed less recorded."""
    within: bool
    reasons: tuple[Reason, ...]


class Reconciliation(NamedTuple):
    lines: tuple[Line, ...]
    billed_nano_usd: int
    recorded_nano_usd: int
    within: bool
    """Whether the totals agree within the tolerance, and every line as well."""


class Tolerance(NamedTuple):
    """How far two amounts may lie apart: a share of the billed one in millionths, or an amount."""

    share_ppm: int = 10_000
    amount_nano_usd: int = 10_000_000

    def allows(self, billed_nano_usd: int, difference_nano_usd: int) -> bool:
        share = abs(billed_nano_usd) * self.share_ppm // 1_000_000
        return abs(difference_nano_usd) <= max(share, self.amount_nano_usd)


def reconcile(
    billed: Iterable[Billed],
    recorded: Iterable[Recorded],
    tolerance: Tolerance = Tolerance(),  # noqa: B008
) -> Reconciliation:
    """Every day and model of either side, in their order.

    An invoice without models is compared by day. A model that only one side names so is matched with the
    other side's name without its date, where that leaves no doubt.
    """
    billed, recorded = list(billed), list(recorded)
    if not any(line.model for line in billed):
        recorded = [row._replace(model="") for row in recorded]
    names = _common_names({line.model for line in billed}, {row.model for row in recorded})
    bills: dict[tuple[str, str], int] = {}
    for line in billed:
        place = (line.day, names.get(line.model, line.model))
        bills[place] = bills.get(place, 0) + line.cost_nano_usd
    rows: dict[tuple[str, str], Recorded] = {}
    for row in recorded:
        place = (row.day, names.get(row.model, row.model))
        rows[place] = _added(rows.get(place), row._replace(model=place[1]))
    places = sorted({*bills, *rows})
    differences = {at: bills.get(at, 0) - (rows[at].cost_nano_usd if at in rows else 0) for at in places}
    lines = tuple(_line(at, bills.get(at), rows.get(at), differences, tolerance) for at in places)
    total, known = sum(bills.values()), sum(row.cost_nano_usd for row in rows.values())
    within = all(line.within for line in lines) and tolerance.allows(total, total - known)
    return Reconciliation(lines, total, known, within)


def _line(
    place: tuple[str, str],
    billed: int | None,
    row: Recorded | None,
    differences: Mapping[tuple[str, str], int],
    tolerance: Tolerance,
) -> Line:
    difference = differences[place]
    within = tolerance.allows(billed or 0, difference)
    reasons = () if within else _reasons(place, billed, row, differences)
    return Line(*place, billed, row, difference, within, reasons)


def _reasons(
    place: tuple[str, str],
    billed: int | None,
    row: Recorded | None,
    differences: Mapping[tuple[str, str], int],
) -> tuple[Reason, ...]:
    difference = differences[place]
    found: list[Reason] = []
    if row is not None:
        # An unresolved attempt was counted at its worst: it explains a lower bill, and no higher one.
        if row.unresolved_attempts and difference < 0:
            found.append(Reason.UNRESOLVED)
        if row.estimated_attempts:
            found.append(Reason.ESTIMATED)
        if row.unpriced_attempts and difference > 0:
            found.append(Reason.UNPRICED)
    if _shifted(place, differences):
        found.append(Reason.NEIGHBOUR_DAY)
    if billed is None:
        found.append(Reason.NOT_BILLED)
    elif billed < 0:
        found.append(Reason.CREDIT)
    if abs(difference) <= _ROUNDED_NANO_USD:
        found.append(Reason.ROUNDING)
    elif not found:
        if difference > 0:
            found.append(Reason.ELSEWHERE)
        if row is not None:
            found.append(Reason.PRICES)
    return tuple(found)


def _shifted(place: tuple[str, str], differences: Mapping[tuple[str, str], int]) -> bool:
    """Whether a neighbouring day differs by about as much the other way."""
    day, model = place
    own = differences[place]
    days = sorted(other for other, name in differences if name == model)
    at = days.index(day)
    for neighbour in days[max(at - 1, 0) : at + 2]:
        other = differences[neighbour, model]
        if neighbour != day and own * other < 0 and abs(own + other) * 4 <= abs(own):
            return True
    return False


def _common_names(billed: set[str], recorded: set[str]) -> dict[str, str]:
    """One name for models that both sides call differently only in the state they name."""
    names: dict[str, str] = {}
    for one_side, other in ((billed, recorded), (recorded, billed)):
        for name in one_side - other:
            alone = [found for found in other - one_side if _family(found) == _family(name)]
            if len(alone) == 1 and sum(_family(found) == _family(name) for found in one_side) == 1:
                names[name] = _family(name)
    return names


def _family(model: str) -> str:
    return _SNAPSHOT.sub("", model)


def _added(one: Recorded | None, other: Recorded) -> Recorded:
    if one is None:
        return other
    return Recorded(other.day, other.model, *(a + b for a, b in zip(one[2:], other[2:], strict=True)))
