"""Which arm answers a request, and who takes no part."""

from collections import Counter
from dataclasses import replace
from typing import Any

from adapters.memory.affinity import InMemoryAffinityStore
from adapters.memory.system import SteppingClock
from application.affinity import AffinityBook, recalling
from application.experiments.book import ExperimentBook
from application.job import Attribution, Job
from domain.experiments.experiment import Arm, Status
from domain.experiments.standing import Standing, StoppedArm
from domain.llm.capabilities import Capability
from domain.llm.request import Home
from domain.routing.cache_policy import CacheMode, CachePolicy
from domain.routing.conversation import Place
from domain.routing.route_version import route_version
from domain.routing.table import RoutingTable
from domain.routing.target import Passthrough, Route, RouteTarget
from tests.unit.experiments.made import experiment
from tests.unit.limits.limit_world import job as plain_job
from tests.unit.routing._world import indexed, target

BIG, SMALL = indexed([target("a/big"), target("b/small")])
CHAT = Route(
    name="chat",
    targets=(RouteTarget(target=BIG),),
    privacy="strict",
    max_output_tokens=100,
    cache=CachePolicy(mode=CacheMode.EXACT),
)
CHEAP = Route(name="small", targets=(RouteTarget(target=SMALL),), strategy="cost", max_output_tokens=500)
TABLE = RoutingTable.compile((BIG, SMALL), {"chat": CHAT, "small": CHEAP})


def standing(status: Status = Status.RUNNING, **said: Any) -> Standing:
    stopped = said.pop("stopped", {})
    return Standing(experiment=experiment(**said), status=status, stopped=stopped)


def book(*standings: Standing, affinity: AffinityBook | None = None) -> ExperimentBook:
    made = ExperimentBook(affinity)
    made.replace(standings)
    return made


def job(user: str = "", session: str = "", tenant: str = "acme", request_id: str = "req_1") -> Job:
    made = plain_job(SteppingClock(), tenant=tenant)
    made.attribution = Attribution(user_id=user, session_id=session)
    made.request_id = request_id
    return made


def arm_of(kept: ExperimentBook, made: Job) -> str:
    kept.route_for(made, CHAT, TABLE, beside=False)
    return made.arm


def cheap_user(kept: ExperimentBook) -> str:
    return next(user for user in map(str, range(99)) if arm_of(kept, job(user)) == "cheap")


def test_nothing_runs_without_a_running_experiment() -> None:
    assert not book(standing(Status.DRAFT), standing(Status.STOPPED), standing(Status.PROMOTED)).running


def test_users_keep_their_arm_and_arms_their_share() -> None:
    one, other = book(standing()), book(standing())
    arms = [arm_of(one, job(f"user-{number}")) for number in range(2000)]
    assert arms == [arm_of(other, job(f"user-{number}")) for number in range(2000)]
    assert 880 < Counter(arms)["cheap"] < 1120


def test_an_arm_is_unchanged_when_other_experiments_come_and_go() -> None:
    elsewhere = replace(standing(), experiment=replace(experiment(experiment_id="exp_9"), route="elsewhere"))
    alone, among = book(standing()), book(elsewhere, standing())
    users = [f"user-{number}" for number in range(200)]
    assert [arm_of(alone, job(user)) for user in users] == [arm_of(among, job(user)) for user in users]


def test_an_arm_answers_its_way_under_the_rules_of_the_asked_route() -> None:
    kept = book(standing())
    made = job(cheap_user(kept))
    route = kept.route_for(made, CHAT, TABLE, beside=False)
    assert (made.experiment, made.arm) == ("exp_1", "cheap")
    assert [each.target.id for each in route.targets] == ["b/small"]
    assert (route.name, route.privacy, route.cache, route.strategy) == ("chat", "strict", CHAT.cache, "cost")
    assert route.max_output_tokens == 100
    assert kept.route_for(job(made.attribution.user_id), CHAT, TABLE, beside=False) is route


def test_answers_of_one_arm_are_not_kept_for_another() -> None:
    kept = book(standing())
    route = kept.route_for(job(cheap_user(kept)), CHAT, TABLE, beside=False)
    assert route_version(route) != route_version(CHAT)


def test_who_names_no_user_takes_no_part() -> None:
    made = job()
    assert book(standing()).route_for(made, CHAT, TABLE, beside=False) is CHAT
    assert (made.experiment, made.arm) == ("", "")


def test_units_may_be_requests_sessions_and_tenants() -> None:
    by_request = book(standing(unit="request"))
    assert {arm_of(by_request, job(request_id=f"req_{number}")) for number in range(99)} == {"now", "cheap"}
    by_session = book(standing(unit="session"))
    assert {arm_of(by_session, job(session=f"s{number}")) for number in range(99)} == {"now", "cheap"}
    by_tenant = book(standing(unit="tenant", everyone=True))
    assert {arm_of(by_tenant, job(tenant=f"t{number}")) for number in range(99)} == {"now", "cheap"}


def test_another_tenant_takes_no_part_unless_everyone_does() -> None:
    made = job("u", tenant="other")
    assert book(standing()).route_for(made, CHAT, TABLE, beside=False) is CHAT
    assert arm_of(book(standing(everyone=True)), job("u", tenant="other"))


def test_a_name_that_means_something_else_for_the_tenant_is_left_alone() -> None:
    own = replace(CHEAP, name="chat")
    made = job("u")
    assert book(standing()).route_for(made, own, TABLE, beside=False) is own
    assert made.arm == ""


def test_the_share_of_a_stopped_arm_goes_to_control_and_does_not_count() -> None:
    user = cheap_user(book(standing()))
    made = job(user)
    stopped = {"cheap": StoppedArm(1, "too dear")}
    assert book(standing(stopped=stopped)).route_for(made, CHAT, TABLE, beside=False) is CHAT
    assert (made.experiment, made.arm) == ("", "")


def test_who_may_not_use_every_arms_route_takes_no_part() -> None:
    kept = book(standing())
    for names, takes_part in (({"chat"}, False), ({"chat", "small"}, True), ({"*"}, True), ({"a/*"}, False)):
        made = job("u")
        made.principal = replace(made.principal, allowed_models=frozenset(names))
        kept.route_for(made, CHAT, TABLE, beside=False)
        assert bool(made.arm) is takes_part, names


def test_a_callers_own_credential_goes_to_no_provider_of_an_arm() -> None:
    kept = book(standing())
    user = cheap_user(kept)
    route = replace(CHAT, passthrough=Passthrough.ALLOWED)
    table = RoutingTable.compile((BIG, SMALL), {"chat": route, "small": CHEAP})
    without, brought = job(user), job(user)
    brought.request.own_credential = ("authorization", "Bearer theirs")
    assert kept.route_for(without, route, table, beside=False) is not route
    assert kept.route_for(brought, route, table, beside=False) is route
    assert (without.arm, brought.arm) == ("cheap", "")


def test_nobody_is_refused_for_an_experiments_sake_and_all_arms_meet_the_same_requests() -> None:
    big, small = indexed(
        [target("a/big", capabilities=Capability.TEXT | Capability.VISION), target("b/small")]
    )
    chat = replace(CHAT, targets=(RouteTarget(target=big),))
    cheap = replace(CHEAP, targets=(RouteTarget(target=small),))
    table = RoutingTable.compile((big, small), {"chat": chat, "small": cheap})
    kept = book(standing())
    for user in map(str, range(20)):
        made = job(user)
        route = kept.route_for(made, chat, table, beside=False)
        made.requirements.capabilities = Capability.TEXT
        assert kept.fair_route(made, route, table) is route
        assert made.arm
        made.requirements.capabilities = Capability.VISION
        assert kept.fair_route(made, route, table) is chat
        assert (made.experiment, made.arm, made.arm_memory) == ("", "", "")


def test_nobody_takes_part_while_an_arms_route_is_gone() -> None:
    table = RoutingTable.compile((BIG, SMALL), {"chat": CHAT})
    made = job("u")
    assert book(standing()).route_for(made, CHAT, table, beside=False) is CHAT


def test_what_runs_beside_requests_follows_its_user_and_does_not_count() -> None:
    kept = book(standing())
    made = job(cheap_user(kept))
    route = kept.route_for(made, CHAT, TABLE, beside=True)
    assert [each.target.id for each in route.targets] == ["b/small"]
    assert made.arm == ""


def test_what_is_kept_at_a_provider_is_continued_there() -> None:
    kept = book(standing())
    user = cheap_user(kept)
    for home, answered_by in (("a/big", "a/big"), ("b/small", "b/small")):
        made = job(user)
        made.request.home = Home(provider=home[0], target_id=home, credential="")
        route = kept.route_for(made, CHAT, TABLE, beside=False)
        assert route.targets[0].target.id == answered_by
        assert bool(made.arm) is (home == "b/small")


def test_a_session_that_was_under_way_stays_where_it_is() -> None:
    memory = AffinityBook(InMemoryAffinityStore(), lambda asked: asked.body, SteppingClock())
    kept = book(standing(), affinity=memory)
    user = cheap_user(kept)
    talking = job(user, session="talk")
    known = memory.recall("acme", "chat", "talk", talking.request)
    assert known is not None
    memory._put(known.key, Place("a/big", "", 5000, 5000, False, 1))
    assert kept.route_for(talking, CHAT, TABLE, beside=False) is CHAT
    assert talking.arm == ""
    assert arm_of(kept, job(user, session="another talk")) == "cheap"


def test_what_ran_beside_a_session_does_not_put_it_outside_of_the_experiment() -> None:
    memory = AffinityBook(InMemoryAffinityStore(), lambda asked: asked.body, SteppingClock())
    kept = book(standing(), affinity=memory)
    user = cheap_user(kept)
    refreshed = job(user, session="talk")
    recall = recalling(memory, refreshed, kept.route_for(refreshed, CHAT, TABLE, beside=True))
    assert recall is not None
    talk = recall()
    assert talk is not None
    memory._put(talk.key, Place("b/small", "", 5000, 5000, False, 1))
    assert arm_of(kept, job(user, session="talk")) == "cheap"


def test_control_may_be_another_route_than_the_one_that_is_asked_for() -> None:
    arms = [Arm(name="a", route="small", weight=1), Arm(name="b", route="chat", weight=1)]
    kept = book(standing(arms=arms, stopped={"b": StoppedArm(1, "")}))
    routes = {kept.route_for(job(str(user)), CHAT, TABLE, beside=False).targets for user in range(50)}
    assert routes == {CHEAP.targets}
