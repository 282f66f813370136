"""Which tools a caller can use, with everything it needs to call them."""

import asyncio
from typing import Any, Final

from application.tools.book import LOOK_TIMEOUT_S, IntegrationBook, Open
from domain.connectors.integration import IntegrationKind, IntegrationState
from domain.connectors.tool import Tool
from domain.errors import InterchangeError, NotFound
from domain.tenancy.principal import Principal

OPENED_AT_ONCE: Final = 8
TELL_TIMEOUT_S: Final = LOOK_TIMEOUT_S + 5.0
"""Longer than a first look may take: whoever cuts it short keeps everybody from knowing that it is silent."""


class ListTools:
    """From memory, but for what was never opened. One that cannot be opened hides only its own tools."""

    def __init__(self, book: IntegrationBook) -> None:
        self._book = book

    async def all(self, by: Principal, integration_id: str = "") -> dict[str, Any]:
        """`tools` by integration and name; `unavailable` names integrations that cannot say theirs. Raises
        NotFound for an integration this caller does not reach."""
        entries = [self._book.find(by, integration_id)] if integration_id else self._book.visible(by)
        tools: list[dict[str, Any]] = []
        unavailable: list[dict[str, str]] = []
        for entry, error in await self.opened(entries):
            if error is not None:
                unavailable.append({"integration_id": entry.name, "reason": error})
                continue
            tools += [shown(entry, way.tool) for _, way in sorted(entry.ways().items())]
        return {"tools": tools, "unavailable": unavailable}

    async def one(self, by: Principal, integration_id: str, tool_name: str) -> dict[str, Any]:
        """One tool. Raises NotFound, IntegrationUnavailable."""
        entry = self._book.find(by, integration_id)
        way = await self._book.way(entry, tool_name)
        return shown(entry, way.tool)

    async def opened(self, entries: list[Open]) -> list[tuple[Open, str | None]]:
        """Each with why its tools cannot be told; None: they can."""
        turns = asyncio.Semaphore(OPENED_AT_ONCE)

        async def look(entry: Open) -> str | None:
            if entry.integration.state is not IntegrationState.ACTIVE:
                return f"it is {entry.integration.state.value}"
            if entry.integration.kind is IntegrationKind.LLM_PROVIDER:
                return None
            try:
                async with turns, asyncio.timeout(TELL_TIMEOUT_S):
                    await self._book.ready(entry)
                    if entry.pinned:
                        await self._book.seen(entry)
            except NotFound:
                return "it is gone"
            except InterchangeError as error:
                return error.message
            except TimeoutError:
                return "it does not answer"
            return None

        return list(zip(entries, await asyncio.gather(*map(look, entries)), strict=True))


def shown(entry: Open, tool: Tool) -> dict[str, Any]:
    """A tool as discovery shows it."""
    return {
        "integration_id": entry.name,
        "tool_name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "result": tool.result,
        "examples": list(tool.examples),
        "read_only": tool.read_only,
        "idempotent": tool.repeatable,
        "destructive": tool.destructive,
        "takes_body": tool.takes_body,
        "streams": sorted(tool.streams),
    }
