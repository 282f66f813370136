"""A route with one target is planned without ranking, and comes out the same."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalog.offering import Offering
from domain.errors import InterchangeError
from domain.llm.capabilities import Capability
from domain.resilience.breaker import Permit
from domain.routing import plan as planning
from domain.routing.live import LiveState
from domain.routing.plan import Plan, make_plan
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Target


def table(context: int | None, capabilities: Capability) -> RoutingTable:
    offering = Offering(provider="p", model="m", context_tokens=context, capabilities=capabilities)
    return RoutingTable.compile(
        [Target(index=0, id="p/m", provider="p", model="m", offering=offering, wire="openai")], {}
    )


def outcome(table: RoutingTable, live: LiveState, wanted: Requirements, reachable: bool) -> Plan | str:
    try:
        return make_plan(
            table, table.resolve("p/m"), wanted, live, now=100.0, draw=0.5, reachable=lambda _: reachable
        )
    except InterchangeError as error:
        return error.code


@settings(max_examples=60)
@given(
    context=st.none() | st.integers(1, 200),
    able=st.sampled_from([Capability.TEXT, Capability.TEXT | Capability.VISION]),
    needs=st.sampled_from([Capability(0), Capability.TEXT, Capability.VISION]),
    input_tokens=st.integers(0, 150),
    broken=st.booleans(),
    reachable=st.booleans(),
)
def test_the_short_cut_and_the_ranking_agree(
    context: int | None,
    able: Capability,
    needs: Capability,
    input_tokens: int,
    broken: bool,
    reachable: bool,
) -> None:
    compiled = table(context, able)
    live = LiveState(compiled)
    breaker = live.targets[0].breaker
    for _ in range(5 if broken else 0):
        permit = breaker.try_acquire(now=99.0)
        assert isinstance(permit, Permit)
        breaker.record(permit, ok=False, now=99.0)
    wanted = Requirements(capabilities=needs, input_tokens=input_tokens, output_tokens=10)
    short = outcome(compiled, live, wanted, reachable)
    short_cut = planning._sole_target
    try:
        planning._sole_target = lambda *_: None
        assert outcome(compiled, live, wanted, reachable) == short
    finally:
        planning._sole_target = short_cut
