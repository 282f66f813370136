"""Making, following, guarding and ending experiments, over stores in memory."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from adapters.memory.experiments import InMemoryExperimentFigures, InMemoryExperimentStore
from adapters.memory.system import SteppingClock
from application.experiments.book import ExperimentBook
from application.experiments.stored import read_standing, stored_of
from application.use_cases.follow_experiments import FollowExperiments
from application.use_cases.guard_experiments import GuardExperiments
from application.use_cases.manage_experiments import ExperimentKeeping, ManageExperiments
from contracts.ports.experiments import asked
from domain.analytics.event import RequestEvent
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, OwnedByFile
from domain.experiments.experiment import Arm, ExperimentTerms, Guardrail, Metric, Status
from domain.experiments.judging import Outcome
from domain.experiments.standing import Standing, StoppedArm
from domain.tenancy.principal import Principal
from domain.tenancy.role import local_operator, permissions_of
from tests.unit.experiments.made import experiment

ERRORS = (Guardrail(metric=Metric.ERRORS, worse_by=0.05),)


def person(tenant_id: str = "acme", role: str = "admin") -> Principal:
    return Principal(
        tenant_id=tenant_id,
        key_id="Key000000001",
        key_name="k",
        role=role,
        permissions=permissions_of(role, tenant_id),
    )


def terms(name: str = "cheaper", **said: Any) -> ExperimentTerms:
    arms = (Arm(name="now", route="chat"), Arm(name="cheap", route="small"))
    return ExperimentTerms(**{"name": name, "route": "chat", "arms": arms, "min_samples": 50, **said})


class Ids:
    def __init__(self) -> None:
        self._numbers = count(1)

    def next(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers)}"


class World:
    """One instance; `promoted` notes which routes were given which policy."""

    def __init__(self, *declared: Standing) -> None:
        self.store = InMemoryExperimentStore()
        self.events: list[RequestEvent] = []
        self.figures = InMemoryExperimentFigures(lambda: self.events)
        self.clock = SteppingClock()
        self.book = ExperimentBook()
        self.follow = FollowExperiments(self.store, self.book)
        self.follow.declare(declared)
        self.promoted: list[tuple[str, str]] = []
        self.routes = {"chat", "small", "other"}
        keeping = ExperimentKeeping(
            lambda: self.follow.declared,
            lambda name: f"interchange.yaml:{len(name)}",
            lambda: self.routes,
            self._promote,
            self.follow.refresh,
        )
        self.manage = ManageExperiments(self.store, self.figures, self.clock, Ids(), keeping)
        self.guard = GuardExperiments(self.store, self.figures, self.clock, self.follow)

    async def _promote(self, by: Principal, route: str, arm_route: str) -> None:
        if route == "other":
            raise OwnedByFile("routes.other is declared in the file")
        self.promoted.append((route, arm_route))

    async def running(self, by: Principal | None = None, **said: Any) -> Standing:
        by = by or person()
        made = await self.manage.create(by, terms(**said))
        return await self.manage.start(by, made.experiment.experiment_id)

    def record(self, experiment_id: str, arm: str, outcomes: Sequence[str]) -> None:
        start = len(self.events)
        self.events += [
            asked(start + number, arm, experiment=experiment_id, outcome=outcome)
            for number, outcome in enumerate(outcomes)
        ]


def declared(status: Status = Status.RUNNING, **said: Any) -> Standing:
    return Standing(experiment=replace(experiment(**said), declared=True), status=status)


async def test_a_draft_answers_nobody_until_it_is_started() -> None:
    world = World()
    made = await world.manage.create(person(), terms())
    assert (made.status, made.experiment.owner, made.revision) == (Status.DRAFT, "acme", 1)
    assert not world.book.running
    started = await world.manage.start(person(), made.experiment.experiment_id)
    assert started.running
    assert list(world.book.running) == ["chat"]
    assert await world.manage.start(person(), made.experiment.experiment_id) == started


async def test_an_ended_experiment_keeps_its_results_and_may_go_on() -> None:
    world = World()
    made = (await world.running()).experiment.experiment_id
    world.record(made, "now", ["ok"] * 60)
    stopped = await world.manage.stop(person(), made)
    assert (stopped.status, world.book.running) == (Status.STOPPED, {})
    found = await world.manage.one(person(), made)
    assert found.figures["now"].units == 60
    again = await world.manage.start(person(), made)
    assert (again.started_at_us, again.ended_at_us) == (stopped.started_at_us, None)
    assert [event.topic for event in world.store.events] == ["experiment.stopped"]


async def test_one_experiment_runs_on_a_route() -> None:
    world = World()
    first = (await world.running()).experiment.experiment_id
    second = (await world.manage.create(person(), terms("second"))).experiment.experiment_id
    with pytest.raises(Conflict, match="'cheaper' runs on the route 'chat' already"):
        await world.manage.start(person(), second)
    await world.manage.stop(person(), first)
    assert (await world.manage.start(person(), second)).running


async def test_tenants_may_each_run_one_and_everyones_excludes_all() -> None:
    world = World()
    await world.running(person("acme"))
    await world.running(person("other"))
    everyones = await world.manage.create(local_operator(), terms("all", everyone=True))
    with pytest.raises(Conflict):
        await world.manage.start(local_operator(), everyones.experiment.experiment_id)


async def test_who_may_not_see_what_is_in_the_way_does_not_learn_its_name() -> None:
    world = World()
    await world.running(local_operator(), name="secret plan", everyone=True)
    mine = await world.manage.create(person(), terms("mine"))
    with pytest.raises(Conflict, match="over all tenants runs on the route 'chat' already") as refused:
        await world.manage.start(person(), mine.experiment.experiment_id)
    assert "secret plan" not in refused.value.message
    assert refused.value.details == {}


async def test_promotion_gives_the_route_the_arms_policy_and_ends_it() -> None:
    world = World()
    made = (await world.running()).experiment.experiment_id
    done = await world.manage.promote(person(), made, "cheap")
    assert (done.status, done.promoted) == (Status.PROMOTED, "cheap")
    assert world.promoted == [("chat", "small")]
    assert [event.topic for event in world.store.events] == ["experiment.promoted"]
    assert not world.book.running
    for again in (world.manage.promote(person(), made, "cheap"), world.manage.start(person(), made)):
        with pytest.raises(Conflict):
            await again


async def test_promoting_control_changes_no_route() -> None:
    world = World()
    made = (await world.running()).experiment.experiment_id
    await world.manage.promote(person(), made, "now")
    assert world.promoted == []


async def test_a_route_of_the_file_is_not_promoted_and_nothing_changes() -> None:
    world = World()
    made = (await world.running(route="other")).experiment.experiment_id
    with pytest.raises(OwnedByFile):
        await world.manage.promote(person(), made, "cheap")
    assert (await world.manage.one(person(), made)).standing.running


async def test_experiments_of_the_file_are_the_files() -> None:
    world = World(declared(experiment_id="file:cheaper"))
    assert world.follow.declared[0].experiment.owner == "acme"
    assert list(world.book.running) == ["chat"]
    assert [each.experiment.experiment_id for each in await world.manage.all(person())] == ["file:cheaper"]
    for change in (
        world.manage.start(person(), "file:cheaper"),
        world.manage.stop(person(), "file:cheaper"),
        world.manage.promote(person(), "file:cheaper", "cheap"),
        world.manage.remove(person(), "file:cheaper"),
        world.manage.create(person(), terms()),
    ):
        with pytest.raises(OwnedByFile, match=r"interchange\.yaml:7"):
            await change


async def test_a_name_in_both_is_refused_at_the_start() -> None:
    world = World()
    await world.manage.create(person(), terms())
    with pytest.raises(Conflict, match="interchange experiment delete"):
        await FollowExperiments(world.store, ExperimentBook()).start([declared()])


async def test_others_of_the_tenant_border_see_and_change_nothing() -> None:
    world = World()
    mine = (await world.running()).experiment.experiment_id
    everyones = (await world.manage.create(local_operator(), terms("all", everyone=True))).experiment
    assert await world.manage.all(person("other")) == []
    for seen in (mine, everyones.experiment_id):
        with pytest.raises(NotFound):
            await world.manage.one(person("other"), seen)
        with pytest.raises(NotFound):
            await world.manage.stop(person("other"), seen)
    with pytest.raises(Forbidden):
        await world.manage.create(person(), terms("x", everyone=True))
    with pytest.raises(Forbidden):
        await world.manage.create(person(role="viewer"), terms("x"))
    assert await world.manage.all(person(role="viewer"))


async def test_who_sees_the_configuration_sees_what_concerns_everybody_and_managers_change_it() -> None:
    world = World()
    made = await world.manage.create(local_operator(), terms("all", everyone=True))
    seen = made.experiment.experiment_id
    for role in ("operator", "admin", "auditor"):
        assert (await world.manage.one(person("default", role), seen)).standing == made
    with pytest.raises(Forbidden):
        await world.manage.start(person("default", "admin"), seen)
    assert (await world.manage.start(local_operator(), seen)).running


async def test_a_name_of_the_file_is_taken_also_for_who_cannot_see_it() -> None:
    """Else the API would make what keeps the server from starting again."""
    world = World(declared(owner="default", everyone=True))
    with pytest.raises(OwnedByFile):
        await world.manage.create(person("default", "operator"), terms())


async def test_arms_are_routes_there_are() -> None:
    world = World()
    with pytest.raises(InvalidRequest) as refused:
        await world.manage.create(
            person(), terms(arms=(Arm(name="a", route="chat"), Arm(name="b", route="x")))
        )
    assert refused.value.param == "arms.1.route"
    made = (await world.running()).experiment.experiment_id
    world.routes.discard("small")
    assert (await world.manage.one(person(), made)).missing_routes == ("small",)


async def test_a_running_experiment_is_not_removed() -> None:
    world = World()
    made = (await world.running()).experiment.experiment_id
    with pytest.raises(Conflict):
        await world.manage.remove(person(), made)
    await world.manage.stop(person(), made)
    await world.manage.remove(person(), made)
    with pytest.raises(NotFound):
        await world.manage.one(person(), made)


async def test_a_guardrail_stops_a_bad_arm_once_and_keeps_the_evidence() -> None:
    world = World()
    made = (await world.running(guardrails=ERRORS)).experiment.experiment_id
    world.record(made, "now", ["ok"] * 300)
    world.record(made, "cheap", ["ok", "error"] * 150)

    await world.guard.look()
    await world.guard.look()

    found = await world.manage.one(person(), made)
    stopped = found.standing.stopped["cheap"]
    assert "its error share is 50 %, control's 0 %" in stopped.why
    assert found.report.outcome is Outcome.STOPPED
    assert found.standing.running
    assert [event.key for event in world.store.events] == [f"experiment.stopped:{made}:cheap"]
    assert world.book.running["chat"][0].stopped.keys() == {"cheap"}


async def test_two_processes_that_look_at_once_stop_an_arm_once() -> None:
    world = World()
    made = (await world.running(guardrails=ERRORS)).experiment.experiment_id
    world.record(made, "now", ["ok"] * 300)
    world.record(made, "cheap", ["error"] * 300)
    second = FollowExperiments(world.store, ExperimentBook())
    await second.start([])
    other = GuardExperiments(world.store, world.figures, world.clock, second)

    await other.look()
    await world.guard.look()

    assert (other.stopped, world.guard.stopped) == (1, 0)
    assert len(world.store.events) == 1


async def test_a_guardrail_stops_an_arm_of_the_file_and_remembers() -> None:
    world = World(declared(experiment_id="file:cheaper", guardrails=ERRORS, min_samples=50))
    world.record("file:cheaper", "now", ["ok"] * 300)
    world.record("file:cheaper", "cheap", ["error"] * 300)

    await world.guard.look()

    later = FollowExperiments(world.store, ExperimentBook())
    await later.start([declared(experiment_id="file:cheaper", guardrails=ERRORS, min_samples=50)])
    assert "cheap" in later.declared[0].stopped
    assert later.declared[0].running


async def test_who_does_not_judge_looks_at_nothing() -> None:
    world = World()
    made = (await world.running(guardrails=ERRORS)).experiment.experiment_id
    world.record(made, "now", ["ok"] * 300)
    world.record(made, "cheap", ["error"] * 300)
    world.guard.judges = lambda: False
    await world.guard.look()
    assert world.store.events == []


async def test_results_say_who_is_better() -> None:
    world = World()
    made = (await world.running(metric="errors")).experiment.experiment_id
    world.record(made, "now", ["ok", "error"] * 300)
    world.record(made, "cheap", ["ok"] * 600)
    found = await world.manage.one(person(), made)
    assert (found.report.outcome, found.report.winner) == (Outcome.BETTER, "cheap")


async def test_of_two_that_began_at_once_on_one_route_the_first_is_in_force() -> None:
    """Two instances may each have seen a free route; all then agree on who has it."""
    world = World()
    for number in (2, 1):
        made = Standing(
            experiment=replace(experiment(experiment_id=f"exp_{number}"), name=f"n{number}"),
            status=Status.RUNNING,
            started_at_us=5,
        )
        await world.store.put(stored_of(made))
    await world.follow.refresh()
    assert [each.experiment.experiment_id for each in world.book.running["chat"]] == ["exp_1"]


async def test_one_that_cannot_be_read_is_left_out_and_told() -> None:
    world = World()
    made = await world.running()
    (row,) = await world.store.all()
    await world.store.put(row._replace(body='{"route": "chat"}'))
    await world.follow.refresh()
    assert not world.book.running
    assert made.experiment.experiment_id in world.follow.problems[0]


def test_an_experiment_is_read_as_it_was_written() -> None:
    standing = Standing(
        experiment=experiment(guardrails=ERRORS, everyone=True),
        status=Status.RUNNING,
        started_at_us=5,
        stopped={"cheap": StoppedArm(7, "because")},
        created_at_us=1,
        updated_at_us=2,
        revision=3,
    )
    assert read_standing(stored_of(standing)) == standing


async def test_a_tenant_has_a_bound_of_experiments() -> None:
    world = World()
    for number in range(200):
        await world.manage.create(person(), terms(f"n{number}"))
    with pytest.raises(Conflict, match="200 experiments"):
        await world.manage.create(person(), terms("one more"))
