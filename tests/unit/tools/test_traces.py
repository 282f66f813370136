"""What a tool's side is told of the trace its call belongs to."""

from collections.abc import Mapping
from typing import Any

import pytest

from application.job import Job
from domain.connectors.terms import TraceTold, integration_terms
from domain.connectors.tool import ToolCall
from domain.errors import InvalidConfiguration
from domain.routing.target import Route
from domain.tracing.active import ActiveTrace, Receiver, TraceContext
from domain.tracing.context import TraceParent
from tests.unit.tools.world import World

TRACE, PARENT = "a" * 32, "b" * 16


class _Traced:
    """Puts a trace on every job, as the pipeline does when a call begins."""

    def __init__(self, told: frozenset[Receiver] = frozenset(Receiver)) -> None:
        context = TraceContext(TraceParent(TRACE, PARENT, 1), "vendor=1")
        self.trace = ActiveTrace(TRACE, context, True, told)

    def request(self, job: Job, route: Route) -> None:
        del route
        job.tracing = self.trace


async def told(configuration: Mapping[str, Any], traced: _Traced | None = None) -> dict[str, str]:
    """The headers that a call of this integration carries."""
    world, seen = World(configuration), list[ToolCall]()

    async def note(call: ToolCall) -> Mapping[str, Any]:
        seen.append(call)
        return {}

    world.work = note
    if traced is not None:
        world.inspectors.append(traced)
        world.execute._inspectors = tuple(world.inspectors)
    await world.run()
    return dict(seen[0].trace)


async def test_a_tool_is_told_the_ids_of_a_trace_and_nothing_of_its_state() -> None:
    headers = await told({}, _Traced())

    assert list(headers) == ["traceparent"]
    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert PARENT not in headers["traceparent"]


async def test_an_integration_may_be_told_everything() -> None:
    headers = await told({"trace_context": "full"}, _Traced())

    assert headers["tracestate"] == "vendor=1"


@pytest.mark.parametrize("off", ["off", False])
async def test_an_integration_may_be_told_nothing(off: object) -> None:
    assert await told({"trace_context": off}, _Traced()) == {}


async def test_no_integration_is_told_what_the_operator_tells_no_tool() -> None:
    assert await told({"trace_context": "full"}, _Traced(frozenset({Receiver.GATEWAY}))) == {}


async def test_calls_outside_of_traces_tell_nothing() -> None:
    assert await told({"trace_context": "full"}) == {}


@pytest.mark.parametrize("wrong", ["all", True, None, 1, ["ids"], {}])
def test_only_known_words_say_what_an_integration_is_told(wrong: object) -> None:
    with pytest.raises(InvalidConfiguration, match="off, ids, full") as refused:
        integration_terms({"trace_context": wrong})

    assert refused.value.param == "trace_context"


def test_ids_are_told_where_nothing_is_said() -> None:
    assert integration_terms({}).trace_told is TraceTold.IDS
