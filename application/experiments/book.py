"""Which arm of which experiment answers a request: asked once per request, answered from memory.

Without running experiments nothing is asked at all. Assignment is a hash, so it needs no memory of units; the
routes of arms are made once for each configuration.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from application.affinity import AffinityBook
from application.copied_request import ShadowOf
from application.job import Job
from domain.caching.effect import SHADOW
from domain.errors import NoProviderAvailable
from domain.experiments.arm_route import arm_route
from domain.experiments.assignment import assigned_arm
from domain.experiments.experiment import Experiment, Shadow, Unit
from domain.experiments.shadowing import drawn
from domain.experiments.standing import Standing
from domain.routing.filters import eligible
from domain.routing.table import RoutingTable
from domain.routing.target import Passthrough, Route

RUNNING_MAX: Final = 1_000
"""Experiments that are in force at once, those that began first."""


class Copying(Protocol):
    """Whoever sends copies of requests to shadows."""

    def copy(self, job: Job, experiment: Experiment, shadows: Sequence[Shadow]) -> None:
        """Puts `job.copies` in, or leaves the request out. Never waits, never raises."""
        ...


class ExperimentBook:
    """The experiments in force, by the route they are about. Empty `running`: there is nothing to ask."""

    def __init__(self, affinity: AffinityBook | None = None) -> None:
        self._affinity = affinity
        self._routes: dict[tuple[str, str], tuple[Route, Route, Route]] = {}
        self.running: dict[str, tuple[Standing, ...]] = {}
        self.copying: Copying | None = None
        """Who sends copies to shadows; None: nobody does."""

    def replace(self, standings: Iterable[Standing]) -> None:
        """Puts these in force, those that run, and only them; of two that would overlap, the first."""
        running: dict[str, tuple[Standing, ...]] = {}
        for standing in list(standings)[:RUNNING_MAX]:
            if standing.running:
                route = standing.experiment.route
                running[route] = (*running.get(route, ()), standing)
        self._routes = {}
        self.running = running

    def shadows_now(self, experiment_id: str, shadow: str) -> bool:
        """Whether the experiment runs, and its shadow was not stopped."""
        return any(
            standing.experiment.experiment_id == experiment_id and shadow not in standing.stopped
            for standings in self.running.values()
            for standing in standings
        )

    def route_for(
        self, job: Job, asked: Route, table: RoutingTable, *, beside: bool, copied: bool = False
    ) -> Route:
        """What answers a request of the route `asked`; notes in the job which arm that is.

        `asked` itself answers whoever takes no part: who has no unit (no user named, where users are the
        units), whose key may not use every arm's route, whose session began outside the experiment, and who
        brings a provider's credential, which was meant for a provider of `asked`.
        `beside`: it runs beside callers' requests; it follows its unit, and does not count. `copied`: where
        control answers it, shadows may get a copy.
        """
        for standing in self.running.get(asked.name, ()):
            if standing.concerns(job.principal.tenant_id):
                if table.routes.get(asked.name) is not asked:
                    return asked  # a name that means something else for this tenant
                return self._answering(job, asked, table, standing, beside=beside, copied=copied)
        return asked

    def shadow_route(self, job: Job, shadow: ShadowOf, asked: Route, table: RoutingTable) -> Route:
        """The asked route as a shadow answers it, noted in the job. Raises NoProviderAvailable where the
        shadow's route is gone."""
        route = table.routes.get(shadow.route)
        if route is None:
            raise NoProviderAvailable(f"there is no route {shadow.route!r} any more")
        job.experiment, job.arm, job.cache = shadow.experiment_id, shadow.arm, SHADOW
        job.arm_memory = f"{shadow.experiment_id}\0{shadow.arm}"
        return self._made((shadow.experiment_id, shadow.arm), asked, route)

    def fair_route(self, job: Job, route: Route, table: RoutingTable) -> Route:
        """`route` once more, when all is known that the request demands. The asked one, and no part in the
        experiment, where an arm could never answer it: nobody is refused for an experiment's sake, and whom
        only some arms can answer is no fair witness of the others."""
        if job.shadow is not None:
            return route  # who asks it has looked
        for standing in self.running.get(route.name, ()):
            if standing.concerns(job.principal.tenant_id):
                routes = _arm_routes(standing.experiment, table) or ()
                if all(eligible(table, table.members(each), job.requirements).count for each in routes):
                    return route
                job.experiment = job.arm = job.arm_memory = ""
                if job.copies is not None:
                    job.copies.drop()
                return table.routes[route.name]
        return route

    def _answering(
        self, job: Job, asked: Route, table: RoutingTable, standing: Standing, *, beside: bool, copied: bool
    ) -> Route:
        experiment = standing.experiment
        value = _unit_of(job, experiment.unit)
        if not value or (beside and experiment.unit is Unit.REQUEST):
            return asked
        if job.request.own_credential is not None and asked.passthrough is not Passthrough.OFF:
            return asked
        routes = _arm_routes(experiment, table)
        if routes is None or not _may_use(job, routes, table) or self._began_outside(job, asked):
            return asked
        place = assigned_arm(experiment.arms, experiment.salt, job.principal.tenant_id, value)
        counts = not beside
        if experiment.arms[place].name in standing.stopped:
            place, counts = 0, False
        home = job.request.home
        if home is not None and not _has(table, routes[place], home.target_id):
            # What it refers to is kept elsewhere: it has to go there, whatever its unit's arm is.
            kept = next((at for at, each in enumerate(routes) if _has(table, each, home.target_id)), None)
            if kept is None or _has(table, asked, home.target_id):
                return asked
            place, counts = kept, False
        arm = experiment.arms[place].name
        if counts:
            job.experiment, job.arm = experiment.experiment_id, arm
            if copied and not place and experiment.shadows and self.copying is not None:
                self._copy(self.copying, job, table, standing, value)
        # Also of what does not count: else a session whose kept answer was refreshed began "outside".
        job.arm_memory = f"{experiment.experiment_id}\0{arm}"
        return self._made((experiment.experiment_id, experiment.arms[place].name), asked, routes[place])

    @staticmethod
    def _copy(copying: Copying, job: Job, table: RoutingTable, standing: Standing, value: str) -> None:
        """Notes in the job that shadows get a copy, where its unit is among theirs and its caller might be
        answered by their targets."""
        experiment = standing.experiment
        shadows = [
            shadow
            for shadow in drawn(experiment, job.principal.tenant_id, value, standing.stopped)
            if (route := table.routes.get(shadow.route)) is not None and _may_use(job, (route,), table)
        ]
        if shadows:
            copying.copy(job, experiment, shadows)

    def _made(self, key: tuple[str, str], asked: Route, arm: Route) -> Route:
        """The same object as long as nothing changed: what is compiled of a route is kept by its object.
        `key` is the experiment's id and the arm's name."""
        known = self._routes.get(key)
        if known is not None and known[0] is asked and known[1] is arm:
            return known[2]
        made = arm_route(asked, arm)
        self._routes[key] = (asked, arm, made)
        return made

    def _began_outside(self, job: Job, asked: Route) -> bool:
        """Whether a session that the caller names was under way on the route before: moving it would cost its
        warm prompt cache, and it would tell of both worlds."""
        session = job.attribution.session_id
        if self._affinity is None or not session or not asked.affinity.enabled:
            return False
        known = self._affinity.recall(job.principal.tenant_id, asked.name, session, job.request)
        return known is not None and bool(known.places)


def _unit_of(job: Job, unit: Unit) -> str:
    if unit is Unit.USER:
        return job.attribution.user_id
    if unit is Unit.SESSION:
        return job.attribution.session_id
    return job.request_id if unit is Unit.REQUEST else job.principal.tenant_id


def _arm_routes(experiment: Experiment, table: RoutingTable) -> list[Route] | None:
    """None: one of them is gone, and without it the others would tell nothing."""
    routes = [table.routes.get(arm.route) for arm in experiment.arms]
    found = [route for route in routes if route is not None]
    return found if len(found) == len(routes) else None


def _may_use(job: Job, routes: Iterable[Route], table: RoutingTable) -> bool:
    """Whether the caller may use all arms: who may not use one is no fair witness of the others."""
    names = job.principal.allowed_models
    if names is None:
        return True
    return all(not table.members(route).mask & ~table.allowed(names, route) for route in routes)


def _has(table: RoutingTable, route: Route, target_id: str) -> bool:
    target = table.by_id.get(target_id)
    return target is not None and bool(table.members(route).mask >> target.index & 1)
