"""Experiments in memory: for tests and simulations; gone with the process."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from application.ports.experiments import (
    ROWS_MAX,
    ExperimentFigures,
    ExperimentStore,
    FiguresWanted,
    StoredExperiment,
)
from application.ports.outbox import OutboxEvent
from domain.analytics.event import RequestEvent
from domain.errors import Conflict, NoProviderAvailable, StoreUnavailable
from domain.experiments.experiment import Metric, Unit
from domain.experiments.judging import ArmFigures
from domain.experiments.sequences import Sums


class InMemoryExperimentStore(ExperimentStore):
    """Set `reachable` to False to take it away. What was told is in `events`."""

    def __init__(self) -> None:
        self.reachable = True
        self.events: list[OutboxEvent] = []
        self._experiments: dict[str, StoredExperiment] = {}
        self._generation = 0

    async def all(self) -> list[StoredExperiment]:
        self._check()
        return sorted(self._experiments.values())

    async def put(self, experiment: StoredExperiment, events: Sequence[OutboxEvent] = ()) -> bool:
        self._check()
        for other in self._experiments.values():
            same = (other.tenant_id, other.name) == (experiment.tenant_id, experiment.name)
            if same and other.experiment_id != experiment.experiment_id:
                raise Conflict(f"another experiment is called {experiment.name!r}", param="name")
        known = self._experiments.get(experiment.experiment_id)
        if (0 if known is None else known.revision) != experiment.revision:
            return False
        if known is not None and known.tenant_id != experiment.tenant_id:
            return False
        revised = experiment._replace(revision=experiment.revision + 1)
        self._experiments[experiment.experiment_id] = revised
        self.events.extend(events)
        self._generation += 1
        return True

    async def delete(self, tenant_id: str, experiment_id: str) -> bool:
        self._check()
        found = self._experiments.get(experiment_id)
        if found is None or found.tenant_id != tenant_id:
            return False
        del self._experiments[experiment_id]
        self._generation += 1
        return True

    async def generation(self) -> int:
        self._check()
        return self._generation

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store of experiments is not reachable")


class InMemoryExperimentFigures(ExperimentFigures):
    """Of events in memory; `scores` tells what was said of a request."""

    def __init__(
        self,
        events: Callable[[], Sequence[RequestEvent]],
        scores: Callable[[RequestEvent], Sequence[float]] = lambda _event: (),
    ) -> None:
        self.reachable = True
        self._events = events
        self._scores = scores

    async def figures(self, wanted: FiguresWanted) -> Mapping[str, ArmFigures]:
        if not self.reachable:
            raise StoreUnavailable("usage rows are not reachable")
        mine = sorted(
            (event for event in self._events() if _counts(event, wanted)),
            key=lambda event: (event.started_at_us, event.request_id),
        )
        units: dict[tuple[str, tuple[str, ...]], list[RequestEvent]] = defaultdict(list)
        for event in mine[:ROWS_MAX]:
            units[event.arm, _unit(event, wanted.unit)].append(event)
        means: dict[str, list[tuple[int, dict[Metric, float]]]] = defaultdict(list)
        for (arm, _), events in units.items():
            means[arm].append((len(events), self._means(events)))
        return {
            arm: ArmFigures(
                arm=arm,
                units=len(found),
                requests=sum(count for count, _ in found),
                sums={
                    metric: _sums([each[metric] for _, each in found if metric in each]) for metric in Metric
                },
            )
            for arm, found in means.items()
        }

    def _means(self, events: Sequence[RequestEvent]) -> dict[Metric, float]:
        scored = [fmean(scores) for event in events if (scores := self._scores(event))]
        values: dict[Metric, list[float]] = {
            Metric.COST: [each.cost_nano_usd for each in events if each.cost_nano_usd is not None],
            Metric.LATENCY: [each.duration_us for each in events if each.outcome == "ok"],
            Metric.QUALITY: scored,
            Metric.ERRORS: [float(each.outcome != "ok") for each in events],
        }
        return {metric: fmean(found) for metric, found in values.items() if found}


def _counts(event: RequestEvent, wanted: FiguresWanted) -> bool:
    nobody_could = event.outcome == "refused" and event.error_code == NoProviderAvailable.code
    return (
        event.experiment == wanted.experiment_id
        and wanted.tenant_id in (None, event.tenant_id)
        and (event.outcome in ("ok", "error", "cut") or nobody_could)
    )


def _unit(event: RequestEvent, unit: Unit) -> tuple[str, ...]:
    if unit is Unit.REQUEST:
        return (event.request_id,)
    named = {Unit.TENANT: "", Unit.USER: event.user_id, Unit.SESSION: event.session_id}[unit]
    return (event.tenant_id, named)


def _sums(values: Sequence[float]) -> Sums:
    return Sums(count=len(values), total=sum(values), squares=sum(each * each for each in values))
