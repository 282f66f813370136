"""Puts together what runs tools, from ports alone."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from application.caching.answer_cache import AnswerCache
from application.holds import BudgetHolds
from application.inspection import Inspector
from application.places import Places
from application.ports.parameter_schemas import ParameterSchemas
from application.ports.system import Clock
from application.ports.tool_pins import ToolPins
from application.ports.wire import TOOLS
from application.privacy.inspecting import PrivacyInspector
from application.rate_limits import RateLimits
from application.tools.book import IntegrationBook
from application.tools.declared import OpeningDeclared
from application.tools.execute import ExecuteTool
from application.tools.kinds import ConnectorKinds
from application.tools.list_tools import ListTools
from application.use_cases.answer_llm_request import AnswerLlmRequest
from entrypoints.http.errors import status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Tooling:
    """Everything around tools of one process."""

    kinds: ConnectorKinds
    opening: OpeningDeclared
    book: IntegrationBook
    pins: ToolPins
    execute: ExecuteTool
    tools: ListTools
    schemas: ParameterSchemas

    def start(self, stack: AsyncExitStack) -> None:
        """From now on connectors may open; the stack closes them."""
        stack.push_async_callback(self.book.aclose)


def make_tooling(
    opening: OpeningDeclared,
    kinds: ConnectorKinds,
    pins: ToolPins,
    schemas: ParameterSchemas,
    pipeline: AnswerLlmRequest,
    places: Places,
    clock: Clock,
    inspectors: list[Inspector],
    privacy: PrivacyInspector,
    limits: RateLimits,
    holds: BudgetHolds,
    cache: AnswerCache,
) -> Tooling:
    """Those of a serving process."""
    book = IntegrationBook(opening, clock, pins=pins)
    execute = ExecuteTool(
        book=book,
        pipeline=pipeline,
        schemas=schemas,
        places=places,
        clock=clock,
        inspectors=inspectors,
        limits=limits,
        holds=holds,
        cache=cache,
        refuse_unread=privacy.refuse_unread,
        status_of=lambda error: status_of(error, TOOLS),
    )
    return Tooling(
        kinds=kinds,
        opening=opening,
        book=book,
        pins=pins,
        execute=execute,
        tools=ListTools(book),
        schemas=schemas,
    )
