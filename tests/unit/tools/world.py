"""Tools to run, with everything around them but money and caches."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from adapters.memory.function_tools import FunctionTools, FunctionToolsKind
from adapters.memory.system import SteppingClock
from adapters.wire.json_schemas import CompiledParameterSchemas
from application.inspection import Inspector
from application.job import Job
from application.places import NO_PLACES
from application.ports.connector import Connector
from application.request_event import event_of
from application.tools.book import IntegrationBook
from application.tools.execute import ExecuteTool, ToolAsked
from domain.analytics.event import RequestEvent
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import Tool, ToolCall
from domain.errors import Forbidden, InterchangeError
from domain.resilience.breaker import BreakerState
from domain.routing.target import Route
from domain.tenancy.principal import Principal

NUMBER = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 0}},
    "required": ["n"],
    "additionalProperties": False,
}


def caller(**more: Any) -> Principal:
    said: dict[str, Any] = {
        "tenant_id": "acme",
        "key_id": "k1",
        "key_name": "k1",
        "role": "agent",
        "permissions": frozenset({"tools.execute", "tools.read"}),
    }
    return Principal(**{**said, **more})


class Records:
    """The part of the pipeline that tools use."""

    def __init__(self, clock: SteppingClock) -> None:
        self.clock = clock
        self.open = 0
        self.events: list[RequestEvent] = []
        self.stop: InterchangeError | None = None

    def take_slot(self, job: Job, permission: str) -> None:
        self.open += 1
        if not job.principal.may(permission):
            raise Forbidden(permission)

    def stops(self, job: Job, route: Route) -> None:
        if self.stop is not None:
            raise self.stop

    def end(self, job: Job, *, status: int, outcome: str, error_code: str = "") -> None:
        if job.recorded:
            return
        job.recorded = True
        self.open -= 1
        now = self.clock.monotonic()
        self.events.append(event_of(job, now, status=status, outcome=outcome, error_code=error_code))


async def double(call: ToolCall) -> Mapping[str, Any]:
    return {"doubled": call.parameters["n"] * 2}


class World:
    """One integration `shop` of tenant `acme`, whose tool `double` can be given other work."""

    def __init__(self, configuration: Mapping[str, Any] | None = None, **tool: Any) -> None:
        self.clock = SteppingClock()
        self.records = Records(self.clock)
        self.work: Callable[[ToolCall], Awaitable[Mapping[str, Any]]] = double
        self.told: list[tuple[str, BreakerState]] = []
        made = Tool(name="double", description="Doubles.", parameters=NUMBER, **tool)

        async def now(call: ToolCall) -> Mapping[str, Any]:
            return await self.work(call)

        self.kind = FunctionToolsKind({"double": (made, now)})
        self.book = IntegrationBook(
            self, self.clock, lambda each, state: self.told.append((each.integration_id, state))
        )
        self.inspectors: list[Inspector] = []
        self.shop = Integration(
            tenant_id="acme",
            integration_id="shop",
            kind=IntegrationKind.API,
            configuration={"endpoint": "memory://tools", **(configuration or {})},
        )
        self.book.use([self.shop])
        self.execute = ExecuteTool(
            book=self.book,
            pipeline=self.records,
            schemas=CompiledParameterSchemas(),
            places=NO_PLACES,
            clock=self.clock,
            inspectors=self.inspectors,
            status_of=lambda error: 599,
        )

    async def open(self, integration: Integration) -> Connector:
        return FunctionTools(self.kind._works)

    def asked(self, n: Any = 2, **more: Any) -> ToolAsked:
        return ToolAsked(integration_id="shop", tool_name="double", parameters={"n": n}, **more)

    async def run(self, n: Any = 2, by: Principal | None = None, **more: Any) -> bytes:
        answer = await self.execute.execute(by or caller(), self.asked(n, **more), request_id="req_1")
        return answer.result

    @property
    def outcomes(self) -> Sequence[str]:
        return [event.outcome for event in self.records.events]


async def hang(_call: ToolCall) -> Mapping[str, Any]:
    await asyncio.Event().wait()
    return {}
