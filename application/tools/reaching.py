"""Looks whether an integration can be reached, and says so in the words of whoever asked."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from application.ports.connector import Connector
from application.ports.system import Clock
from domain.connectors.health import Seen
from domain.connectors.integration import Integration
from domain.connectors.tool import Tool
from domain.errors import EgressRefused, IntegrationUnavailable, InterchangeError, InvalidConfiguration
from domain.vault.secret import SecretBytes

CHECK_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 5.0


class Reached(NamedTuple):
    """What a check came to. `facts` are what the other side told, such as its version; `tools` are those the
    connector has since. `complaint`: why somebody should look at it all the same."""

    latency_ms: float
    facts: Mapping[str, Any]
    tools: Sequence[Tool] = ()
    complaint: str = ""


class OpensConnectors(Protocol):
    async def open(
        self, integration: Integration, secrets: Mapping[str, SecretBytes] | None = None
    ) -> Connector: ...


async def reach(connector: Connector, name: str, clock: Clock) -> Reached:
    """Raises IntegrationUnavailable, and InvalidConfiguration for what only the other side could tell, or
    where our own rules let nobody go there."""
    began_s = clock.monotonic()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            facts = await connector.check()
    except TimeoutError:
        raise IntegrationUnavailable(
            f"integration {name!r} did not answer within {CHECK_TIMEOUT_S:g} s"
        ) from None
    except EgressRefused as error:
        raise InvalidConfiguration(f"endpoint: {error.message}", param="endpoint") from error
    except (InvalidConfiguration, IntegrationUnavailable):
        raise
    except InterchangeError as error:
        raise IntegrationUnavailable(f"integration {name!r} cannot be used: {error.message}") from error
    return Reached((clock.monotonic() - began_s) * 1000.0, facts, connector.tools)


async def reach_anew(
    opening: OpensConnectors, integration: Integration, secrets: Mapping[str, SecretBytes], clock: Clock
) -> Reached:
    """With a connector of its own, opened and closed. Raises as `reach` and as opening does."""
    connector = await opening.open(integration, secrets)
    try:
        return await reach(connector, integration.integration_id, clock)
    finally:
        await _within(connector.aclose(), CLOSE_TIMEOUT_S)


class Attempt(NamedTuple):
    """What an attempt to reach an integration came to; `reached` None: `error` says why."""

    seen: Seen
    reached: Reached | None = None
    error: InterchangeError | None = None


async def attempted(reaching: Awaitable[Reached], clock: Clock) -> Attempt:
    """Never raises what keeps an integration from being reached."""
    began_s = clock.monotonic()
    try:
        reached = await reaching
    except InterchangeError as error:
        return Attempt(Seen((clock.monotonic() - began_s) * 1000.0, error.message), error=error)
    return Attempt(Seen(reached.latency_ms, complaint=reached.complaint), reached)


async def _within(closing: Awaitable[None], timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await closing
    except TimeoutError:
        return  # it ends with its sockets
