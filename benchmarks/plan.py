"""How long a plan takes over a catalogue of 2,330 targets, with needs drawn at random (SPEC P4: p99 <= 1 ms).

Run: `python -m benchmarks.plan [--plans 20000] [--seed 1]`. Prints p50, p99 and the largest, in microseconds,
per strategy over the whole catalogue (`auto`), once for new requests and once (`warm`) for those that
continue a conversation which two targets answered; and for a route of three targets. Asserts nothing.
The last column is the p99 of processor time, which a busy machine disturbs less. A tenth of the plans run
first, unmeasured: orders by cost are kept per request size, and a first one takes about a millisecond.
"""

import argparse
import contextlib
import gc
import random
import time
from collections.abc import Callable

from domain.catalog.offering import Offering
from domain.catalog.prices import PriceTable, Rates, Tier
from domain.errors import InterchangeError
from domain.llm.capabilities import Capability
from domain.routing.conversation import Conversation, Place
from domain.routing.explanation import explain
from domain.routing.live import LiveState
from domain.routing.plan import make_plan
from domain.routing.requirements import REGIONS, Requirements
from domain.routing.strategies import STRATEGIES
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, Target

TARGETS = 2_330
PROVIDERS = 47
NOW_US = 1_800_000_000_000_000
CONTEXTS = (4_096, 8_192, 16_384, 32_768, 65_536, 128_000, 200_000, 262_144, 1_000_000, 2_000_000)
TAGS = ("fast", "cheap", "eu-hosted", "preview")
COMPLIANCE = ("hipaa", "pci-dss", "soc2")


def synthetic_target(index: int, rng: random.Random) -> Target:
    """A target as varied as a real catalogue's: some without price, context or quality, a few with tiers."""
    provider, model = f"provider-{index % PROVIDERS}", f"model-{index}"
    capabilities = Capability.TEXT | Capability.STREAMING
    for capability in (Capability.VISION, Capability.FUNCTION_CALLING, Capability.STRUCTURED_OUTPUT):
        if rng.random() < 0.5:
            capabilities |= capability
    rate = int(10 ** rng.uniform(7.5, 10.5))
    base = Rates(input=rate, output=rate * rng.randint(1, 5), cached_read=rate // 10)
    tiers = (Tier(above_input_tokens=200_000, rates=Rates(input=rate * 2, output=rate * 8)),)
    prices = PriceTable(base=base, tiers=tiers if rng.random() < 0.03 else ())
    offering = Offering(
        provider=provider,
        model=model,
        prices=prices if rng.random() < 0.95 else PriceTable(),
        capabilities=capabilities,
        context_tokens=rng.choice(CONTEXTS) if rng.random() < 0.9 else None,
        quality=rng.random() if rng.random() < 0.6 else None,
    )
    return Target(
        index=index,
        id=f"{provider}/{model}",
        provider=provider,
        model=model,
        offering=offering,
        wire="openai",
        region=rng.choice(REGIONS) if rng.random() < 0.7 else None,
        compliance=frozenset(rng.sample(COMPLIANCE, rng.randint(0, 3))),
        tags=frozenset(rng.sample(TAGS, rng.randint(0, 2))),
    )


def synthetic_table(rng: random.Random) -> RoutingTable:
    """The whole catalogue as route `auto`, and three of its targets as route `small`."""
    targets = [synthetic_target(index, rng) for index in range(TARGETS)]
    auto = Route(name="auto", targets=tuple(RouteTarget(target=target) for target in targets))
    small = Route(name="small", targets=auto.targets[:3])
    return RoutingTable.compile(
        targets, {"auto": auto, "small": small}, default_route="auto", home_region="eu-west"
    )


def random_needs(rng: random.Random, strategy: str) -> Requirements:
    """What callers may ask for: mostly little, sometimes everything at once."""
    needs = Requirements(
        capabilities=rng.choice((Capability(0), Capability.VISION, Capability.FUNCTION_CALLING)),
        input_tokens=rng.choice((0, 300, 2_000, 30_000, 250_000)),
        output_tokens=rng.choice((0, 200, 2_000)),
        strategy=strategy,
    )
    if rng.random() < 0.3:
        needs.residency = rng.choice(REGIONS)
    if rng.random() < 0.3:
        needs.max_cost_nano_usd_per_mtok = int(10 ** rng.uniform(8.5, 10.5))
    if rng.random() < 0.2:
        needs.compliance = frozenset({rng.choice(COMPLIANCE)})
    if rng.random() < 0.2:
        needs.tags = frozenset({rng.choice(TAGS)})
    if rng.random() < 0.2:
        needs.quality_floor = rng.random() * 0.8
    if rng.random() < 0.2:
        needs.max_latency_ms = rng.randint(500, 20_000)
    return needs


def warmed(table: RoutingTable, rng: random.Random) -> LiveState:
    """Live state after some traffic: latencies known, a twentieth of the targets cooling down."""
    live = LiveState(table)
    for state in live.targets:
        for _ in range(12):
            state.latency.observe(rng.uniform(0.3, 8.0), 100.0)
        state.ttft.observe(rng.uniform(0.1, 2.0), 100.0)
        state.provider.health.record(rng.random() < 0.97, 1.0, 100.0)
        if rng.random() < 0.05:
            state.cool_down(1_000.0)
    return live


def continued(draw: float) -> Callable[[], Conversation]:
    """A conversation that was answered by two targets of the catalogue, drawn with the request."""
    places = tuple(
        Place(f"provider-{index % PROVIDERS}/model-{index}", "", 20_000, 20_000, False, NOW_US - 60_000_000)
        for index in (int(draw * TARGETS), int(draw * 997))
    )
    return lambda: Conversation(b"conversation", places, True, NOW_US)


def measure(label: str, work: Callable[[Requirements, float], object], needs: list[Requirements]) -> None:
    """Times each piece of work and prints the distribution; a refusal counts as work like any other."""
    durations_ns, processor_ns, refused = [], [], 0
    draw_rng = random.Random(2)
    for requirements in needs[: len(needs) // 10]:
        with contextlib.suppress(InterchangeError):
            work(requirements, draw_rng.random())
    for requirements in needs[len(needs) // 10 :]:
        draw = draw_rng.random()
        processor_started, started = time.thread_time_ns(), time.perf_counter_ns()
        try:
            work(requirements, draw)
        except InterchangeError:
            refused += 1
        durations_ns.append(time.perf_counter_ns() - started)
        processor_ns.append(time.thread_time_ns() - processor_started)
    durations_ns.sort()
    processor_ns.sort()
    p50, p99 = (durations_ns[int(len(durations_ns) * share)] / 1000 for share in (0.50, 0.99))
    processor_p99 = processor_ns[int(len(processor_ns) * 0.99)] / 1000
    print(
        f"{label:32} p50 {p50:8.1f} us   p99 {p99:8.1f} us   max {durations_ns[-1] / 1000:8.1f} us"
        f"   refused {refused / len(durations_ns):5.1%}   cpu p99 {processor_p99:8.1f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    started = time.perf_counter()
    table = synthetic_table(rng)
    print(f"{TARGETS} targets compiled in {(time.perf_counter() - started) * 1000:.0f} ms")
    live = warmed(table, rng)
    gc.collect()
    gc.freeze()
    per_strategy = max(1, options.plans // (len(STRATEGIES) + 1))
    for name in sorted(STRATEGIES):
        needs = [random_needs(rng, name) for _ in range(per_strategy)]
        measure(
            f"auto, {name}",
            lambda r, draw: make_plan(table, table.resolve("auto"), r, live, now=100.0, draw=draw),
            needs,
        )
    for name in sorted(STRATEGIES):
        needs = [random_needs(rng, name) for _ in range(per_strategy)]
        measure(
            f"auto, {name}, warm",
            lambda r, draw: make_plan(
                table, table.resolve("auto"), r, live, now=100.0, draw=draw, recall=continued(draw)
            ),
            needs,
        )
    plain = [Requirements(input_tokens=300, output_tokens=200) for _ in range(per_strategy)]
    measure(
        "auto, balanced, nothing demanded",
        lambda r, draw: make_plan(table, table.resolve("auto"), r, live, now=100.0, draw=draw),
        plain,
    )
    measure(
        "three targets, balanced",
        lambda r, draw: make_plan(table, table.resolve("small"), r, live, now=100.0, draw=draw),
        plain,
    )
    measure(
        "one target by name",
        lambda r, draw: make_plan(table, table.resolve("provider-0/model-0"), r, live, now=100.0, draw=draw),
        plain,
    )
    measure(
        "explain over auto, 50 described",
        lambda r, draw: explain(table, table.resolve("auto"), r, live, now=100.0, draw=draw, limit=50),
        plain[:50],
    )


if __name__ == "__main__":
    main()
