"""What every connector promises, whatever is behind it.

A binding brings a `world`: one integration with a good call and one that goes on until it is cancelled, the
same with a wrong credential, with nobody there, and where our own rules let nothing through; and a side door
that tells how much still runs outside.
"""

import asyncio
import dataclasses
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

import pytest

from application.ports.connector import Connector
from contracts.ports._base import PortContract
from domain.connectors.tool import TOOL_SHAPE, ToolCall
from domain.errors import (
    EgressRefused,
    IntegrationUnavailable,
    InterchangeError,
    InvalidConfiguration,
    InvalidParameters,
    ToolFailed,
    ToolRefused,
)

ALLOWED = (InvalidParameters, ToolRefused, ToolFailed, IntegrationUnavailable, EgressRefused)
PATIENCE_S = 10.0
AT_ONCE = 8


class ConnectorWorld(Protocol):
    """The other side, and what it knows."""

    secrets: tuple[str, ...]
    """What must be seen by nobody."""

    @abstractmethod
    def connector(self) -> Connector:
        """Open, and everything is well; closed by the binding."""
        ...

    @abstractmethod
    def unauthorised(self) -> Connector:
        """The other side takes no call with its credential."""
        ...

    @abstractmethod
    def unreachable(self) -> Connector:
        """Nobody listens there."""
        ...

    @abstractmethod
    def forbidden(self) -> Connector:
        """The egress rules let nothing through to it."""
        ...

    @abstractmethod
    def good(self, connector: Connector) -> ToolCall: ...

    @abstractmethod
    def endless(self, connector: Connector) -> ToolCall:
        """Runs outside until somebody stops it."""
        ...

    @abstractmethod
    async def begun(self) -> None:
        """Returns once the endless call runs outside."""
        ...

    @abstractmethod
    async def idle(self) -> None:
        """Returns once nothing runs outside any more."""
        ...


class ConnectorContract(PortContract):
    """Behaviour, port-owned errors, concurrency, cancellation, and what holds when nobody is there."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[ConnectorWorld]:
        """A fresh one; what it opened is closed after the test."""
        raise NotImplementedError
        yield

    async def test_its_tools_are_well_formed_and_always_the_same(self, world: ConnectorWorld) -> None:
        tools = world.connector().tools

        assert tools
        assert len({tool.name for tool in tools}) == len(tools)
        for tool in tools:
            assert TOOL_SHAPE.fullmatch(tool.name)
            assert tool.description
            assert tool.parameters["type"] == "object"
            json.dumps(tool.parameters), json.dumps(tool.result)

    async def test_the_list_of_tools_is_one_object_until_it_changes(self, world: ConnectorWorld) -> None:
        connector = world.connector()

        assert connector.tools is connector.tools

    async def test_a_result_is_what_json_can_say(self, world: ConnectorWorld) -> None:
        connector = world.connector()

        outcome = await connector.execute(world.good(connector))

        assert json.loads(json.dumps(outcome.value)) == outcome.value

    async def test_many_calls_run_at_once(self, world: ConnectorWorld) -> None:
        connector = world.connector()

        calls = (connector.execute(world.good(connector)) for _ in range(AT_ONCE))
        outcomes = await asyncio.wait_for(asyncio.gather(*calls), PATIENCE_S)

        assert len(outcomes) == AT_ONCE
        assert connector.figures().busy == 0

    async def test_a_tool_that_it_does_not_have_is_an_error_of_the_port(self, world: ConnectorWorld) -> None:
        connector = world.connector()
        call = world.good(connector)
        unknown = dataclasses.replace(call, tool=dataclasses.replace(call.tool, name="no_such_tool"))

        with pytest.raises(ALLOWED):
            await connector.execute(unknown)

    async def test_a_check_tells_something_and_changes_no_tools(self, world: ConnectorWorld) -> None:
        connector = world.connector()
        tools = list(connector.tools)

        assert isinstance(await connector.check(), dict)
        assert list(connector.tools) == tools

    async def test_cancelling_stops_what_runs_outside(self, world: ConnectorWorld) -> None:
        connector = world.connector()
        running = asyncio.create_task(_executed(connector, world.endless(connector)))
        await asyncio.wait_for(world.begun(), PATIENCE_S)

        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

        await asyncio.wait_for(world.idle(), PATIENCE_S)
        assert connector.figures().busy == 0

    async def test_after_a_cancelled_call_the_next_is_as_good_as_ever(self, world: ConnectorWorld) -> None:
        connector = world.connector()
        before = await connector.execute(world.good(connector))
        running = asyncio.create_task(_executed(connector, world.endless(connector)))
        await asyncio.wait_for(world.begun(), PATIENCE_S)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        after = await connector.execute(world.good(connector))

        assert after.value == before.value

    async def test_nobody_there_is_unavailable(self, world: ConnectorWorld) -> None:
        connector = world.unreachable()

        await _fails(connector.check, IntegrationUnavailable, world.secrets)
        await _fails(lambda: connector.execute(world.good(connector)), IntegrationUnavailable, world.secrets)

    async def test_a_refused_credential_is_unavailable(self, world: ConnectorWorld) -> None:
        connector = world.unauthorised()

        await _fails(connector.check, (IntegrationUnavailable, InvalidConfiguration), world.secrets)
        await _fails(lambda: connector.execute(world.good(connector)), IntegrationUnavailable, world.secrets)

    async def test_what_egress_forbids_is_said_as_such(self, world: ConnectorWorld) -> None:
        connector = world.forbidden()

        await _fails(connector.check, EgressRefused, world.secrets)
        await _fails(lambda: connector.execute(world.good(connector)), EgressRefused, world.secrets)

    async def test_it_shows_no_secret(self, world: ConnectorWorld) -> None:
        connector = world.connector()
        outcome = await connector.execute(world.good(connector))

        shown = f"{connector!r} {connector.tools!r} {outcome!r} {connector.figures()!r}"

        assert not [secret for secret in world.secrets if secret in shown]

    async def test_what_it_cannot_stream_or_take_is_refused(self, world: ConnectorWorld) -> None:
        connector = world.connector()
        call = world.good(connector)

        if not call.tool.streams:
            with pytest.raises(ALLOWED):
                await connector.stream(call, "text/csv")
        if not call.tool.takes_body:
            with pytest.raises(ALLOWED):
                await connector.upload(call, _nothing(), 0)

    async def test_closing_twice_is_closing_once(self, world: ConnectorWorld) -> None:
        connector = world.connector()
        call = world.good(connector)

        await connector.aclose()
        await connector.aclose()

        with pytest.raises(IntegrationUnavailable):
            await connector.execute(call)

    async def test_closing_what_was_never_used_is_quiet(self, world: ConnectorWorld) -> None:
        await world.unreachable().aclose()


async def _executed(connector: Connector, call: ToolCall) -> None:
    await connector.execute(call)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


async def _fails(
    call: Callable[[], Coroutine[Any, Any, Any]],
    errors: type[InterchangeError] | tuple[type[InterchangeError], ...],
    secrets: tuple[str, ...],
) -> None:
    with pytest.raises(errors) as caught:
        await asyncio.wait_for(call(), PATIENCE_S)
    shown = f"{caught.value!r} {caught.value.message} {caught.value.details}"
    assert not [secret for secret in secrets if secret in shown]
