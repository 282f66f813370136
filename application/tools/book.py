"""Integrations as calls find them: from memory, each with what is open for it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, Protocol

from application.ports.connector import Connector
from application.ports.system import Clock
from application.ports.tool_pins import ToolPin, ToolPins
from application.tools.bulkhead import Bulkhead
from application.tools.pinning import accepted_of, verdict_of
from application.tools.ways import ToolWay, tool_way
from domain.connectors.integration import INSTALLATION, Integration, IntegrationKind, IntegrationState
from domain.connectors.terms import IntegrationTerms, integration_terms
from domain.connectors.tool import TOOLS_PER_INTEGRATION_MAX, Tool
from domain.connectors.tool_pins import NOTHING_USABLE, PinVerdict
from domain.errors import (
    IntegrationUnavailable,
    InterchangeError,
    NotFound,
    StoreUnavailable,
    ToolFailed,
)
from domain.resilience.breaker import BreakerState, CircuitBreaker
from domain.tenancy.patterns import matches_any
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")

DRAIN_S: Final = 30.0
"""How long calls that run in a connector of an old version may go on."""
OPEN_AGAIN_AFTER_S: Final = 5.0
"""After it could not be opened, because a credential is gone or the vault is locked."""
MEANT_AMONG_MAX: Final = 200
"""Of its tools, those that a mistyped name is compared with."""
LOOK_TIMEOUT_S: Final = 10.0
"""The longest a call waits until the tools of an upstream server are known."""
_RETRY_S: Final = 30.0


class Opening(Protocol):
    async def open(self, integration: Integration) -> Connector: ...


BreakerTold = Callable[[Integration, BreakerState], None]
"""Told when an integration's breaker opens or closes. Must not raise."""


ToolsTold = Callable[[Integration, PinVerdict], None]
"""Told when tools of an upstream server are not what was accepted. Must not raise."""


def _nobody_is_told(_integration: Integration, _what: object) -> None:
    return None


class Open:
    """One integration in one version, and what serves it."""

    def __init__(self, integration: Integration, terms: IntegrationTerms) -> None:
        self.integration = integration
        self.terms = terms
        self.breaker = CircuitBreaker(terms.breaker)
        self.bulkhead = Bulkhead(terms.at_once, terms.waiting)
        self.connector: Connector | None = None
        self.over = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.failed_at_s: float | None = None
        self.failure: InterchangeError | None = None
        self.opening = asyncio.Lock()
        self.pins: Mapping[str, ToolPin] = {}
        self.verdict = NOTHING_USABLE
        """What of its tools may be used, where they are an upstream server's."""
        self._tools: Mapping[str, ToolWay] = {}
        self.looked = False
        """Whether its tools were held against what was accepted."""
        self.looking = asyncio.Lock()
        self.waiting_to_look = 0
        self.unseen_at_s: float | None = None
        self.unseen: InterchangeError | None = None
        """Why its tools could not be looked at."""
        self._judged: Sequence[Tool] = ()
        self._listed: object = None

    @property
    def name(self) -> str:
        return self.integration.integration_id

    @property
    def pinned(self) -> bool:
        """Whether its tools are told by somebody nobody here vouches for."""
        return self.integration.kind is IntegrationKind.MCP

    def judged(self, pins: Mapping[str, ToolPin]) -> PinVerdict:
        """Holds its tools against what was accepted; from now on only those are used."""
        self.pins, self.looked = pins, True
        # What is offered is what was judged: its server may tell something else a moment later.
        self._judged = listed = () if self.connector is None else tuple(self.connector.tools)
        self.verdict = verdict_of(self.integration, pins, listed)
        return self.verdict

    @property
    def told(self) -> Sequence[Tool]:
        """Its tools as they were judged, usable or not."""
        return self._judged

    def begin(self) -> None:
        """A call uses its connector, until `end`."""
        self._running += 1
        self._idle.clear()

    def end(self) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()

    async def idle(self, within_s: float) -> None:
        """Waits until no call uses it, or for so long."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("calls of integration %s still ran when it was closed", self.name)

    def ways(self) -> Mapping[str, ToolWay]:
        """Its tools by name, as its connector has them now; none before it was opened."""
        if self.connector is None:
            return {}
        listed = self._judged if self.pinned else self.connector.tools
        if listed is not self._listed:
            allowed = [tool for tool in listed if tool.name not in self.terms.disabled_tools]
            if self.pinned:
                allowed = [tool for tool in allowed if tool.name in self.verdict.usable]
            some = allowed[:TOOLS_PER_INTEGRATION_MAX]
            self._tools = {tool.name: tool_way(self.integration, self.terms, tool) for tool in some}
            self._listed = listed
        return self._tools


class IntegrationBook:
    """Belongs to one event loop. `use` replaces the whole snapshot; what is open stays open where nothing of
    it changed. The owner calls `aclose`."""

    def __init__(
        self,
        opening: Opening,
        clock: Clock,
        on_breaker: BreakerTold = _nobody_is_told,
        pins: ToolPins | None = None,
    ) -> None:
        """`pins` are of tools of upstream servers; without them none of those is used."""
        self._opening = opening
        self._clock = clock
        self._pins = pins
        self.on_tools_changed: ToolsTold = _nobody_is_told
        self.on_breaker = on_breaker
        self._entries: dict[tuple[str, str], Open] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._wrong: dict[tuple[str, str], InterchangeError] = {}

    def use(self, integrations: Iterable[Integration]) -> None:
        """Puts these in the place of all that were known."""
        before, self._entries, self._wrong = self._entries, {}, {}
        for integration in integrations:
            place = (integration.tenant_id, integration.integration_id)
            known = before.pop(place, None)
            if known is not None and known.integration == integration:
                self._entries[place] = known
                continue
            if known is not None:
                self._retire(known)
            try:
                terms = integration_terms(integration.configuration, integration.circuit_breaker)
            except InterchangeError as error:
                # Kept by an older version that read it otherwise: it is there, and says what is wrong.
                self._wrong[place] = error
                terms = IntegrationTerms()
            self._entries[place] = Open(integration, terms)
        for gone in before.values():
            self._retire(gone)

    def all(self) -> list[Open]:
        """Everybody's, for those who watch over them."""
        return list(self._entries.values())

    def at(self, integration: Integration) -> Open:
        """The one that stands for it now, whoever asks. Raises NotFound."""
        entry = self._entries.get((integration.tenant_id, integration.integration_id))
        if entry is None:
            raise NotFound(f"no integration {integration.integration_id!r}", param="integration_id")
        return entry

    def visible(self, by: Principal) -> list[Open]:
        """What a caller may reach, by name: its tenant's own come before those for everybody."""
        found: dict[str, Open] = {}
        for (tenant_id, name), entry in self._entries.items():
            if tenant_id not in (by.tenant_id, INSTALLATION) or not matches_any(by.integrations, name):
                continue
            if tenant_id == by.tenant_id or name not in found:
                found[name] = entry
        return [found[name] for name in sorted(found)]

    def find(self, by: Principal, integration_id: str) -> Open:
        """Raises NotFound, also for what the caller's key does not reach."""
        entry = self._entries.get((by.tenant_id, integration_id)) or self._entries.get(
            (INSTALLATION, integration_id)
        )
        if entry is None or not matches_any(by.integrations, integration_id):
            raise NotFound(f"no integration {integration_id[:80]!r}", param="integration_id")
        return entry

    async def ready(self, entry: Open) -> Connector:
        """Its connector, opened if need be. Raises IntegrationUnavailable, InvalidConfiguration."""
        connector = entry.connector
        if connector is not None:
            return connector
        place = (entry.integration.tenant_id, entry.integration.integration_id)
        if (wrong := self._wrong.get(place)) is not None:
            raise IntegrationUnavailable(f"integration {entry.name!r} cannot be used: {wrong.message}")
        async with entry.opening:
            if entry.connector is not None:
                return entry.connector
            now = self._clock.monotonic()
            if entry.failure is not None and now - (entry.failed_at_s or 0.0) < OPEN_AGAIN_AFTER_S:
                raise _told(entry, entry.failure)
            try:
                entry.connector = await self._opening.open(entry.integration)
            except InterchangeError as error:
                entry.failure, entry.failed_at_s = error, now
                raise _told(entry, error) from error
            entry.failure = None
            if entry.over:
                self._retire(entry)
            return entry.connector

    async def way(self, entry: Open, tool_name: str) -> ToolWay:
        """One tool of it. Raises NotFound, and as `ready`."""
        await self.ready(entry)
        found = entry.ways().get(tool_name)
        if found is None and entry.pinned and not entry.looked:
            await self.seen(entry)
            found = entry.ways().get(tool_name)
        if found is None and tool_name in entry.verdict.withheld:
            raise IntegrationUnavailable(
                f"tool {tool_name[:80]!r} of integration {entry.name!r} is not what was accepted any more; "
                "somebody has to look at it (POST /api/v1/integrations/{id}/tools/accept)"
            )
        if found is None:
            raise NotFound(
                f"integration {entry.name!r} has no tool {tool_name[:80]!r}{_meant(tool_name, entry)}",
                param="tool_name",
            )
        return found

    async def seen(self, entry: Open) -> None:
        """Looks at its tools if nobody did yet; of many who ask, one looks. A server that does not answer
        keeps nobody for long. Raises as `look`."""
        if entry.looked:
            return
        if entry.waiting_to_look >= entry.terms.at_once:
            raise IntegrationUnavailable(
                f"too many wait for the tools of integration {entry.name!r}", retry_after_s=OPEN_AGAIN_AFTER_S
            )
        entry.waiting_to_look += 1
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await entry.looking.acquire()
        except TimeoutError:
            raise _silent(entry) from None
        finally:
            entry.waiting_to_look -= 1
        try:
            await self._first_look(entry)
        finally:
            entry.looking.release()

    async def _first_look(self, entry: Open) -> None:
        if entry.looked:
            return
        now = self._clock.monotonic()
        if entry.unseen is not None and now - (entry.unseen_at_s or 0.0) < OPEN_AGAIN_AFTER_S:
            raise entry.unseen
        entry.unseen = None
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                await self.look(entry)
        except TimeoutError:
            entry.unseen = _silent(entry)
        except StoreUnavailable:
            raise
        except InterchangeError as error:
            entry.unseen = error
        if entry.unseen is not None:
            entry.unseen_at_s = self._clock.monotonic()
            raise entry.unseen

    async def look(self, entry: Open) -> PinVerdict:
        """Asks an upstream server what it can do, and holds that against what was accepted. What is seen
        first is accepted. Raises IntegrationUnavailable, ToolFailed, StoreUnavailable."""
        connector = await self.ready(entry)
        await connector.discover()
        return await self.hold(entry)

    async def hold(self, entry: Open) -> PinVerdict:
        """Holds what its server said last against what was accepted. Raises StoreUnavailable."""
        if self._pins is None or entry.connector is None:
            return entry.verdict
        tenant_id, before = entry.integration.tenant_id, entry.verdict.withheld_digests
        pins = await accepted_of(self._pins, entry.integration, entry.connector.tools, self._clock)
        verdict = entry.judged(pins)
        if verdict.withheld and verdict.withheld_digests != before:
            log.warning(
                "integration %s of tenant %s: %d of its tools are not what was accepted and are withheld",
                entry.name,
                tenant_id,
                len(verdict.withheld),
            )
            self.on_tools_changed(entry.integration, verdict)
        return verdict

    def require_active(self, entry: Open) -> None:
        """Raises IntegrationUnavailable for what its owner has paused."""
        state = entry.integration.state
        if state is IntegrationState.DISABLED:
            raise IntegrationUnavailable(f"integration {entry.name!r} is disabled")
        if state is IntegrationState.MAINTENANCE:
            raise IntegrationUnavailable(
                f"integration {entry.name!r} is in maintenance", retry_after_s=_RETRY_S
            )

    def _retire(self, entry: Open) -> None:
        """Closes it once nobody uses it, or after a while."""
        entry.over = True
        if entry.connector is None:
            return
        self._begin(_close(entry, entry.connector))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Closes every connector. Idempotent."""
        entries, self._entries = self._entries, {}
        for entry in entries.values():
            entry.over = True
        opened = [entry.connector for entry in entries.values() if entry.connector is not None]
        for task in tuple(self._closing):
            task.cancel()
        await asyncio.gather(*self._closing, *(each.aclose() for each in opened), return_exceptions=True)


async def _close(entry: Open, connector: Connector) -> None:
    try:
        await entry.idle(DRAIN_S)
    finally:
        await connector.aclose()


def _meant(tool_name: str, entry: Open) -> str:
    names = list(entry.ways())[:MEANT_AMONG_MAX]
    close = get_close_matches(tool_name[:80], names, n=1)
    return f"; did you mean {close[0]!r}?" if close else "; GET /api/v1/tools lists what it has"


def _silent(entry: Open) -> InterchangeError:
    return IntegrationUnavailable(
        f"integration {entry.name!r} does not say its tools in time", retry_after_s=OPEN_AGAIN_AFTER_S
    )


def _told(entry: Open, error: InterchangeError) -> InterchangeError:
    """A failure to open, as callers of its tools are told it."""
    if isinstance(error, IntegrationUnavailable | ToolFailed):
        return error
    return IntegrationUnavailable(
        f"integration {entry.name!r} cannot be opened: {error.message}", retry_after_s=OPEN_AGAIN_AFTER_S
    )
