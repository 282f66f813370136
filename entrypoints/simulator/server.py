"""The simulated provider as a server: inside a process, or as one of its own.

async with SimulatedProvider() as provider:
    provider.fault({"kind": "status", "status": 503}, match={"model": "sim-small"}, times=1)
    ... provider.base_url + "/v1/chat/completions"
"""

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any

import msgspec

from entrypoints.simulator.answering import Answering
from entrypoints.simulator.answers import ScriptedAnswer
from entrypoints.simulator.bill import Charge, price_from
from entrypoints.simulator.connection import Connection
from entrypoints.simulator.control import Control
from entrypoints.simulator.faults import Latency, LatencyProfile, fault_from
from entrypoints.simulator.rules import Match
from entrypoints.simulator.state import SimulationState

_BACKLOG = 4096
_CLOSING_S = 2.0


class SimulatedProvider:
    """A simulated provider on `host`; port 0 takes a free one. Use as an async context manager.

    Everything the control API offers is a method here too. Answers depend on `seed`, model and prompt.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0) -> None:
        self._host = host
        self._wanted_port = port
        self._bound_port = 0
        self._state = SimulationState(seed=seed)
        self._answering = Answering(self._state, Control(self._state).handle)
        self._connections: set[Connection] = set()
        self._all_gone = asyncio.Event()
        self._all_gone.set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "SimulatedProvider":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        port = self._bound_port or self._wanted_port
        self._server = await loop.create_server(self._connection, self._host, port, backlog=_BACKLOG)
        self._bound_port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Resets every connection and stops listening. `start` listens on the same port again, so
        in between the provider refuses connections."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in tuple(self._connections):
            connection.reset()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self._all_gone.wait()

    @property
    def port(self) -> int:
        """The port it listens on; stays the same after `stop`."""
        return self._bound_port

    @property
    def base_url(self) -> str:
        """`http://host:port`, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._bound_port}"

    def url_of(self, provider: str) -> str:
        """The address of one of the providers that share this server, such as `…/alpha`."""
        return f"{self.base_url}/{provider}"

    def fault(
        self,
        fault: dict[str, Any],
        *,
        match: dict[str, Any] | None = None,
        times: int | None = None,
        for_s: float | None = None,
    ) -> int:
        """Puts a fault in force for what matches, so many times and so long; returns its number.

        Raises:
            msgspec.ValidationError: an unknown kind or field.
        """
        wanted = fault_from(fault)
        return self._state.faults.add(
            msgspec.convert(match or {}, Match),
            wanted,
            now_s=asyncio.get_running_loop().time(),
            times=times,
            for_s=for_s,
            p=wanted.p,
            seed=wanted.seed,
        )

    def heal(self, provider: str | None = None) -> int:
        """Ends all faults, or those of one provider; returns how many."""
        return self._state.faults.clear(provider=provider)

    def latency(
        self,
        *,
        ttft_ms: float = 0.0,
        per_token_ms: float = 0.0,
        sigma: float = 0.0,
        seed: int = 0,
        match: dict[str, Any] | None = None,
    ) -> int:
        """Makes answers take time; returns the rule's number."""
        latency = Latency(ttft_ms=ttft_ms, per_token_ms=per_token_ms, sigma=sigma, seed=seed)
        now_s = asyncio.get_running_loop().time()
        return self._state.latencies.add(
            msgspec.convert(match or {}, Match), LatencyProfile(latency), now_s=now_s
        )

    def answer(
        self,
        *,
        text: str | None = None,
        tokens: int | None = None,
        match: dict[str, Any] | None = None,
        times: int | None = None,
    ) -> int:
        """Scripts answers: a text, or so many tokens of filler; returns the rule's number."""
        scripted = ScriptedAnswer(text=text, tokens=tokens)
        now_s = asyncio.get_running_loop().time()
        return self._state.answers.add(
            msgspec.convert(match or {}, Match), scripted, now_s=now_s, times=times
        )

    def clear_rules(self) -> None:
        """Ends every fault, latency and scripted answer."""
        self._state.faults.clear()
        self._state.latencies.clear()
        self._state.answers.clear()

    def set_prices(self, prices: dict[str, dict[str, Any]]) -> None:
        """Prices in dollars per million tokens by `provider/model`, `model` or `*`; see `bill.Price`."""
        self._state.bill.set_prices({name: price_from(price) for name, price in prices.items()})

    def set_models(self, *models: str) -> None:
        """What `GET /v1/models` lists. Any model name is answered."""
        self._state.models = models

    def follow_bill(self, follower: Callable[[Charge], None], *, cut_counts_in_full: bool = False) -> None:
        """Calls the follower with every charge from now on; see `bill.Bill`."""
        self._state.bill.cut_counts_in_full = cut_counts_in_full
        self._state.bill.follow(follower)

    @property
    def bill(self) -> dict[str, Any]:
        """As `GET /_sim/bill`."""
        return self._state.bill.shown()

    @property
    def stats(self) -> dict[str, Any]:
        """As `GET /_sim/stats`."""
        return self._state.stats()

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The last requests, oldest first, as `GET /_sim/requests` shows them."""
        return [one.shown() for one in self._state.recorded]

    def clear_requests(self) -> None:
        """Forgets recorded requests."""
        self._state.recorded.clear()

    def _connection(self) -> Connection:
        return Connection(self._answering.handle, self._opened, self._lost)

    def _opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._all_gone.clear()
        self._state.connections_open += 1
        self._state.connections_total += 1

    def _lost(self, connection: Connection, left_early: bool) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()
        self._state.connections_open -= 1
        self._answering.left(connection, left_early)
