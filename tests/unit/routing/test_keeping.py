"""Who may continue an answer, and who may be asked to keep one."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.tags import KEEPS_ANSWERS_TAG
from domain.errors import InterchangeError, InvalidRequirements, NoProviderAvailable, ResidencyViolation
from domain.llm.request import Home, LlmRequest, Operation
from domain.routing.explanation import explain
from domain.routing.filters import DropReason
from domain.routing.keeping import as_sent, demand_keeper, left_out, needs_keeper, plan_with_home
from domain.routing.plan import Plan, make_plan
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from tests.unit.routing._world import live_of, open_breaker, table_of, target

A, B, C = "alpha/m", "alpha/n", "beta/m"


def request(**fields: object) -> LlmRequest:
    made = LlmRequest(operation=Operation.CHAT, dialect="openai.responses", model="auto", body=b"{}")
    return replace(made, **fields)  # type: ignore[arg-type]


def home(target_id: str = A, credential: str = "", **fields: object) -> Home:
    provider = target_id.partition("/")[0]
    return Home(target_id=target_id, provider=provider, credential=credential, **fields)  # type: ignore[arg-type]


def table() -> RoutingTable:
    return table_of(
        target(C, tags=[KEEPS_ANSWERS_TAG]),
        target(A, tags=[KEEPS_ANSWERS_TAG]),
        target(B),
        strategy="priority",
    )


def planned(of: RoutingTable, asked: LlmRequest, *, broken: tuple[int, ...] = ()) -> Plan:
    live, route, wanted = live_of(of), of.resolve("auto"), Requirements()
    for index in broken:
        open_breaker(live, index, 0.0)
    demand_keeper(wanted, asked, of, route)
    return plan_with_home(
        lambda demands: make_plan(of, route, demands, live, now=0.0, draw=0.5), wanted, asked, of, route
    )


def test_only_the_keeper_may_continue_its_answer() -> None:
    plan = planned(table(), request(home=home(A)))

    assert [one.id for one in plan.targets] == [A]
    assert not plan.spares


def test_a_keeper_that_is_not_in_the_route_leaves_its_account() -> None:
    plan = planned(table(), request(home=home("alpha/older")))

    assert {one.provider for one in plan.targets} == {"alpha"}


def test_a_route_without_the_account_is_refused_with_the_parameter() -> None:
    with pytest.raises(InvalidRequirements) as refused:
        planned(table(), request(home=home("gamma/m")))

    assert refused.value.param == "previous_response_id"


def test_a_keeper_that_is_out_is_not_replaced() -> None:
    with pytest.raises(NoProviderAvailable):
        planned(table(), request(home=home(A)), broken=(1,))


def test_a_place_forbidden_by_residency_stays_forbidden() -> None:
    of = table_of(target(A, region="us-east"), target(C, region="eu-west"))
    wanted = Requirements(residency="eu-west")
    demand_keeper(wanted, request(home=home(A)), of, of.resolve("auto"))

    with pytest.raises(ResidencyViolation):
        make_plan(of, of.resolve("auto"), wanted, live_of(of), now=0.0, draw=0.5)


def test_a_preferred_home_comes_first_and_the_others_follow() -> None:
    plan = planned(table(), request(home=home(A, elsewhere=b"{}")))

    assert [one.id for one in plan.targets] == [A, C, B]


def test_a_preferred_home_that_is_out_is_passed_over() -> None:
    plan = planned(table(), request(home=home(A, elsewhere=b"{}")), broken=(1,))

    assert [one.id for one in plan.targets] == [C, B]


@pytest.mark.parametrize("name", ["store", "background"])
def test_only_targets_that_keep_answers_are_asked_to_keep_one(name: str) -> None:
    plan = planned(table(), request(**{name: True}))

    assert {one.id for one in plan.targets} == {A, C}


@pytest.mark.parametrize("name", ["store", "background"])
def test_where_nobody_keeps_answers_the_parameter_is_named(name: str) -> None:
    with pytest.raises(InvalidRequirements) as refused:
        planned(table_of(target(A), target(B)), request(**{name: True}))

    assert refused.value.param == name
    assert name in refused.value.message


def test_an_own_store_keeps_answers_but_does_not_work_in_the_background() -> None:
    route = replace(table().resolve("auto"), answers_kept_s=60.0)

    assert needs_keeper(request(store=True), route) == ""
    assert needs_keeper(request(background=True), route) == "background"
    assert needs_keeper(request(store=True), replace(route, answers_kept_s=None)) == "store"
    assert needs_keeper(request(store=False), route) == ""
    assert needs_keeper(request(), replace(route, answers_kept_s=None)) == ""


def test_others_get_the_body_they_understand() -> None:
    of = table()
    asked = request(
        previous_response_id="resp_1",
        fields=frozenset({"input", "previous_response_id"}),
        home=home(A, elsewhere=b"spelt out", dropped=("input.reasoning",)),
    )

    there, elsewhere = as_sent(asked, of.by_id[A], ""), as_sent(asked, of.by_id[C], "")

    assert there is asked
    assert elsewhere.body == b"spelt out"
    assert elsewhere.previous_response_id == ""
    assert "previous_response_id" not in elsewhere.fields
    assert left_out(asked, of.by_id[A], "") == ()
    assert left_out(asked, of.by_id[C], "") == ("input.reasoning",)


def test_another_key_of_the_same_provider_is_another_account() -> None:
    of = table()
    asked = request(home=home(A, "first", elsewhere=b"spelt out"))

    assert as_sent(asked, of.by_id[A], "first") is asked
    assert as_sent(asked, of.by_id[A], "second").body == b"spelt out"


def test_an_explanation_names_the_keeper() -> None:
    of, wanted = table(), Requirements()
    demand_keeper(wanted, request(home=home(A)), of, of.resolve("auto"))

    told = explain(of, of.resolve("auto"), wanted, live_of(of), now=0.0, draw=0.5)

    assert [one.target_id for one in told.candidates if one.kept] == [A]
    assert told.dropped == {DropReason.KEPT_ELSEWHERE: 2}
    assert f"not {A}" in told.candidates[1].sentence


@settings(max_examples=60, deadline=None)
@given(
    keepers=st.sets(st.integers(0, 5)),
    place=st.integers(0, 5),
    strict=st.booleans(),
    broken=st.sets(st.integers(0, 5)),
    wants=st.sampled_from(["", "store", "background"]),
)
def test_whoever_is_asked_can_do_what_is_asked(
    keepers: set[int], place: int, strict: bool, broken: set[int], wants: str
) -> None:
    of = table_of(*(target(f"p{n}/m", tags=[KEEPS_ANSWERS_TAG] if n in keepers else []) for n in range(6)))
    asked = request(home=home(f"p{place}/m", elsewhere=None if strict else b"{}"))
    if wants:
        asked.background = wants == "background"
        asked.store = True
    try:
        plan = planned(of, asked, broken=tuple(broken))
    except InterchangeError:
        return

    assert not wants or {one.index for one in plan.targets} <= keepers
    assert not strict or [one.index for one in plan.targets] == [place]
    assert len({one.id for one in plan.targets}) == len(plan.targets) <= 4
    if place not in broken and (not wants or place in keepers):
        assert plan.targets[0].index == place
