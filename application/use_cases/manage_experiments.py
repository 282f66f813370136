"""Making, starting, ending and promoting experiments. What the file declares is the file's.

An experiment belongs to the tenant whose key made it, and concerns its requests alone; one over all tenants
is for those who manage tenants. Who may see it sees its results, made from usage rows whenever they are asked
for (at most once in `RESULTS_KEPT_S`).
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from application.events.writing import epoch_us
from application.experiments.stored import read_standing, stored_of
from application.experiments.telling import experiment_promoted, experiment_stopped
from application.ports.experiments import ExperimentFigures, ExperimentStore, FiguresWanted
from application.ports.outbox import OutboxEvent
from application.ports.system import Clock, IdFactory
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, OwnedByFile, StoreUnavailable
from domain.experiments.experiment import Experiment, ExperimentTerms, Status, make_experiment, terms_of
from domain.experiments.judging import ArmFigures, Report, judged
from domain.experiments.standing import Standing, overlap
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

EXPERIMENTS_PER_TENANT_MAX: Final = 200
RESULTS_KEPT_S: Final = 2.0
RESULTS_KEPT_MAX: Final = 200
READ: Final = "experiments.read"
WRITE: Final = "experiments.write"
_EVERYONE: Final = "tenants.manage"
_INSTALLATION: Final = "config.read"


class ExperimentKeeping(NamedTuple):
    """What the running configuration knows that experiments depend on."""

    declared: Callable[[], Sequence[Standing]]
    """Those of the file, as they stand."""
    declared_in: Callable[[str], str | None]
    """Where the file declares the experiment of that name, such as `interchange.yaml:12`."""
    routes: Callable[[], Collection[str]]
    """Names of routes that arms may have."""
    promote: Callable[[Principal, str, str], Awaitable[None]]
    """(by, route, arm's route): gives the route the policy of the arm's. Raises OwnedByFile, which says what
    to change in the file, Forbidden, InvalidRequest, StoreUnavailable."""
    changed: Callable[[], Awaitable[None]]
    """Told after a change, so that this instance follows at once; the others do within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """How an experiment stands and what it shows. `declared_in` is where the file declares it; None: it was
    made through the API."""

    standing: Standing
    figures: Mapping[str, ArmFigures]
    report: Report
    declared_in: str | None = None
    missing_routes: tuple[str, ...] = ()
    """Routes of arms that there are no more: nobody takes part until they are back."""


class ManageExperiments:
    """Every change is in force on this instance when it returns, and within a second on all."""

    def __init__(
        self,
        store: ExperimentStore,
        figures: ExperimentFigures,
        clock: Clock,
        ids: IdFactory,
        keeping: ExperimentKeeping,
    ) -> None:
        self._store = store
        self._figures = figures
        self._clock = clock
        self._ids = ids
        self._keeping = keeping
        self._kept: dict[tuple[str, int], tuple[float, Mapping[str, ArmFigures]]] = {}

    async def all(self, by: Principal) -> list[Standing]:
        """Those of the file first, then the newest first. Raises Forbidden, StoreUnavailable."""
        check_tenant(by, by.tenant_id, READ)
        mine = [each for each in await self._stored() if _may_see(by, each)]
        mine.sort(key=lambda each: (-(each.created_at_us or 0), each.experiment.experiment_id))
        return [*(each for each in self._keeping.declared() if _may_see(by, each)), *mine]

    async def one(self, by: Principal, experiment_id: str) -> Results:
        """With what it shows. Raises NotFound (also for another tenant's), Forbidden, StoreUnavailable."""
        check_tenant(by, by.tenant_id, READ)
        return await self._results(await self._visible(by, experiment_id))

    def declared_in(self, standing: Standing) -> str | None:
        """Where the file declares it; None: it does not."""
        experiment = standing.experiment
        return self._keeping.declared_in(experiment.name) if experiment.declared else None

    async def create(self, by: Principal, terms: ExperimentTerms) -> Standing:
        """A draft: nothing happens before `start`.

        Raises InvalidRequest (names the field), Forbidden, Conflict (name taken, too many), OwnedByFile,
        StoreUnavailable.
        """
        check_tenant(by, by.tenant_id, WRITE)
        if terms.everyone and not by.may(_EVERYONE):
            raise Forbidden(f"everyone: experiments over all tenants need {_EVERYONE}", param="everyone")
        experiment = make_experiment(terms, experiment_id=self._ids.next("exp"), owner=by.tenant_id)
        self._check_routes(experiment)
        every = await self._stored()
        if sum(each.experiment.owner == by.tenant_id for each in every) >= EXPERIMENTS_PER_TENANT_MAX:
            raise Conflict(
                f"this tenant has {EXPERIMENTS_PER_TENANT_MAX} experiments; delete one that is over"
            )
        for declared in self._keeping.declared():
            if declared.experiment.name == terms.name and declared.experiment.owner == by.tenant_id:
                raise self._owned(declared)
        standing = Standing(
            experiment=experiment, status=Status.DRAFT, created_at_us=self._now_us(), revision=0
        )
        return await self._write(standing)

    async def start(self, by: Principal, experiment_id: str) -> Standing:
        """Requests take part from now on. One that was stopped goes on, with the same units in the same arms.

        Raises Conflict where another one runs on the route or it was promoted, InvalidRequest for a route
        that is gone, NotFound, Forbidden, OwnedByFile, StoreUnavailable.
        """
        standing = await self._changeable(by, experiment_id)
        if standing.running:
            return standing
        if standing.status is Status.PROMOTED:
            raise Conflict("the experiment is over: an arm was promoted. Make another one")
        self._check_routes(standing.experiment)
        for other in (*self._keeping.declared(), *await self._stored()):
            if other.running and overlap(standing, other):
                raise _in_the_way(other, seen=_may_see(by, other))
        began = standing.started_at_us if standing.started_at_us is not None else self._now_us()
        return await self._write(
            replace(standing, status=Status.RUNNING, started_at_us=began, ended_at_us=None)
        )

    async def stop(self, by: Principal, experiment_id: str) -> Standing:
        """The route answers as it says itself from now on; results stay. Raises Conflict where it does not
        run, NotFound, Forbidden, OwnedByFile, StoreUnavailable."""
        standing = await self._changeable(by, experiment_id)
        if not standing.running:
            raise Conflict(f"the experiment does not run: it is {standing.status.value}")
        now_us = self._now_us()
        ended = replace(standing, status=Status.STOPPED, ended_at_us=now_us)
        return await self._write(ended, experiment_stopped(ended, by.key_id, now_us))

    async def promote(self, by: Principal, experiment_id: str, arm: str) -> Standing:
        """Gives the route the policy of the arm's route, and ends the experiment.

        Raises OwnedByFile, which says what to change there, where the file declares the experiment or the
        route; nothing changes then. Conflict for a draft or one that is over, InvalidRequest for an arm there
        is not, NotFound, Forbidden, StoreUnavailable.
        """
        standing = await self._changeable(by, experiment_id)
        if standing.status not in (Status.RUNNING, Status.STOPPED):
            raise Conflict(f"the experiment is {standing.status.value}: there is nothing to promote")
        experiment = standing.experiment
        chosen = experiment.arm(arm)
        if chosen.route != experiment.route:
            await self._keeping.promote(by, experiment.route, chosen.route)
        now_us = self._now_us()
        done = replace(standing, status=Status.PROMOTED, ended_at_us=now_us, promoted=chosen.name)
        return await self._write(done, experiment_promoted(done, chosen.name, by.key_id, now_us))

    async def remove(self, by: Principal, experiment_id: str) -> Standing:
        """Its last state. Raises Conflict while it runs, NotFound, Forbidden, OwnedByFile, and
        StoreUnavailable."""
        standing = await self._changeable(by, experiment_id)
        if standing.running:
            raise Conflict("the experiment runs; stop it first")
        if not await self._store.delete(standing.experiment.owner, experiment_id):
            raise _unknown(experiment_id)
        await self._tell()
        return standing

    async def _results(self, standing: Standing) -> Results:
        figures = await self._figures_of(standing)
        routes, arms = self._keeping.routes(), terms_of(standing.experiment).arms
        return Results(
            standing=standing,
            figures=figures,
            report=judged(standing.experiment, figures, frozenset(standing.stopped)),
            declared_in=self.declared_in(standing),
            missing_routes=tuple(dict.fromkeys(arm.route for arm in arms if arm.route not in routes)),
        )

    async def _figures_of(self, standing: Standing) -> Mapping[str, ArmFigures]:
        experiment, now = standing.experiment, self._clock.monotonic()
        place = (experiment.experiment_id, standing.revision)
        known = self._kept.get(place)
        if known is not None and now - known[0] < RESULTS_KEPT_S:
            return known[1]
        tenant_id = None if experiment.everyone else experiment.owner
        wanted = FiguresWanted(experiment.experiment_id, experiment.unit, tenant_id)
        figures = await self._figures.figures(wanted)
        if len(self._kept) >= RESULTS_KEPT_MAX:
            self._kept.clear()
        self._kept[place] = (now, figures)
        return figures

    async def _visible(self, by: Principal, experiment_id: str) -> Standing:
        for standing in (*self._keeping.declared(), *await self._stored()):
            if standing.experiment.experiment_id == experiment_id and _may_see(by, standing):
                return standing
        raise _unknown(experiment_id)

    async def _changeable(self, by: Principal, experiment_id: str) -> Standing:
        check_tenant(by, by.tenant_id, WRITE)
        standing = await self._visible(by, experiment_id)
        if standing.experiment.declared:
            raise self._owned(standing)
        if standing.experiment.everyone and not by.may(_EVERYONE):
            raise Forbidden(f"experiments over all tenants are changed by those who may {_EVERYONE}")
        check_tenant(by, standing.experiment.owner, WRITE)
        return standing

    async def _stored(self) -> list[Standing]:
        found: list[Standing] = []
        for row in await self._store.all():
            if row.body:
                # What cannot be read is told by whoever follows.
                with suppress(InvalidRequest):
                    found.append(read_standing(row))
        return found

    async def _write(self, standing: Standing, *events: OutboxEvent) -> Standing:
        written = replace(standing, updated_at_us=self._now_us())
        if not await self._store.put(stored_of(written), events):
            raise Conflict("the experiment was changed by somebody else meanwhile; look at it and try again")
        await self._tell()
        return replace(written, revision=written.revision + 1)

    def _check_routes(self, experiment: Experiment) -> None:
        routes = self._keeping.routes()
        named = [("route", experiment.route)]
        named += [(f"arms.{place}.route", arm.route) for place, arm in enumerate(terms_of(experiment).arms)]
        for param, route in named:
            if route not in routes:
                raise InvalidRequest(
                    f"{param}: there is no route {route[:127]!r}; arms are routes of the file or of the API",
                    param=param,
                )

    def _owned(self, standing: Standing) -> OwnedByFile:
        experiment = standing.experiment
        place = self._keeping.declared_in(experiment.name)
        return OwnedByFile(
            f"the experiment {experiment.name!r} is declared in {place or 'the configuration'}; set its "
            "`status` there (running, stopped), or take it out. To promote an arm, give "
            f"`routes.{experiment.route}` what the arm's route says",
            param="name",
            details={"owner": "file", "declared_in": place},
        )

    def _now_us(self) -> int:
        return epoch_us(self._clock.utc_now())

    async def _tell(self) -> None:
        # The change is in the store already; a slow start of using it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._keeping.changed()


def _in_the_way(other: Standing, *, seen: bool) -> Conflict:
    """`seen`: who asks may know which one it is."""
    name = repr(other.experiment.name) if seen else "over all tenants"
    ending = "Stop it first" if seen else "Ask who runs this installation to stop it first"
    return Conflict(
        f"the experiment {name} runs on the route {other.experiment.route!r} already; of two, nobody could "
        f"tell which made the difference. {ending}",
        param="route",
        details={"experiment_id": other.experiment.experiment_id} if seen else {},
    )


def _may_see(by: Principal, standing: Standing) -> bool:
    """One's own; what concerns everybody is seen by whoever sees the installation's configuration."""
    if standing.experiment.everyone:
        return by.may(_INSTALLATION)
    return standing.experiment.owner == by.tenant_id or by.may(_EVERYONE)


def _unknown(experiment_id: str) -> NotFound:
    return NotFound(f"no experiment {experiment_id[:200]!r} in this tenant", param="experiment_id")
