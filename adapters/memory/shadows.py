"""What was seen of shadows, in memory: for tests and simulations; gone with the process."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from application.ports.experiments import FiguresWanted
from application.ports.shadows import PAIRS_MAX, ShadowLog, ShadowPair
from domain.analytics.event import RequestEvent
from domain.errors import StoreUnavailable
from domain.experiments.experiment import Metric, Unit
from domain.experiments.judging import PAIRED, ArmFigures
from domain.experiments.likeness import LikenessSums
from domain.experiments.sequences import Paired, Sums

_Both = tuple[float, float]
"""The shadow's and control's."""


class InMemoryShadowLog(ShadowLog):
    """Set `reachable` to False to take it away. `events` are the requests that are in the usage."""

    def __init__(self, events: Callable[[], Sequence[RequestEvent]]) -> None:
        self.reachable = True
        self.pairs: dict[tuple[str, str, str, str], ShadowPair] = {}
        self._events = events

    async def note(self, pairs: Sequence[ShadowPair]) -> None:
        self._check()
        for pair in pairs:
            key = (pair.tenant_id, pair.experiment_id, pair.arm, pair.request_id)
            self.pairs.setdefault(key, pair)

    async def figures(self, wanted: FiguresWanted) -> Mapping[str, ArmFigures]:
        self._check()
        rows = {(event.tenant_id, event.request_id): event for event in self._events()}
        mine = [
            pair
            for pair in self.pairs.values()
            if pair.experiment_id == wanted.experiment_id
            and wanted.tenant_id in (None, pair.tenant_id)
            and (pair.tenant_id, pair.request_id) in rows
        ]
        mine.sort(key=lambda pair: (pair.at_us, pair.request_id, pair.arm))
        arms: dict[str, dict[tuple[str, ...], list[ShadowPair]]] = defaultdict(lambda: defaultdict(list))
        for pair in mine[:PAIRS_MAX]:
            unit = _unit(rows[pair.tenant_id, pair.request_id], wanted.unit)
            arms[pair.arm][unit].append(pair)
        return {arm: _figures(arm, list(units.values())) for arm, units in arms.items()}

    async def counted(self, experiments: Sequence[str], from_us: int) -> Mapping[tuple[str, str], int]:
        self._check()
        found: Counter[tuple[str, str]] = Counter()
        for pair in self.pairs.values():
            if pair.experiment_id in experiments and pair.at_us >= from_us:
                found[pair.experiment_id, pair.arm] += pair.counted_nano_usd
        return dict(found)

    async def purge(self, before_us: int) -> int:
        self._check()
        old = [key for key, pair in self.pairs.items() if pair.at_us < before_us]
        for key in old:
            del self.pairs[key]
        return len(old)

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("what was seen of shadows is not reachable")


def _figures(arm: str, units: list[list[ShadowPair]]) -> ArmFigures:
    pairs = {metric: _paired([each for unit in units if (each := _means(unit, metric))]) for metric in PAIRED}
    every = [pair for unit in units for pair in unit]
    compared = [pair for pair in every if pair.same_words is not None]
    return ArmFigures(
        arm=arm,
        units=len(units),
        requests=len(every),
        sums={metric: each.arm for metric, each in pairs.items()},
        pairs=pairs,
        likeness=LikenessSums(
            turns=sum(pair.same_turn is not None for pair in every),
            same_turn=sum(pair.same_turn is True for pair in every),
            compared=len(compared),
            same_words=sum(pair.same_words is True for pair in compared),
            words_in_common=sum(pair.words_in_common or 0.0 for pair in compared),
            control_chars=sum(pair.control_chars or 0 for pair in compared),
            shadow_chars=sum(pair.shadow_chars or 0 for pair in compared),
            control_findings=_counted(pair.control_findings for pair in every),
            shadow_findings=_counted(pair.shadow_findings for pair in every),
        ),
    )


def _counted(findings: Iterable[str]) -> Mapping[str, int]:
    names: Counter[str] = Counter()
    for each in findings:
        names.update(name for name in each.split(",") if name)
    return dict(names)


def _means(unit: Sequence[ShadowPair], metric: Metric) -> _Both | None:
    both = [each for pair in unit if (each := _values(pair, metric)) is not None]
    if not both:
        return None
    return fmean(shadow for shadow, _ in both), fmean(control for _, control in both)


def _values(pair: ShadowPair, metric: Metric) -> _Both | None:
    if metric is Metric.ERRORS:
        return float(not pair.shadow_ok), float(not pair.control_ok)
    shadow, control = pair.shadow_cost_nano_usd, pair.control_cost_nano_usd
    if metric is Metric.LATENCY:
        shadow, control = pair.shadow_us, pair.control_us
    return None if shadow is None or control is None else (float(shadow), float(control))


def _paired(both: Sequence[_Both]) -> Paired:
    def sums(values: Sequence[float]) -> Sums:
        return Sums(count=len(values), total=sum(values), squares=sum(each * each for each in values))

    return Paired(
        arm=sums([shadow for shadow, _ in both]),
        control=sums([control for _, control in both]),
        products=sum(shadow * control for shadow, control in both),
    )


def _unit(event: RequestEvent, unit: Unit) -> tuple[str, ...]:
    if unit is Unit.REQUEST:
        return (event.request_id,)
    named = {Unit.TENANT: "", Unit.USER: event.user_id, Unit.SESSION: event.session_id}[unit]
    return (event.tenant_id, named)
