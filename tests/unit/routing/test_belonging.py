"""Targets that one tenant has alone: no plan of another's request ever holds one."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Forbidden, InterchangeError, UnknownModel
from domain.routing.explanation import explain
from domain.routing.plan import Plan, make_plan
from domain.routing.requirements import Requirements
from domain.routing.strategies import STRATEGIES
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, Target
from tests.unit.routing._world import live_of, priced, target

TENANTS = ("", "acme", "other")
"""The first: everybody."""
CALLERS = ("acme", "other", "third", "")


def owned(tenant_id: str, name: str, **more: object) -> Target:
    provider, _, model = name.partition("/")
    prefix = f"{tenant_id}:{provider}" if tenant_id else provider
    return replace(target(f"{prefix}/{model}", **more), tenant_id=tenant_id, aliases=(model,))  # type: ignore[arg-type]


def table_of(
    targets: list[Target], *, strategy: str = "balanced", among: list[int] | None = None
) -> RoutingTable:
    placed = [replace(each, index=place) for place, each in enumerate(targets)]
    chosen = placed if among is None else [placed[place] for place in among]
    route = Route(
        name="everything", targets=tuple(RouteTarget(target=each) for each in chosen), strategy=strategy
    )
    return RoutingTable.compile(placed, {"everything": route})


def planned(table: RoutingTable, name: str, tenant_id: str, draw: float = 0.3) -> Plan:
    needs = Requirements(tenant_id=tenant_id, input_tokens=500, output_tokens=100)
    return make_plan(table, table.resolve(name, tenant_id), needs, live_of(table), now=1.0, draw=draw)


def ids(plan: Plan) -> list[str]:
    return [each.id for each in (*plan.targets, *plan.spares)]


def outcome(table: RoutingTable, name: str, tenant_id: str, draw: float) -> list[str] | str:
    """What is asked in which order, or what a caller is told."""
    try:
        return ids(planned(table, name, tenant_id, draw))
    except InterchangeError as error:
        return error.code


@pytest.fixture
def table() -> RoutingTable:
    return table_of(
        [
            owned("", "house/small"),
            owned("acme", "mine/small"),
            owned("acme", "mine/own-2024-01-01"),
            owned("other", "mine/small"),
            owned("other", "house/small"),
        ]
    )


@st.composite
def worlds(draw: st.DrawFn) -> list[Target]:
    whose = draw(
        st.lists(st.tuples(st.sampled_from(TENANTS), st.sampled_from("abc")), min_size=1, max_size=10)
    )
    return [
        owned(
            tenant_id,
            f"{provider}/m{place % 3 if provider == 'a' else place}-{place}",
            prices=draw(st.sampled_from([priced(1, 2), priced(0.1, 5), priced(0, 0)])),
            context=draw(st.sampled_from([None, 4_000, 32_000])),
            region=draw(st.sampled_from([None, "eu-west"])),
        )
        for place, (tenant_id, provider) in enumerate(whose)
    ]


@settings(max_examples=120, deadline=None)
@given(targets=worlds(), strategy=st.sampled_from(sorted(STRATEGIES)), draw=st.floats(0, 1, exclude_max=True))
def test_no_name_leads_a_request_to_what_another_tenant_has(
    targets: list[Target], strategy: str, draw: float
) -> None:
    table = table_of(targets, strategy=strategy)
    names = {name for each in targets for name in (each.id, each.own_id, each.model, each.offering.id)}
    for caller in CALLERS:
        for name in (*sorted(names), "everything", "everything".upper()):
            try:
                plan = planned(table, name, caller, draw)
            except InterchangeError:
                continue
            reached = [table.by_id[each] for each in ids(plan)]
            assert all(each.tenant_id in ("", caller) for each in reached), (caller, name)


@settings(max_examples=80, deadline=None)
@given(targets=worlds(), strategy=st.sampled_from(sorted(STRATEGIES)), draw=st.floats(0, 1, exclude_max=True))
def test_what_others_have_changes_nothing_of_a_tenants_plans(
    targets: list[Target], strategy: str, draw: float
) -> None:
    for caller in CALLERS:
        theirs = [each for each in targets if each.tenant_id in ("", caller)]
        if not theirs:
            continue
        whole, alone = table_of(targets, strategy=strategy), table_of(theirs, strategy=strategy)
        for name in ("everything", *(each.own_id for each in theirs)):
            assert outcome(whole, name, caller, draw) == outcome(alone, name, caller, draw)


@settings(max_examples=60, deadline=None)
@given(targets=worlds())
def test_an_explanation_names_nothing_of_another_tenant(targets: list[Target]) -> None:
    table = table_of(targets)
    for caller in CALLERS:
        needs = Requirements(tenant_id=caller)
        told = explain(table, table.resolve("everything"), needs, live_of(table), now=1.0, draw=0.3)
        assert all(table.by_id[each.target_id].tenant_id in ("", caller) for each in told.candidates)


@pytest.mark.parametrize("name", ["mine/small", "acme:mine/small", "Mine/Small"])
def test_a_tenant_has_two_names_for_its_own(table: RoutingTable, name: str) -> None:
    assert ids(planned(table, name, "acme")) == ["acme:mine/small"]


def test_one_name_means_each_tenants_own(table: RoutingTable) -> None:
    assert ids(planned(table, "mine/small", "other")) == ["other:mine/small"]
    assert ids(planned(table, "house/small", "other")) == ["other:house/small"]
    assert ids(planned(table, "house/small", "acme")) == ["house/small"]


def test_a_bare_name_means_what_is_everybodys(table: RoutingTable) -> None:
    assert ids(planned(table, "small", "acme")) == ["house/small"]


@pytest.mark.parametrize("name", ["mine/small", "acme:mine/small", "mine/none"])
def test_for_others_it_is_unknown_and_not_among_the_nearest(table: RoutingTable, name: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        table.resolve(name, "third")

    assert not any("mine" in near for near in refused.value.nearest)


def test_a_route_of_another_tenants_targets_alone_is_forbidden(table: RoutingTable) -> None:
    theirs = table_of(list(table.targets), among=[1, 2])

    assert set(ids(planned(theirs, "everything", "acme"))) == {"acme:mine/small", "acme:mine/own-2024-01-01"}
    with pytest.raises(Forbidden):
        planned(theirs, "everything", "other")


def test_a_key_may_be_bound_to_them_by_the_tenants_own_name(table: RoutingTable) -> None:
    route = table.resolve("everything")

    for names in ({"mine/*"}, {"mine/small"}, {"acme:mine/small"}):
        assert table.allowed(frozenset(names), route) >> 1 & 1
    assert not table.allowed(frozenset({"house/*"}), route) >> 1 & 1


def test_everybodys_targets_alone_divide_nothing() -> None:
    table = table_of([owned("", "house/small")])

    assert not table.belonging.divides
    assert table.belonging.open_to("acme") == table.all_mask
