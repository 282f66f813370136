"""From recorded requests to decisions that can be weighed, and what is left out and why.

Left out is only what depends on the request and the moment, never on what was drawn: what remains is a fair
sample of the requests it is of.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final, NamedTuple

from domain.backtest.record import Chances, Decision, Record, band_of
from domain.experiments.experiment import Unit
from domain.routing.conversation import KEPT
from domain.routing.propensity import DRAWING

_SURE: Final = 1.0 - 1e-9


class LeftOut(Enum):
    """Why a request is in no estimate."""

    UNKNOWN = "unknown"
    """The chance was not recorded: an older row, too many targets, or an experiment that is gone."""
    UNDRAWN = "undrawn"
    """Nothing was drawn: the strategy was certain, or no other target could be used."""
    UNLINKED = "unlinked"
    """A conversation stayed where it was, and where that was drawn is not known: no session is named, or it
    began before the time."""
    PARTIAL = "partial"
    """Demands left some of the route's targets out, and which is not recorded."""
    OVERRIDDEN = "overridden"
    """The caller demanded a strategy."""


class ArmDraw(NamedTuple):
    """How a request came into its experiment's arm: by the chance `share`, together with its `unit`."""

    share: float
    unit: Unit


class Understanding(NamedTuple):
    """What the installation knows that records do not say."""

    chances: Callable[[Record], Chances]
    """The other policy's, where every target of the route can be used."""
    members: frozenset[str]
    """Ids of all targets that the other policy may choose."""
    candidates: Callable[[Record], int | None]
    """How many targets a request without demands has; None: nobody knows any more."""
    arm: Callable[[Record], ArmDraw | None]
    """Of a request in an experiment; None: it is gone, or no longer drawn at that time."""


class Reading(NamedTuple):
    """`fell_over`: of the decisions, those that another target than the first was tried for."""

    decisions: tuple[Decision, ...]
    left_out: Counter[LeftOut]
    drawn: int
    fell_over: int

    @property
    def requests(self) -> int:
        return len(self.decisions) + self.left_out.total()


def read(records: Iterable[Record], known: Understanding) -> Reading:
    """The decisions of these requests, in the order of time."""
    left_out: Counter[LeftOut] = Counter()
    last: dict[str, Decision] = {}
    decisions: list[Decision] = []
    for record in sorted(records, key=lambda each: (each.started_at_us, each.request_id)):
        found = _decision(record, known, last)
        if isinstance(found, LeftOut):
            left_out[found] += 1
            continue
        decisions.append(found)
        if record.session_id and not record.experiment:
            last[record.session_id] = found
    decisions = _shared_targets(decisions)
    drawn = sum(each.propensity < _SURE for each in decisions)
    fell_over = sum(each.record.fallbacks > 0 for each in decisions)
    return Reading(tuple(decisions), left_out, drawn, fell_over)


def _decision(record: Record, known: Understanding, last: dict[str, Decision]) -> Decision | LeftOut:
    chance = record.propensity
    if chance is None or not 0.0 < chance <= 1.0 + 1e-9:
        return LeftOut.UNKNOWN
    if "strategy=" in record.demands:
        return LeftOut.OVERRIDDEN
    unit = f"session\0{record.session_id}" if record.session_id else f"request\0{record.request_id}"
    if record.experiment:
        drawn = known.arm(record)
        if drawn is None:
            return LeftOut.UNKNOWN
        chance *= drawn.share
        unit = _unit(record, drawn.unit)
    elif record.candidates == 1:
        # Whoever chooses has to choose it, where it is one of theirs.
        policy = {record.first: 1.0} if record.first in known.members else {}
        return _made(record, unit, 1.0, policy)
    elif chance >= _SURE:
        if record.strategy not in DRAWING or record.affinity != KEPT:
            return LeftOut.UNDRAWN
        before = last.get(record.session_id) if record.session_id else None
        if before is None or before.target != record.first:
            return LeftOut.UNLINKED
        # It is here because that was drawn: it has the weight of that draw.
        return _made(record, unit, before.propensity, before.policy)
    if known.candidates(record) != record.candidates:
        return LeftOut.PARTIAL
    return _made(record, unit, chance, known.chances(record))


def _made(record: Record, unit: str, chance: float, policy: Chances) -> Decision:
    context = (record.task, band_of(record.request_bytes))
    return Decision(unit, record.first, min(1.0, chance), policy, context, record)


def _unit(record: Record, unit: Unit) -> str:
    if unit is Unit.USER:
        return f"user\0{record.user_id}"
    if unit is Unit.SESSION:
        return f"session\0{record.session_id}"
    return "tenant" if unit is Unit.TENANT else f"request\0{record.request_id}"


def _shared_targets(decisions: list[Decision]) -> list[Decision]:
    """Where several arms of an experiment lead to one target, the other policy's chance of it is shared out
    evenly among them: any sharing out is without bias, as long as the shares add up to 1."""
    arms: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in decisions:
        if each.record.experiment:
            arms[each.record.experiment, each.target].add(each.record.arm)
    if all(len(found) == 1 for found in arms.values()):
        return decisions
    return [
        each._replace(propensity=each.propensity * len(arms[each.record.experiment, each.target]))
        if each.record.experiment
        else each
        for each in decisions
    ]
