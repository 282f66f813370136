"""Holding what upstream servers say of their tools against what was accepted."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from application.ports.system import Clock
from application.ports.tool_pins import ToolPin, ToolPins
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import Tool
from domain.connectors.tool_pins import PinVerdict, judge, pins_of
from domain.errors import StoreUnavailable


async def accepted_of(
    pins: ToolPins, integration: Integration, tools: Sequence[Tool], clock: Clock
) -> Mapping[str, ToolPin]:
    """What is accepted of an integration; what is seen first is accepted now. Raises StoreUnavailable."""
    place = (integration.tenant_id, integration.integration_id)
    known = await pins.of(*place)
    if known or not tools:
        return known
    now_us = int(clock.utc_now().timestamp() * 1e6)
    first = {name: ToolPin(digest, now_us, "") for name, digest in pins_of(tools).items()}
    return await pins.accept(*place, first, only_first=True)


def verdict_of(integration: Integration, pins: Mapping[str, ToolPin], tools: Sequence[Tool]) -> PinVerdict:
    """What of its tools may be used."""
    digests = {name: pin.digest for name, pin in pins.items()}
    allow_new = integration.configuration.get("new_tools") == "allow"
    return judge(digests, tools, allow_new=allow_new)


async def complaint_of(
    pins: ToolPins | None, integration: Integration, tools: Sequence[Tool], clock: Clock
) -> str:
    """As `complaint`, of what a server says now; what is seen first is accepted. Empty too where nobody can
    tell: whoever wants to use the tools finds out."""
    if pins is None or integration.kind is not IntegrationKind.MCP:
        return ""
    with suppress(StoreUnavailable):
        accepted = await accepted_of(pins, integration, tools, clock)
        return complaint(verdict_of(integration, accepted, tools))
    return ""


def complaint(verdict: PinVerdict) -> str:
    """Why people should look, in one line; empty: there is nothing to look at."""
    if not verdict.withheld:
        return ""
    names = ", ".join(verdict.withheld[:5]) + (", …" if len(verdict.withheld) > 5 else "")
    return f"{len(verdict.withheld)} of its tools are not what was accepted and are withheld: {names}"
