"""Puts together experiments: which arm answers, what people do with them, and who watches over them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from application.affinity import AffinityBook
from application.experiments.book import ExperimentBook
from application.experiments.compared_figures import ComparedFigures
from application.experiments.shadow_calls import ShadowCalls
from application.experiments.shadow_spending import DAY_US
from application.ports.cache_reader import CacheReader
from application.ports.experiments import ExperimentFigures, ExperimentStore
from application.ports.shadows import ShadowLog
from application.ports.system import Clock, IdFactory
from application.ports.telemetry import Gauge
from application.ports.unstreamed import Unstreamed
from application.runtime import Runtime
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.follow_experiments import (
    REFRESH_EVERY_S,
    FollowExperiments,
    check_experiment_names,
)
from application.use_cases.guard_experiments import LOOK_EVERY_S, GuardExperiments
from application.use_cases.manage_experiments import ExperimentKeeping, ManageExperiments
from application.use_cases.manage_routes import ManageRoutes
from domain.errors import Conflict, OwnedByFile
from domain.experiments.shadowing import has_room
from domain.experiments.standing import Standing
from domain.tenancy.principal import Principal
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.live import LiveConfiguration
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import LoadedSettings, Settings

PURGE_EVERY_S: Final = 6 * 3600.0
Promote = Callable[[Principal, str, str], Awaitable[None]]
_OF_ARMS: Final = (
    "targets",
    "strategy",
    "max_fallbacks",
    "retries",
    "timeouts",
    "stream_recovery",
    "affinity",
    "prompt_caching",
)
"""Keys of a route that an arm decides (`arm_route`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experimenting:
    """`follow.refresh` and `guard.look` run beside requests (`start_experimenting`)."""

    book: ExperimentBook
    follow: FollowExperiments
    guard: GuardExperiments
    shadows: ShadowCalls
    shadow_log: ShadowLog
    store: ExperimentStore
    figures: ExperimentFigures
    clock: Clock
    ids: IdFactory

    def managing(self, live: LiveConfiguration, routes: ManageRoutes) -> ManageExperiments:
        """What routes call."""
        keeping = ExperimentKeeping(
            lambda: self.follow.declared,
            lambda name: experiment_declared_in(live.loaded, name),
            lambda: live.provided.routes,
            promotion(live, routes),
            self.follow.refresh,
        )
        return ManageExperiments(self.store, self.figures, self.clock, self.ids, keeping)

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page: never per experiment."""
        shadows = self.shadows
        yield Gauge(
            "interchange_shadow_requests_total",
            "Copies of requests for shadows of experiments, by what became of them.",
            tuple(((("result", what),), number) for what, number in sorted(shadows.counts.items())),
            "counter",
        )
        yield Gauge(
            "interchange_shadow_requests_running",
            "Copies that shadows are answering.",
            (((), shadows.running),),
        )
        yield Gauge(
            "interchange_shadow_requests_waiting",
            "Copies that wait in memory.",
            (((), shadows.waiting),),
        )
        running = sum(len(each) for each in self.book.running.values())
        yield Gauge("interchange_experiments_running", "Experiments in force here.", (((), running),))
        yield Gauge(
            "interchange_experiment_arms_stopped_total",
            "Arms of experiments that guardrails of this process stopped.",
            (((), self.guard.stopped),),
            "counter",
        )


class Copying(NamedTuple):
    """What copies for shadows are made and read with."""

    answers: CacheReader
    unstreamed: Unstreamed


def make_experimenting(
    store: ExperimentStore,
    usage: ExperimentFigures,
    shadow_log: ShadowLog,
    copying: Copying,
    affinity: AffinityBook | None,
    clock: Clock,
    ids: IdFactory,
) -> Experimenting:
    book = ExperimentBook(affinity)
    follow = FollowExperiments(store, book)
    figures = ComparedFigures(usage, shadow_log)
    shadows = ShadowCalls(shadow_log, copying.answers, copying.unstreamed, clock)
    book.copying = shadows
    return Experimenting(
        book=book,
        follow=follow,
        guard=GuardExperiments(store, figures, clock, follow),
        shadows=shadows,
        shadow_log=shadow_log,
        store=store,
        figures=figures,
        clock=clock,
        ids=ids,
    )


async def start_experimenting(
    experimenting: Experimenting,
    stack: AsyncExitStack,
    tasks: BackgroundTasks,
    settings: Settings,
    pipeline: AnswerLlmRequest,
    runtime: Runtime,
) -> None:
    """Puts the first set of experiments in force and follows them; the stack writes what is left of shadows.
    Raises ProvisioningError, StoreUnavailable."""
    try:
        await experimenting.follow.start(declared_experiments(settings))
    except Conflict as error:
        raise ProvisioningError([error.message]) from None
    tasks.start("experiments followed", partial(every, REFRESH_EVERY_S, experimenting.follow.refresh))
    tasks.start("experiments guarded", partial(every, LOOK_EVERY_S, experimenting.guard.look))
    shadows = experimenting.shadows

    def idle() -> bool:
        return pipeline.usage_log.accepting and has_room(pipeline.slots_max, pipeline.in_flight)

    shadows.attach(pipeline, idle, lambda: runtime.snapshot[0], experimenting.book.shadows_now)
    stack.push_async_callback(in_any_case, shadows.flush)
    await in_any_case(lambda: shadows.look(with_shadows(experimenting.book)))
    tasks.start("shadows", shadows.run)
    tasks.start("shadow figures", lambda: shadows.write(lambda: with_shadows(experimenting.book)))
    retention_days = settings.storage.usage_retention_days
    if retention_days is not None:
        purge = partial(_purge, experimenting, retention_days)
        tasks.start("shadow retention", partial(every, PURGE_EVERY_S, purge))


def with_shadows(book: ExperimentBook) -> list[str]:
    """Ids of experiments in force that have shadows."""
    return [
        standing.experiment.experiment_id
        for standings in book.running.values()
        for standing in standings
        if standing.experiment.shadows
    ]


async def _purge(experimenting: Experimenting, retention_days: int) -> None:
    """What was seen of shadows goes with the usage rows it was seen of."""
    await experimenting.shadow_log.purge(experimenting.clock.utc_us() - retention_days * DAY_US)


def declared_experiments(settings: Settings) -> tuple[Standing, ...]:
    """Those of the configuration file."""
    return tuple(section.standing() for section in settings.experiments)


def check_names(declared: Iterable[Standing], stored: Iterable[Standing]) -> None:
    """Raises ProvisioningError for a name that was also given to an experiment made through the API."""
    try:
        check_experiment_names(tuple(declared), tuple(stored))
    except Conflict as error:
        raise ProvisioningError([error.message]) from None


def experiment_declared_in(loaded: LoadedSettings, name: str) -> str | None:
    """Where the file declares the experiment of this name; None: it does not."""
    for index, section in enumerate(loaded.settings.experiments):
        if section.name == name:
            where = loaded.config_file.name if loaded.config_file is not None else "the configuration"
            line = loaded.lines.get(("experiments", index, "name"))
            return where if line is None else f"{where}:{line}"
    return None


def promotion(live: LiveConfiguration, routes: ManageRoutes) -> Promote:
    """Gives one route what another one says as an arm of it, where routes of the API are kept."""

    async def promote(by: Principal, route: str, arm_route: str) -> None:
        place = live.route_declared_in(route)
        if place is not None:
            raise OwnedByFile(
                f"the route {route!r} is declared in {place}: give `routes.{route}` there what "
                f"`routes.{arm_route}` says of {', '.join(_OF_ARMS)}, then stop the experiment",
                param="route",
                details={"owner": "file", "declared_in": place},
            )
        arm = await _body_of(live, routes, by, arm_route)
        if arm is None:
            raise Conflict(f"{arm_route[:127]!r} is no route of the file or of the API: nothing to promote")
        # Nobody wrote what is asked for: a route that is always there, such as `auto`.
        asked = await _body_of(live, routes, by, route) or {}
        await routes.put(by, route, msgspec.json.encode(promoted_body(asked, arm)))

    return promote


def promoted_body(asked: Mapping[str, Any], arm: Mapping[str, Any]) -> dict[str, Any]:
    """The asked route as the arm answered it: the same rule as `arm_route`, for what people write. What
    protects callers and their content (privacy, guardrails, recording, guards) is never the arm's."""
    made = {key: value for key, value in asked.items() if key not in _OF_ARMS}
    made |= {key: arm[key] for key in _OF_ARMS if key in arm}
    limits = [each for route in (asked, arm) if (each := route.get("max_output_tokens")) is not None]
    if limits:
        made["max_output_tokens"] = min(limits)
    quality, learned = asked.get("quality"), bool((arm.get("quality") or {}).get("learned"))
    if quality is not None:
        made["quality"] = {**quality, "learned": learned}
    elif learned:
        made["quality"] = {"sample": 0, "learned": True}
    return made


async def _body_of(
    live: LiveConfiguration, routes: ManageRoutes, by: Principal, name: str
) -> Mapping[str, Any] | None:
    section = live.settings.routes.get(name)
    if section is not None:
        return section.model_dump(mode="json", exclude_unset=True)
    for route in await routes.all(by):
        if route.name == name:
            found: dict[str, Any] = msgspec.json.decode(route.body)
            return found
    return None
