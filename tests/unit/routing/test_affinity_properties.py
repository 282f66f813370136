"""Affinity orders candidates; it never adds, drops or repeats one, and equal inputs give equal plans."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.prices import PriceTable
from domain.errors import InterchangeError
from domain.routing.effective_price import PriceContract, ReservedCapacity
from domain.routing.plan import Plan, make_plan
from domain.routing.prompt_cache import CacheHabit
from domain.routing.ranking import Ranking, rank
from domain.routing.requirements import Requirements
from domain.routing.strategies import STRATEGIES
from domain.routing.table import RoutingTable
from tests.unit.routing._talks import NOW_US, cached_target, caching, place, talk
from tests.unit.routing._world import live_of, open_breaker, table_of

NOW = 500.0


@st.composite
def worlds(draw: st.DrawFn) -> tuple[random.Random, int, str, float]:
    return (
        random.Random(draw(st.integers(0, 2**32))),
        draw(st.integers(2, 60)),
        draw(st.sampled_from(sorted(STRATEGIES))),
        draw(st.floats(0, 0.999)),
    )


def _table(rng: random.Random, count: int, strategy: str) -> RoutingTable:
    reserved = PriceContract(reserved=ReservedCapacity(tokens_per_minute=1000))
    targets = [
        cached_target(
            f"p{number % 5}/m{number}",
            PriceTable() if rng.random() < 0.1 else caching(rng.uniform(0.1, 20), write=rng.uniform(0.1, 25)),
            CacheHabit(prior=rng.random(), by_mark=rng.random() < 0.3),
            context=rng.choice((8_000, 128_000, None)),
            quality=rng.choice((None, rng.random())),
            region=rng.choice((None, "eu-west", "apac")),
            contract=reserved if rng.random() < 0.1 else None,
        )
        for number in range(count)
    ]
    return table_of(*targets, strategy=strategy)


def _needs(rng: random.Random) -> Requirements:
    return Requirements(
        input_tokens=rng.choice((500, 5_000, 60_000)),
        output_tokens=200,
        residency=rng.choice((None, None, "eu-west")),
        max_cost_nano_usd=rng.choice((None, None, 100_000_000)),
    )


@settings(max_examples=120, deadline=None)
@given(worlds())
def test_the_candidates_and_the_plan_are_those_of_any_other_request(
    world: tuple[random.Random, int, str, float],
) -> None:
    rng, count, strategy, draw = world
    table = _table(rng, count, strategy)
    live = live_of(table)
    for index in range(count):
        if rng.random() < 0.2:
            open_breaker(live, index, NOW)
    needs, route = _needs(rng), table.resolve("auto")
    known = [
        place(f"p{n % 5}/m{n}", prefix=rng.choice((500, 2_000, 50_000)), age_s=rng.uniform(0, 900))
        for n in rng.sample(range(count + 3), min(count, 4))
    ]
    recall = talk(*known, marked=rng.random() < 0.5)
    plain = rank(table, route, needs, live, now=NOW, draw=draw)
    with_talk = rank(table, route, needs, live, now=NOW, draw=draw, recall=recall)
    if not isinstance(plain, Ranking) or not isinstance(with_talk, Ranking):
        assert type(plain) is type(with_talk)
        return
    order = list(with_talk.order(None))
    assert sorted(order) == sorted(plain.strategy(plain.field))

    def once() -> Plan | str:
        try:
            return make_plan(table, route, needs, live, now=NOW, draw=draw, recall=recall)
        except InterchangeError as error:
            return error.code

    first, again = once(), once()
    assert first == again
    if isinstance(first, Plan):
        eligible = with_talk.field.eligible.flags
        assert all(
            eligible[target.index] and live.targets[target.index].usable(NOW) for target in first.targets
        )
        assert len({target.id for target in first.targets}) == len(first.targets)
        usable = [index for index in order if live.targets[index].usable(NOW)]
        assert [target.index for target in first.targets] == usable[: len(first.targets)]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 20), st.floats(0.5, 20), st.floats(0, 600), st.integers(1_100, 100_000))
def test_a_conversation_that_stays_once_goes_on_to_stay(
    a_usd: float, b_usd: float, age_s: float, prefix: int
) -> None:
    """No ping-pong: wherever the rule puts a conversation, it keeps it there on the next turn."""
    table = table_of(
        cached_target("a/m", caching(a_usd)), cached_target("b/m", caching(b_usd)), strategy="cost"
    )
    live, needs = live_of(table), Requirements(input_tokens=prefix + 500, output_tokens=200)
    last = place("a/m", prefix=prefix, age_s=age_s)
    first = make_plan(table, table.resolve("auto"), needs, live, now=NOW, draw=0.5, recall=talk(last))
    here = first.targets[0].id
    newest = place(here, prefix=prefix, age_s=0.0)
    others = (last,) if here != "a/m" else ()
    second = make_plan(
        table, table.resolve("auto"), needs, live, now=NOW, draw=0.5, recall=talk(newest, *others)
    )

    assert NOW_US > 0 and second.targets[0].id == here
