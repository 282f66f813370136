"""Running one tool: every gate, every end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from domain.connectors.integration import IntegrationState
from domain.connectors.tool import RESULT_BYTES_MAX, ToolCall
from domain.errors import (
    AgentStopped,
    Forbidden,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    NotFound,
    PiiBlocked,
    ResidencyViolation,
    ToolFailed,
    ToolRefused,
    ToolTimeout,
)
from domain.resilience.breaker import BreakerState
from tests.unit.tools.world import World, caller, hang


async def test_a_tool_runs_and_leaves_one_row() -> None:
    world = World({"cost_usd_per_call": "0.002"})

    assert await world.run(21) == b'{"doubled":42}'

    (event,) = world.records.events
    assert (event.operation, event.provider, event.model) == ("tool", "shop", "double")
    assert (event.outcome, event.cost_nano_usd, event.attempts_made) == ("ok", 2_000_000, 1)
    assert world.records.open == 0


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"integration_id": "other"}, NotFound),
        ({"tool_name": "halve"}, NotFound),
        ({"parameters": {"n": -1}}, InvalidParameters),
        ({"parameters": {"n": 1, "m": 2}}, InvalidParameters),
        ({"parameters": {}}, InvalidParameters),
        ({"parameters": {"n": float("nan")}}, InvalidParameters),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    asked: dict[str, Any], error: type[InterchangeError]
) -> None:
    world = World()
    wanted = world.asked()
    for name, value in asked.items():
        setattr(wanted, name, value)

    with pytest.raises(error) as refused:
        await world.execute.execute(caller(), wanted, request_id="req_1")

    assert refused.value.param
    assert all(event.attempts_made == 0 for event in world.records.events)
    assert world.records.open == 0


async def test_a_wrong_parameter_is_named() -> None:
    with pytest.raises(InvalidParameters, match="minimum") as refused:
        await World().run(-5)

    assert refused.value.param == "parameters.n"


async def test_a_key_reaches_the_integrations_it_names_and_no_other() -> None:
    world = World()

    with pytest.raises(NotFound):
        await world.run(by=caller(integrations=frozenset({"erp*"})))
    assert await world.run(by=caller(integrations=frozenset({"sh*"}))) == b'{"doubled":4}'


async def test_another_tenant_finds_nothing() -> None:
    with pytest.raises(NotFound):
        await World().run(by=caller(tenant_id="globex"))


async def test_running_tools_needs_its_permission() -> None:
    with pytest.raises(Forbidden):
        await World().run(by=caller(permissions=frozenset()))


async def test_whoever_is_stopped_reaches_no_tool() -> None:
    world = World()
    world.records.stop = AgentStopped("stopped")

    with pytest.raises(AgentStopped):
        await world.run()
    (event,) = world.records.events
    assert (event.outcome, event.status) == ("refused", 599)  # as the entrypoint says of every error


@pytest.mark.parametrize("state", [IntegrationState.DISABLED, IntegrationState.MAINTENANCE])
async def test_what_is_paused_says_so(state: IntegrationState) -> None:
    world = World()
    world.book.use([replace(world.shop, state=state)])

    with pytest.raises(IntegrationUnavailable, match=r"disabled|maintenance"):
        await world.run()


async def test_content_that_must_stay_somewhere_does_not_leave() -> None:
    world = World({"region": "us-east"})

    with pytest.raises(ResidencyViolation):
        await world.run(residency="eu-west")


async def test_a_tool_that_takes_too_long_is_cancelled_there() -> None:
    world, cancelled = World({"cost_usd_per_call": 1}), asyncio.Event()

    async def slow(call: ToolCall) -> Mapping[str, Any]:
        try:
            return await hang(call)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    world.work = slow
    with pytest.raises(ToolTimeout) as refused:
        await world.run(timeout_s=0.02)

    assert cancelled.is_set()
    assert refused.value.details == {"repeatable": False}
    (event,) = world.records.events
    assert (event.outcome, event.attempts[0].outcome) == ("error", "timeout")
    assert event.cost_nano_usd == 1_000_000_000  # it may have been done


async def test_a_caller_who_leaves_ends_the_call() -> None:
    world = World()
    world.work = hang
    running = asyncio.create_task(world.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    (event,) = world.records.events
    assert (event.outcome, event.status) == ("cancelled", 499)
    (entry,) = world.book.all()
    assert (entry.bulkhead.busy, world.records.open) == (0, 0)


@pytest.mark.parametrize("error", [ToolFailed("no"), ToolRefused("not this"), IntegrationUnavailable("away")])
async def test_what_a_connector_says_reaches_the_caller_and_costs_nothing(error: InterchangeError) -> None:
    world = World({"cost_usd_per_call": 1})

    async def fail(_call: ToolCall) -> Mapping[str, Any]:
        raise error

    world.work = fail
    with pytest.raises(type(error)):
        await world.run()
    assert [event.cost_nano_usd for event in world.records.events] == [0]


async def test_a_defect_of_a_connector_tells_nothing_of_itself() -> None:
    world = World()

    async def broken(_call: ToolCall) -> Mapping[str, Any]:
        raise RuntimeError("password=hunter2")

    world.work = broken
    with pytest.raises(ToolFailed) as refused:
        await world.run()
    assert "hunter2" not in refused.value.message
    assert "hunter2" not in world.records.events[0].attempts[0].message


@pytest.mark.parametrize("value", [{"x": float("inf")}, {"x": b"bytes"}, {"x": object()}])
async def test_a_result_that_json_cannot_say_is_a_failure(value: dict[str, Any]) -> None:
    world = World()

    async def odd(_call: ToolCall) -> Mapping[str, Any]:
        return value

    world.work = odd
    with pytest.raises(ToolFailed):
        await world.run()


async def test_a_result_that_is_too_large_is_refused() -> None:
    world = World()

    async def large(_call: ToolCall) -> Mapping[str, Any]:
        return {"x": "a" * RESULT_BYTES_MAX}

    world.work = large
    with pytest.raises(ToolRefused, match="stream"):
        await world.run()


async def test_failures_open_the_breaker_and_a_probe_closes_it() -> None:
    world = World({"circuit_breaker": {"failure_threshold": 2, "recovery_timeout_s": 10}})

    async def away(_call: ToolCall) -> Mapping[str, Any]:
        raise IntegrationUnavailable("away")

    good, world.work = world.work, away
    for _ in range(2):
        with pytest.raises(IntegrationUnavailable, match="away"):
            await world.run()
    with pytest.raises(IntegrationUnavailable, match="left alone") as refused:
        await world.run()
    assert refused.value.retry_after_s == 10
    world.work = good
    world.clock.advance(10.1)
    assert await world.run(1) == b'{"doubled":2}'
    assert [state for _, state in world.told] == [BreakerState.OPEN, BreakerState.CLOSED]


async def test_mistakes_of_callers_open_no_breaker() -> None:
    world = World({"circuit_breaker": {"failure_threshold": 1}})

    async def refuse(_call: ToolCall) -> Mapping[str, Any]:
        raise ToolRefused("no such table")

    world.work = refuse
    for _ in range(3):
        with pytest.raises(ToolRefused):
            await world.run()


async def test_only_so_many_run_and_wait_at_once() -> None:
    world = World({"max_concurrency": 1, "max_waiting": 1})
    world.work = hang
    first, second = (asyncio.create_task(world.run(timeout_s=0.05)) for _ in range(2))
    await asyncio.sleep(0.01)

    with pytest.raises(IntegrationUnavailable, match="max_waiting"):
        await world.run()
    for task in (first, second):
        with pytest.raises(ToolTimeout):
            await task
    (entry,) = world.book.all()
    assert (entry.bulkhead.busy, entry.bulkhead.waiting) == (0, 0)


async def test_a_changed_integration_is_opened_anew_and_the_old_one_closed() -> None:
    world = World()
    await world.run()
    (entry,) = world.book.all()
    old = entry.connector
    world.book.use([replace(world.shop, version=2)])
    await world.run()
    await asyncio.sleep(0)

    assert getattr(old, "closed", False)
    assert world.book.all()[0].connector is not old


async def test_a_stream_is_recorded_when_it_ends() -> None:
    world = World(streams=frozenset({"text/csv"}))
    stream = await world.execute.stream(caller(), world.asked(5), "text/csv", request_id="req_1")

    assert world.records.events == []
    assert await stream.next_chunk() == b"10"
    assert await stream.next_chunk() == b""
    await stream.aclose()
    assert world.outcomes == ["ok"]
    assert world.records.events[0].response_bytes == 2


async def test_a_stream_that_is_left_is_cancelled() -> None:
    world = World(streams=frozenset({"text/csv"}))
    stream = await world.execute.stream(caller(), world.asked(5), "text/csv", request_id="req_1")
    await stream.aclose()

    assert world.outcomes == ["cancelled"]
    assert world.records.open == 0


async def test_a_tool_streams_only_what_it_offers() -> None:
    with pytest.raises(InvalidParameters, match="allowed: none"):
        await World().execute.stream(caller(), World().asked(), "text/csv", request_id="req_1")


async def pieces() -> AsyncIterator[bytes]:
    yield b"ab"
    yield b"cd"


async def test_bytes_are_uploaded_to_tools_that_take_them() -> None:
    world = World(takes_body=True)
    answer = await world.execute.upload(caller(), world.asked(), pieces(), 4, request_id="req_1")

    assert answer.result == b'{"size_bytes":4}'
    with pytest.raises(InvalidParameters):
        await World().execute.upload(caller(), world.asked(), pieces(), 4, request_id="req_1")


async def test_what_a_policy_must_read_is_not_streamed_unread() -> None:
    world = World(streams=frozenset({"text/csv"}))

    def refuse(*_: object) -> None:
        raise PiiBlocked("not unread")

    world.execute._refuse_unread = refuse
    with pytest.raises(PiiBlocked):
        await world.execute.stream(caller(), world.asked(), "text/csv", request_id="req_1")
    assert world.outcomes == ["refused"]
