"""Looking at what upstream servers say of their tools, and accepting it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from application.ports.system import Clock
from application.ports.tool_pins import ToolPin, ToolPins
from application.tools.book import IntegrationBook, Open
from application.tools.pinning import verdict_of
from application.use_cases.manage_integrations import OPERATE, READ, ManageIntegrations
from domain.connectors.integration import INSTALLATION, IntegrationKind
from domain.connectors.tool import TOOLS_PER_INTEGRATION_MAX, Tool
from domain.connectors.tool_pins import PinVerdict
from domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, StoreUnavailable
from domain.tenancy.principal import Principal
from domain.tenancy.role import OPERATOR_TENANT

ACCEPTED: Final = "accepted"
CHANGED: Final = "changed"
NEW: Final = "new"
GONE: Final = "gone"


class PinnedTool(NamedTuple):
    """One tool as its server says it now (None: it is gone), and as it was accepted (None: never). `usable`:
    whether it may be called."""

    name: str
    state: str
    usable: bool
    digest: str | None
    tool: Tool | None
    pin: ToolPin | None


class ManageToolPins:
    """Only of upstream MCP servers: tools of other integrations are said by ourselves."""

    def __init__(
        self,
        manage: ManageIntegrations,
        book: IntegrationBook,
        pins: ToolPins,
        clock: Clock,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """`changed` is told after something was accepted."""
        self._manage = manage
        self._book = book
        self._pins = pins
        self._clock = clock
        self._changed = changed

    async def tools(
        self, by: Principal, integration_id: str, tenant_id: str | None = None
    ) -> list[PinnedTool]:
        """By name, as this process saw them last; its server is asked where nobody did yet.

        Raises NotFound, Forbidden, InvalidRequest for one of another type, IntegrationUnavailable,
        ToolFailed, StoreUnavailable.
        """
        entry = await self._entry(by, integration_id, tenant_id, READ)
        await self._book.seen(entry)
        verdict = await self._book.hold(entry)
        return _listed(entry.told, verdict, entry.pins)

    async def accept(
        self,
        by: Principal,
        integration_id: str,
        tenant_id: str | None = None,
        *,
        names: Sequence[str] | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> list[PinnedTool]:
        """From now on these may be used as their server says them now; None: all of them, and those that are
        gone are forgotten. `digests` are of what somebody looked at: where a tool says something else by now,
        nothing is accepted. In force on this instance when it returns, within a second on all.

        Raises as `tools`, and Conflict; Forbidden too for what is declared for every tenant, which only the
        tenant that runs the installation accepts.
        """
        entry = await self._entry(by, integration_id, tenant_id, OPERATE)
        if entry.integration.tenant_id == INSTALLATION and by.tenant_id != OPERATOR_TENANT:
            raise Forbidden("it is there for every tenant; whoever runs the installation accepts its tools")
        verdict = await self._book.look(entry)
        wanted = (*verdict.digests, *verdict.gone) if names is None else tuple(dict.fromkeys(names))
        _check(wanted, digests or {}, verdict)
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        fresh = {
            name: ToolPin(verdict.digests[name], now_us, by.key_id)
            for name in wanted
            if name in verdict.digests and not _is_accepted(entry, name, verdict)
        }
        place = (entry.integration.tenant_id, entry.name)
        if gone := [name for name in wanted if name not in verdict.digests]:
            await self._pins.drop(*place, gone)
        pins = await (self._pins.accept(*place, fresh) if fresh else self._pins.of(*place))
        tools = entry.told
        # It is in the store already; a slow start of following it is no reason to report a failure.
        with suppress(StoreUnavailable):
            await self._changed()
        return _listed(tools, verdict_of(entry.integration, pins, tools), pins)

    async def _entry(
        self, by: Principal, integration_id: str, tenant_id: str | None, permission: str
    ) -> Open:
        integration = await self._manage.found(by, integration_id, tenant_id, permission)
        if integration.kind is not IntegrationKind.MCP:
            raise InvalidRequest(
                f"integration {integration_id[:80]!r} is no upstream MCP server; only their tools have to be "
                "accepted",
                param="integration_id",
            )
        entry = self._book.at(integration)
        self._book.require_active(entry)
        return entry


def _check(wanted: Sequence[str], digests: Mapping[str, str], verdict: PinVerdict) -> None:
    """Raises NotFound, InvalidRequest, Conflict."""
    if len(wanted) > 2 * TOOLS_PER_INTEGRATION_MAX:
        raise InvalidRequest(f"at most {TOOLS_PER_INTEGRATION_MAX} tools at once", param="tools")
    for name in wanted:
        if name not in verdict.digests and name not in verdict.gone:
            raise NotFound(f"this integration has no tool {name[:80]!r}", param="tools")
    for name, digest in digests.items():
        if verdict.digests.get(name) != digest:
            raise Conflict(
                f"tool {name[:80]!r} says something else than what was looked at; look again", param="digests"
            )


def _is_accepted(entry: Open, name: str, verdict: PinVerdict) -> bool:
    pin = entry.pins.get(name)
    return pin is not None and pin.digest == verdict.digests[name]


def _listed(tools: Sequence[Tool], verdict: PinVerdict, pins: Mapping[str, ToolPin]) -> list[PinnedTool]:
    found = {
        tool.name: PinnedTool(
            tool.name,
            CHANGED if tool.name in verdict.changed else ACCEPTED if tool.name in pins else NEW,
            tool.name in verdict.usable,
            verdict.digests[tool.name],
            tool,
            pins.get(tool.name),
        )
        for tool in tools
    }
    found |= {name: PinnedTool(name, GONE, False, None, None, pins.get(name)) for name in verdict.gone}
    return [found[name] for name in sorted(found)]
