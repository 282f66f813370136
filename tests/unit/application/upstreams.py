"""The attempt loop over scripted providers in virtual time, one target per script."""

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any

from adapters.memory.scripted_llm import Break, Script, ScriptedCall, ScriptedLlm
from adapters.wire.frames import DialectFrames
from adapters.wire.heads import DialectReader
from application.attempts import AttemptLoop, FailoverHappened
from application.holds import BudgetHolds
from application.job import Attribution, Job
from application.ports.llm import UpstreamCall
from application.ports.system import Clock
from application.ports.wire import OPENAI_CHAT
from domain.catalog.offering import Offering
from domain.catalog.prices import PriceTable, Rates
from domain.llm.capabilities import Capability
from domain.llm.failures import Failure, FailureKind
from domain.resilience.breaker import BreakerPolicy
from domain.resilience.retry_budget import RetryBudget
from domain.routing.live import LiveState, TargetState
from domain.routing.plan import make_plan
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, StreamRecovery, Target, Via
from domain.tenancy.role import local_operator
from domain.time import Deadline, Timeouts
from tests.simulation.virtual_time import VirtualClock, run_virtual

Scripts = Mapping[str, Script | Sequence[Script]]
TIMEOUTS = Timeouts(headers_s=5, first_token_s=4, idle_s=2, total_s=60, stream_total_s=120)
PRICES = PriceTable(base=Rates(input=1_000_000_000, output=2_000_000_000))
OK = Script(text="one two three")


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs an asynchronous test in virtual time."""

    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        run_virtual(test(*args, **named))

    return run


def refused(kind: FailureKind, **details: Any) -> Script:
    """A call that fails with this kind before any answer."""
    return Script(failure=Failure(kind=kind, message=f"scripted {kind.value}", **details))


def broken(how: Break, after: int, **details: Any) -> Script:
    """The usual answer, broken after so many tokens."""
    return Script(**{"text": OK.text, **details}, broken=how, broken_after=after)


class Bench:
    """Targets by id, each with its script; several scripts are used one per call, the last one for ever.

    `gateway` has scripts of its own and makes targets prefer that way. `settings` are the route's.
    """

    def __init__(
        self,
        direct: Scripts,
        *,
        gateway: Scripts | None = None,
        gateway_up: Callable[[], bool] = lambda: True,
        via: Via = Via.AUTO,
        prefill: Sequence[str] = (),
        windows: Mapping[str, int] | None = None,
        probes: int = 1,
        retry_budget: RetryBudget | None = None,
        fallbacks: int = 3,
        prices: Mapping[str, PriceTable] | None = None,
        money: Callable[[Clock], BudgetHolds] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.holds = None if money is None else money(self.clock)
        self._used: dict[tuple[str, str], int] = {}
        frames = DialectFrames()
        self.direct = ScriptedLlm(self._scripted("direct", direct), clock=self.clock, frames=frames)
        self.gateway = (
            None
            if gateway is None
            else ScriptedLlm(
                self._scripted("gateway", gateway),
                clock=self.clock,
                frames=frames,
                reaches=lambda _: gateway_up(),
            )
        )
        self.failovers: list[FailoverHappened] = []
        self.loop = AttemptLoop(
            direct=self.direct,
            gateway=self.gateway,
            frames=frames,
            clock=self.clock,
            chance=random.Random(1),
            retry_budget=retry_budget or RetryBudget(),
            on_failover=self.failovers.append,
            holds=self.holds,
        )
        placed = [
            _target(
                index,
                name,
                via,
                name in prefill,
                (windows or {}).get(name, 8_000),
                (prices or {}).get(name, PRICES),
            )
            for index, name in enumerate(direct)
        ]
        members = tuple(RouteTarget(target=one, priority=one.index) for one in placed)
        route = {"timeouts": TIMEOUTS, **settings}
        self.route = Route(
            name="auto", targets=members, strategy="priority", max_fallbacks=fallbacks, **route
        )
        self._table = RoutingTable.compile(placed, {"auto": self.route})
        policy = BreakerPolicy(consecutive_failures=3, open_s=10, half_open_probes=probes)
        self.live = LiveState(self._table, breaker_policy=policy)
        self._jobs = 0

    def _scripted(self, way: str, scripts: Scripts) -> Callable[[UpstreamCall], Script]:
        def script(call: UpstreamCall) -> Script:
            name = call.target.id
            wanted = scripts[name]
            if isinstance(wanted, Script):
                return wanted
            used = self._used.get((way, name), 0)
            self._used[way, name] = used + 1
            return wanted[min(used, len(wanted) - 1)]

        return script

    def job(
        self, *, stream: bool = False, include_usage: bool = False, tools: bool = False, **more: Any
    ) -> Job:
        """A planned request; `more` are fields of its body."""
        now = self.clock.monotonic()
        body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "hi"}], **more}
        body["stream"] = stream
        if include_usage:
            body["stream_options"] = {"include_usage": True}
        if tools:
            body["tools"] = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
        request = DialectReader().read(OPENAI_CHAT, json.dumps(body).encode())
        self._jobs += 1
        plan = make_plan(
            self._table,
            self.route,
            Requirements(),
            self.live,
            now=now,
            draw=0.5,
            reachable=lambda target: self.loop.reachable(target, OPENAI_CHAT),
        )
        total_s = TIMEOUTS.stream_total_s if stream else self.route.timeouts.total_s
        return Job(
            request_id=f"req_{self._jobs}",
            principal=local_operator(),
            request=request,
            requirements=Requirements(),
            plan=plan,
            attribution=Attribution(),
            started=now,
            started_at_us=0,
            deadline=Deadline(now + total_s),
        )

    async def answered(self, job: Job) -> str:
        """The text of a whole answer."""
        answer = await self.loop.complete(job, self.live)
        return str(json.loads(answer.body)["choices"][0]["message"]["content"])

    async def streamed(self, job: Job) -> str:
        """The text of a stream that ended well, as the caller reads it."""
        pieces: list[str] = []
        await self.heard(job, pieces)
        return "".join(pieces)

    async def heard(self, job: Job, pieces: list[str]) -> None:
        """Reads a stream into `pieces`, to its end or to whatever it raises."""
        stream = await self.loop.open(job, self.live)
        try:
            while (block := await stream.next_block()) is not None:
                pieces.extend(texts_in(block.raw))
        finally:
            stream.close()

    def state(self, name: str) -> TargetState:
        found = self.live.of(name)
        assert found is not None
        return found

    def calls(self) -> list[ScriptedCall]:
        """Every call in order, whichever way."""
        ways = [self.direct] + ([self.gateway] if self.gateway else [])
        return sorted((call for way in ways for call in way.calls), key=lambda call: call.started_s)

    def asked(self) -> list[str]:
        """Ids of the targets called, in order."""
        return [call.target.id for call in self.calls()]

    def assert_nothing_left(self) -> None:
        """No call, slot or probe is held by anybody."""
        assert self.direct.in_flight == 0 and (self.gateway is None or self.gateway.in_flight == 0)
        for state in self.live.targets:
            assert state.in_flight == 0 and state.breaker._probes_live == 0


def texts_in(raw: bytes) -> list[str]:
    """Texts of the chunks."""
    chunks = [json.loads(frame[6:]) for frame in raw.split(b"\n\n") if frame.startswith(b"data: {")]
    return [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]


def outcomes(job: Job) -> list[str]:
    return [attempt.outcome for attempt in job.attempts]


CONTINUE: dict[str, Any] = {"stream_recovery": StreamRecovery.CONTINUE}


def _target(
    index: int, name: str, via: Via, prefill: bool, window: int, prices: PriceTable = PRICES
) -> Target:
    provider, _, model = name.partition("/")
    offering = Offering(
        provider=provider,
        model=model,
        prices=prices,
        capabilities=Capability.TEXT
        | Capability.STREAMING
        | Capability.FUNCTION_CALLING
        | Capability.STRUCTURED_OUTPUT,
        context_tokens=window,
        prefill=prefill,
    )
    return Target(
        index=index, id=name, provider=provider, model=model, offering=offering, wire="openai", via=via
    )
