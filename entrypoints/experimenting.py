"""Puts together experiments: which arm answers, what people do with them, and who watches over them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from application.affinity import AffinityBook
from application.experiments.book import ExperimentBook
from application.ports.experiments import ExperimentFigures, ExperimentStore
from application.ports.system import Clock, IdFactory
from application.ports.telemetry import Gauge
from application.use_cases.follow_experiments import (
    REFRESH_EVERY_S,
    FollowExperiments,
    check_experiment_names,
)
from application.use_cases.guard_experiments import LOOK_EVERY_S, GuardExperiments
from application.use_cases.manage_experiments import ExperimentKeeping, ManageExperiments
from application.use_cases.manage_routes import ManageRoutes
from domain.errors import Conflict, OwnedByFile
from domain.experiments.standing import Standing
from domain.tenancy.principal import Principal
from entrypoints.background import BackgroundTasks, every
from entrypoints.live import LiveConfiguration
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import LoadedSettings, Settings

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
        running = sum(len(each) for each in self.book.running.values())
        yield Gauge("interchange_experiments_running", "Experiments in force here.", (((), running),))
        yield Gauge(
            "interchange_experiment_arms_stopped_total",
            "Arms of experiments that guardrails of this process stopped.",
            (((), self.guard.stopped),),
            "counter",
        )


def make_experimenting(
    store: ExperimentStore,
    figures: ExperimentFigures,
    affinity: AffinityBook | None,
    clock: Clock,
    ids: IdFactory,
) -> Experimenting:
    book = ExperimentBook(affinity)
    follow = FollowExperiments(store, book)
    return Experimenting(
        book=book,
        follow=follow,
        guard=GuardExperiments(store, figures, clock, follow),
        store=store,
        figures=figures,
        clock=clock,
        ids=ids,
    )


async def start_experimenting(
    experimenting: Experimenting, tasks: BackgroundTasks, settings: Settings
) -> None:
    """Puts the first set of experiments in force and follows them. Raises ProvisioningError,
    StoreUnavailable."""
    try:
        await experimenting.follow.start(declared_experiments(settings))
    except Conflict as error:
        raise ProvisioningError([error.message]) from None
    tasks.start("experiments followed", partial(every, REFRESH_EVERY_S, experimenting.follow.refresh))
    tasks.start("experiments guarded", partial(every, LOOK_EVERY_S, experimenting.guard.look))


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
