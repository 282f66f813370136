"""Two requests share a key only if nothing tells them apart, whatever their texts hold."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.caching.key import (
    KEY_BYTES,
    Partition,
    answer_key,
    demands_digest,
    digest,
    namespace_of,
    question_partition,
    who_shares,
)
from domain.caching.policy import CachePolicy, CacheScope, CacheWish
from domain.catalog.offering import Offering
from domain.llm.capabilities import Capability
from domain.routing.requirements import Requirements
from domain.routing.route_version import route_version
from domain.routing.target import Route, RouteTarget, Target
from domain.tenancy.principal import Principal

HARD = st.sampled_from(
    ("", "a", "b", "ab", "7:a", "'", "', '", "\\x00", "\x00", "a\x00", "\x00a", "a\x00b", "\x00" * 7)
) | st.sampled_from(("é", "e\u0301", "\ud800"))
"""Texts that would run together, or pass for two, if they were only joined."""
PARTITIONS = st.builds(
    Partition,
    *(HARD,) * 6,
    st.sampled_from([b"", b"0", b"a", b"\x00", b"1:a"]),
    *(HARD,) * 2,
)
BODY = b"\x01" * KEY_BYTES
PRINCIPAL = Principal(tenant_id="acme", key_id="key_1", key_name="k", role="caller", permissions=frozenset())


@given(one=PARTITIONS, other=PARTITIONS)
@settings(max_examples=400, deadline=None)
def test_different_partitions_never_share_a_key(one: Partition, other: Partition) -> None:
    assert (answer_key(one, BODY) == answer_key(other, BODY)) == (one == other)


@given(one=PARTITIONS, text=HARD)
@settings(max_examples=200, deadline=None)
def test_a_text_that_moves_over_a_seam_is_another_partition(one: Partition, text: str) -> None:
    moved = [
        one._replace(tenant_id=one.tenant_id + text),
        one._replace(who=text + one.who),
        one._replace(route_version=one.route_version + text),
        one._replace(policy_version=text + one.policy_version),
        one._replace(namespace=one.namespace + text),
        one._replace(dialect=text + one.dialect),
        one._replace(form=one.form + text),
    ]
    assert len({answer_key(each, BODY) for each in moved}) == len(set(moved))


@given(one=PARTITIONS, embedder=HARD, other=HARD)
@settings(max_examples=100, deadline=None)
def test_exact_and_similar_answers_and_those_of_two_embedders_are_apart(
    one: Partition, embedder: str, other: str
) -> None:
    similar = question_partition(one, BODY, embedder)
    assert len(similar) == KEY_BYTES and similar != answer_key(one, BODY)
    assert (similar == question_partition(one, BODY, other)) == (embedder == other)


def test_another_body_has_another_key() -> None:
    partition = Partition("t", "", "r", "v", "p", "", b"", "openai.chat", "whole")
    assert answer_key(partition, BODY) != answer_key(partition, b"\x02" * KEY_BYTES)
    assert len(answer_key(partition, BODY)) == KEY_BYTES


def test_parts_of_a_digest_are_told_apart_by_their_lengths() -> None:
    seen = {digest(parts) for parts in ((b"ab",), (b"a", b"b"), (b"ab", b""), (b"", b"ab"), (b"1:ab",), ())}
    assert len(seen) == 6


@pytest.mark.parametrize(
    "wanted",
    [
        {"residency": "eu"},
        {"residency": "eu-west"},
        {"compliance": frozenset({"a,b"})},
        {"compliance": frozenset({"a", "b"})},
        {"tags": frozenset({"a", "b"})},
        {"tags": frozenset({"a,b"})},
        {"tags": frozenset({"a', 'b"})},
        {"quality_floor": 0.5},
        {"strategy": "cheapest"},
        {"capabilities": Capability.VISION},
        {"residency": "eu", "capabilities": Capability.VISION},
    ],
)
def test_whoever_demands_something_else_gets_answers_of_its_own(wanted: dict[str, Any]) -> None:
    others: list[dict[str, Any]] = [
        {},
        {"residency": "us"},
        {"tags": frozenset({"a"})},
        {"compliance": frozenset({"a"})},
        {"quality_floor": 0.6},
        {"strategy": "fastest"},
    ]
    own = demands_digest(Requirements(**wanted), None)
    assert all(demands_digest(Requirements(**other), None) != own for other in others)


def test_commas_in_demands_and_stars_among_models_are_no_seams() -> None:
    demands = [
        demands_digest(Requirements(compliance=frozenset({"a,b"})), None),
        demands_digest(Requirements(compliance=frozenset({"a", "b"})), None),
        demands_digest(Requirements(tags=frozenset({"a", "b"})), None),
        demands_digest(Requirements(), None),
        demands_digest(Requirements(), frozenset()),
        demands_digest(Requirements(), frozenset({""})),
        demands_digest(Requirements(), frozenset({"*"})),
        demands_digest(Requirements(), frozenset({"a\nb"})),
        demands_digest(Requirements(), frozenset({"a", "b"})),
    ]
    assert len(set(demands)) == len(demands)


def test_the_order_of_what_is_demanded_does_not_matter() -> None:
    one = Requirements(tags=frozenset(["a", "b", "c"]), compliance=frozenset(["x", "y"]))
    other = Requirements(tags=frozenset(["c", "b", "a"]), compliance=frozenset(["y", "x"]))
    models = [frozenset(["m", "n", "o"]), frozenset(["o", "n", "m"])]
    assert demands_digest(one, models[0]) == demands_digest(other, models[1])


@given(one=HARD, other=HARD)
@settings(max_examples=60, deadline=None)
def test_users_keys_and_the_whole_tenant_never_share(one: str, other: str) -> None:
    by_user = CachePolicy(scope=CacheScope.USER)
    by_key = CachePolicy(scope=CacheScope.KEY)
    mine = replace(PRINCIPAL, key_id=one)
    assert who_shares(by_user, PRINCIPAL, "") is None
    assert who_shares(by_key, mine, other) != who_shares(by_user, mine, one or "x")
    assert who_shares(CachePolicy(), mine, other) == ""
    assert who_shares(by_key, mine, one) not in ("", None)
    if one and other:
        same = who_shares(by_user, PRINCIPAL, one) == who_shares(by_user, PRINCIPAL, other)
        assert same == (one == other)


def test_a_callers_namespace_lies_below_the_routes() -> None:
    policy = CachePolicy(namespace="shop")
    assert namespace_of(policy, CacheWish()) == "shop"
    assert namespace_of(policy, CacheWish(namespace="de")) == "shop/de"
    assert namespace_of(CachePolicy(), CacheWish(namespace="de")) == "de"


def a_route(**changes: Any) -> Route:
    of_target: dict[str, Any] = {
        name: changes.pop(name)
        for name in ("region", "tags", "compliance", "simulated", "wire", "model", "id")
        if name in changes
    }
    offering = Offering(provider="acme", model="m", version=changes.pop("version", None))
    known: dict[str, Any] = {"index": 0, "id": "acme/m", "model": "m", "wire": "openai", **of_target}
    return Route(
        name="r",
        targets=(RouteTarget(target=Target(provider="acme", offering=offering, **known)),),
        **changes,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"id": "acme/n"},
        {"model": "n"},
        {"wire": "anthropic"},
        {"region": "eu-west"},
        {"version": "2"},
        {"tags": frozenset({"a,b"})},
        {"tags": frozenset({"a", "b"})},
        {"compliance": frozenset({"a", "b"})},
        {"simulated": True},
        {"strategy": "cheapest"},
        {"max_output_tokens": 5},
    ],
)
def test_a_route_that_is_answered_otherwise_is_another_version(change: dict[str, Any]) -> None:
    assert route_version(a_route(**change)) != route_version(a_route())
    assert route_version(a_route(tags=frozenset({"a,b"}))) != route_version(a_route(tags=frozenset("ab")))


def test_what_only_changes_how_a_call_is_made_keeps_the_version() -> None:
    assert route_version(a_route(retries=9, max_fallbacks=0)) == route_version(a_route())
