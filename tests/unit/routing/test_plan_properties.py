"""Properties of plans and explanations, over drawn catalogues, live states and demands."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.prices import UNKNOWN_PRICES, Tier, bill, blended_nano_usd_per_mtok
from domain.errors import Forbidden, InterchangeError, InvalidRequirements, NoProviderAvailable
from domain.llm.capabilities import Capability
from domain.llm.usage import Usage
from domain.routing.explanation import explain
from domain.routing.live import LiveState
from domain.routing.plan import make_plan
from domain.routing.requirements import REGIONS, Requirements
from domain.routing.strategies import STRATEGIES
from domain.routing.table import RoutingTable
from domain.routing.target import Target
from tests.unit.routing._world import TEXT, USD_PER_MTOK, live_of, open_breaker, priced, table_of, target


@st.composite
def targets(draw: st.DrawFn, place: int) -> Target:
    tier = Tier(above_input_tokens=5_000, rates=priced(9, 9).base)
    return target(
        f"{draw(st.sampled_from('abc'))}/m{place}",
        prices=draw(
            st.sampled_from([UNKNOWN_PRICES, priced(1, 2), priced(0.1, 5), priced(3, 3, tier), priced(0, 0)])
        ),
        capabilities=draw(st.sampled_from([TEXT, TEXT | Capability.VISION, Capability.EMBEDDINGS])),
        context=draw(st.sampled_from([None, 4_000, 32_000])),
        quality=draw(st.sampled_from([None, 0.0, 0.4, 0.8])),
        region=draw(st.sampled_from([None, "eu-west", "us-east"])),
        regions=draw(st.sampled_from([(), ("eu-west",), ("eu-west", "apac")])),
        compliance=draw(st.sampled_from([(), ("hipaa",)])),
        tags=draw(st.sampled_from([(), ("fast",)])),
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[RoutingTable, LiveState, Requirements, float]:
    count = draw(st.integers(1, 12))
    members = [
        (place, draw(st.sampled_from([0.0, 1.0, 3.0])), draw(st.sampled_from([0, 1])))
        for place in range(count)
    ]
    table = table_of(
        *(draw(targets(place)) for place in range(count)), members=members, home_region="us-west"
    )
    live = live_of(table)
    for state in live.targets:
        for _ in range(draw(st.sampled_from([0, 10]))):
            state.latency.observe(draw(st.sampled_from([0.2, 3.0])), 0.0)
        state.in_flight = draw(st.integers(0, 3))
        if draw(st.integers(0, 5)) == 0:
            state.cool_down(50.0)
        if draw(st.integers(0, 5)) == 0:
            open_breaker(live, live.targets.index(state), 0.0)
        if draw(st.integers(0, 2)) == 0:
            state.provider.health.record(draw(st.booleans()), 1.0, 0.0)
            state.ttft.observe(draw(st.sampled_from([0.1, 2.0])), 0.0)
    needs = Requirements(
        capabilities=draw(st.sampled_from([Capability(0), Capability.TEXT, Capability.VISION])),
        input_tokens=draw(st.sampled_from([0, 500, 6_000])),
        output_tokens=draw(st.sampled_from([0, 500])),
        max_cost_nano_usd_per_mtok=draw(st.none() | st.integers(0, 4 * USD_PER_MTOK)),
        max_cost_nano_usd=draw(st.none() | st.integers(0, 20_000_000)),
        max_latency_ms=draw(st.sampled_from([None, None, 1_000])),
        residency=draw(st.sampled_from([None, None, *REGIONS])),
        compliance=frozenset(draw(st.sampled_from([(), (), ("hipaa",)]))),
        tags=frozenset(draw(st.sampled_from([(), (), ("fast",)]))),
        quality_floor=draw(st.sampled_from([None, None, 0.4])),
        strategy=draw(st.sampled_from([None, *STRATEGIES])),
        allowed_models=draw(st.sampled_from([None, None, frozenset({"a/*", "b/m1"})])),
    )
    return table, live, needs, draw(st.floats(0, 1, exclude_max=True))


def violates(one: Target, needs: Requirements, live: LiveState, now: float) -> bool:
    """The demands again, one target at a time, written without the planner's sets."""
    offering, state = one.offering, live.targets[one.index]
    tokens = needs.input_tokens, needs.output_tokens
    sizes = tokens if any(tokens) else (1_000, 250)
    cost = bill(offering.prices, Usage(*sizes))
    blended = blended_nano_usd_per_mtok(offering.prices, *sizes)
    place = one.region or (min(offering.regions) if len(offering.regions) == 1 else None)
    p95_ms = state.latency.predicted_p95_ms(now)
    return any(
        (
            needs.capabilities & ~offering.capabilities,
            offering.context_tokens is not None and sum(tokens) > offering.context_tokens,
            needs.residency not in (None, "global", place),
            not needs.compliance <= one.compliance,
            not needs.tags <= one.tags,
            needs.quality_floor is not None
            and (offering.quality is None or offering.quality < needs.quality_floor),
            needs.max_cost_nano_usd is not None and (cost is None or cost > needs.max_cost_nano_usd),
            needs.max_cost_nano_usd_per_mtok is not None
            and (blended is None or blended > needs.max_cost_nano_usd_per_mtok),
            needs.max_latency_ms is not None and p95_ms is not None and p95_ms > needs.max_latency_ms,
            needs.allowed_models is not None and not (one.provider == "a" or one.id == "b/m1"),
        )
    )


@settings(max_examples=80, deadline=None)
@given(situation=situations())
def test_a_plan_holds_only_what_satisfies_every_demand_and_misses_nothing(
    situation: tuple[RoutingTable, LiveState, Requirements, float],
) -> None:
    table, live, needs, draw = situation
    now = 10.0
    fitting = {one.id for one in table.targets if not violates(one, needs, live, now)}
    usable = {name for name in fitting if live.targets[table.by_id[name].index].usable(now)}
    try:
        made = make_plan(table, table.resolve("auto"), needs, live, now=now, draw=draw)
    except NoProviderAvailable as refusal:
        assert fitting
        assert not usable
        assert refusal.retry_after_s is not None
        return
    except (InvalidRequirements, Forbidden):
        assert not fitting
        return
    planned = [one.id for one in (*made.targets, *made.spares)]
    assert set(planned) <= usable
    assert len(set(planned)) == len(planned)
    assert len(made.targets) == min(4, len(usable))
    assert made.candidates == len(fitting)


@settings(max_examples=80, deadline=None)
@given(situation=situations())
def test_an_explanation_tells_the_plans_story(
    situation: tuple[RoutingTable, LiveState, Requirements, float],
) -> None:
    table, live, needs, draw = situation
    route = table.resolve("auto")
    told = explain(table, route, needs, live, now=10.0, draw=draw)
    kept = [one.target_id for one in told.candidates if one.kept]
    assert len(told.candidates) == len(table.targets)
    assert all(one.kept == (one.reason is None) == (one.rank is not None) for one in told.candidates)
    assert [one.rank for one in told.candidates if one.kept] == list(range(len(kept)))
    try:
        made = make_plan(table, route, needs, live, now=10.0, draw=draw)
    except InterchangeError as refusal:
        assert told.refusal is not None
        assert (type(told.refusal), told.refusal.message) == (type(refusal), refusal.message)
        assert not kept
        return
    assert told.refusal is None
    assert kept[: told.attempts_max] == [one.id for one in made.targets]
    assert told.strategy == made.strategy
