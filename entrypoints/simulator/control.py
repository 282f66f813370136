"""The control API under `/_sim`: faults, latencies, scripted answers, prices, bill, counters, requests.

It needs no key and listens where the simulator listens, on loopback unless told otherwise.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from entrypoints.simulator.answers import ScriptedAnswer
from entrypoints.simulator.bill import price_from
from entrypoints.simulator.connection import JSON, Connection, Request
from entrypoints.simulator.faults import Latency, LatencyProfile, fault_from
from entrypoints.simulator.routes import Route
from entrypoints.simulator.rules import Match, Rule, RuleBook
from entrypoints.simulator.state import SimulationState


class Control:
    """Answers control requests from the state."""

    def __init__(self, state: SimulationState) -> None:
        self._state = state
        self._resources: dict[str, Callable[[str, Request], Any]] = {
            "/_sim/faults": self._faults,
            "/_sim/latency": self._latency,
            "/_sim/answers": self._answers,
            "/_sim/prices": self._prices,
            "/_sim/models": self._models,
            "/_sim/bill": self._bill,
            "/_sim/stats": self._stats,
            "/_sim/requests": self._requests,
        }

    def handle(self, connection: Connection, request: Request, route: Route) -> None:
        """Answers one request: 200 with JSON, 400 for what cannot be understood, 404, 405."""
        resource = self._resources.get(route.path)
        if resource is None and route.path == "/_sim":
            body: Any = {"simulated": True, "resources": sorted(self._resources)}
            connection.respond(200, JSON, msgspec.json.encode(body))
            return
        if resource is None:
            connection.respond(404, JSON, b'{"error":"no such control resource"}')
            return
        try:
            body = resource(request.method, request)
        except (msgspec.DecodeError, ArithmeticError, TypeError, ValueError) as error:
            connection.respond(400, JSON, msgspec.json.encode({"error": str(error)}))
            return
        if body is None:
            connection.respond(405, JSON, b'{"error":"method not allowed"}')
            return
        connection.respond(200, JSON, msgspec.json.encode(body, enc_hook=str))

    def _faults(self, method: str, request: Request) -> Any:
        if method in ("PUT", "POST"):
            wanted = _object(request)
            fault = fault_from(_part(wanted, "fault"))
            return self._put(self._state.faults, wanted, fault, p=fault.p, seed=fault.seed)
        return self._rules(self._state.faults, method, request)

    def _latency(self, method: str, request: Request) -> Any:
        if method in ("PUT", "POST"):
            wanted = _object(request)
            profile = LatencyProfile(msgspec.convert(_part(wanted, "latency"), Latency))
            return self._put(self._state.latencies, wanted, profile)
        return self._rules(self._state.latencies, method, request)

    def _answers(self, method: str, request: Request) -> Any:
        if method in ("PUT", "POST"):
            wanted = _object(request)
            scripted = msgspec.convert(_part(wanted, "answer"), ScriptedAnswer)
            return self._put(self._state.answers, wanted, scripted)
        return self._rules(self._state.answers, method, request)

    def _put(
        self, book: RuleBook[Any], wanted: dict[str, Any], effect: Any, *, p: float = 1.0, seed: int = 0
    ) -> Any:
        rule_id = book.add(
            msgspec.convert(wanted.get("match") or {}, Match),
            effect,
            now_s=asyncio.get_running_loop().time(),
            times=msgspec.convert(wanted.get("times"), int | None),
            for_s=msgspec.convert(wanted.get("for_s"), float | None),
            p=p,
            seed=seed,
        )
        return {"id": rule_id}

    def _rules(self, book: RuleBook[Any], method: str, request: Request) -> Any:
        now_s = asyncio.get_running_loop().time()
        if method == "GET":
            return {"rules": [_rule_shown(rule, now_s) for rule in book.in_force(now_s=now_s)]}
        if method == "DELETE":
            wanted = _object(request)
            cleared = book.clear(provider=wanted.get("provider"), rule_id=wanted.get("id"))
            return {"cleared": cleared}
        return None

    def _prices(self, method: str, request: Request) -> Any:
        if method not in ("PUT", "POST"):
            return None
        prices = {name: price_from(price) for name, price in _object(request).items()}
        self._state.bill.set_prices(prices)
        return {"prices": len(prices)}

    def _models(self, method: str, request: Request) -> Any:
        if method in ("PUT", "POST"):
            self._state.models = tuple(msgspec.json.decode(request.body, type=list[str]))
        return {"models": self._state.models} if method != "DELETE" else None

    def _bill(self, method: str, request: Request) -> Any:  # noqa: ARG002
        shown = self._state.bill.shown()
        if method == "DELETE":
            self._state.bill.clear()
        return shown if method in ("GET", "DELETE") else None

    def _stats(self, method: str, request: Request) -> Any:  # noqa: ARG002
        shown = self._state.stats()
        if method == "DELETE":
            self._state.clear_stats()
        return shown if method in ("GET", "DELETE") else None

    def _requests(self, method: str, request: Request) -> Any:  # noqa: ARG002
        recorded = self._state.recorded
        if method == "DELETE":
            cleared = len(recorded)
            recorded.clear()
            return {"cleared": cleared}
        return {"requests": [one.shown() for one in recorded]} if method == "GET" else None


def _object(request: Request) -> dict[str, Any]:
    if not request.body:
        return {}
    return msgspec.json.decode(request.body, type=dict[str, Any])


def _part(wanted: dict[str, Any], name: str) -> dict[str, Any]:
    unknown = set(wanted) - {"match", "times", "for_s", name}
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    part = wanted.get(name)
    if not isinstance(part, dict):
        raise ValueError(f"'{name}' must be an object")
    return part


def _rule_shown(rule: Rule[Any], now_s: float) -> dict[str, Any]:
    effect = rule.effect.latency if isinstance(rule.effect, LatencyProfile) else rule.effect
    left_s = None if rule.until_s is None else round(rule.until_s - now_s, 3)
    return {
        "id": rule.id,
        "match": {
            name: value for name, value in msgspec.structs.asdict(rule.match).items() if value is not None
        },
        "effect": msgspec.to_builtins(effect),
        "times_left": rule.times_left,
        "left_s": left_s,
        "used": rule.used,
    }
