"""An installation with many pairs of simulated providers, one pair for each test, so that no breaker, no
cool-down and no request log of one test reaches another.

Of each pair, `a` comes first and has the fault, `b` is healthy, dearer and has the larger window.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.routing.live import TargetState
from entrypoints.simulator.answers import pieces_of
from entrypoints.simulator.connection import Request
from tests.e2e.stack import Stack

PAIRS = 96
ANSWER_TOKENS = 60
ANSWER = " ".join(f"word{number:02d}" for number in range(ANSWER_TOKENS))
"""What every model says; `tokens_of_answer` tells where it can be cut."""
PROMPT = {"messages": [{"role": "user", "content": "say your words"}]}
CONNECT_S, HEADERS_S, FIRST_TOKEN_S, IDLE_S, TOTAL_S = 1.0, 1.5, 0.5, 0.4, 2.5
KEEP_ALIVE_AFTER_S = 0.2
PATIENT, PATIENCE = ("bill", "storm"), 4
"""Pairs for many calls at once, and how many times as long all of their limits are."""
OPEN_S = 0.4
OPEN_LONG_S = 60.0
SLACK_S = 12.0
"""What a slow machine may add to a bound."""
A_PRICES = {"input": 1, "output": 2}
B_PRICES = {"input": 10, "output": 20}


def beginning(tokens: int) -> str:
    """The first tokens of the answer."""
    return "".join(pieces_of(ANSWER)[:tokens])


class Arrival(NamedTuple):
    """A request as the provider got it; `at_s` is monotonic."""

    at_s: float
    provider: str
    body: dict[str, Any]


class Heard(NamedTuple):
    """What a caller got. `text` is the answer's; of a stream, `error` is its error event."""

    status: int
    headers: httpx.Headers
    text: str
    body: dict[str, Any]
    error: dict[str, Any] | None
    done: bool
    finishes: tuple[str, ...]
    keep_alives: int
    took_s: float

    @property
    def whole(self) -> bool:
        """Whether this is the complete answer, and says so."""
        return (
            self.status == 200 and self.text == ANSWER and self.error is None and self.finishes == ("stop",)
        )


class Rows(NamedTuple):
    """What was recorded: the request, and its attempts in order."""

    request: dict[str, Any]
    attempts: list[dict[str, Any]]

    @property
    def outcomes(self) -> list[str]:
        return [row["outcome"] for row in self.attempts]


class Pair:
    """Two providers and the routes over them, for one test."""

    def __init__(self, world: "FaultWorld", name: str) -> None:
        self._world = world
        self.a, self.b = f"{name}a", f"{name}b"
        self.one, self.both = f"{name}-one", f"{name}-both"
        self.continued, self.rejecting = f"{name}-continued", f"{name}-rejecting"
        self.restarting, self.repeating = f"{name}-restarting", f"{name}-repeating"

    def fault(self, *, provider: str | None = None, times: int | None = None, **fault: Any) -> None:
        """Puts a fault in force for `a`, or another provider."""
        for_s = fault.pop("for_s", None)
        match = {"provider": provider or self.a}
        self._world.on_simulator(lambda sim: sim.fault(fault, match=match, times=times, for_s=for_s))

    def heal(self) -> None:
        for provider in (self.a, self.b):
            self._world.on_simulator(lambda sim, provider=provider: sim.heal(provider))

    def asked(self, provider: str | None = None) -> list[Arrival]:
        """What arrived at `a`, or another provider."""
        wanted = provider or self.a
        return [one for one in tuple(self._world.arrivals) if one.provider == wanted]

    def left_early(self, provider: str | None = None) -> int:
        """How many calls to `a`, or another provider, were hung up on."""
        stats = self._world.on_simulator(lambda sim: sim.stats)["providers"]
        return int(stats[provider or self.a]["client_disconnects"])

    def eventually_left_early(self, provider: str | None = None) -> bool:
        """Whether a call was hung up on, at last."""
        return self._world.eventually(lambda: self.left_early(provider) > 0)


class FaultWorld:
    """The installation. `via` is the way every call takes."""

    def __init__(self, stack: Stack, data_dir: Path) -> None:
        self.stack = stack
        self._data_dir = data_dir
        self._pairs = iter(range(PAIRS))
        self.arrivals: list[Arrival] = []
        self._watch_arrivals()
        self.on_simulator(lambda sim: sim.answer(text=ANSWER))
        self._client = stack.client()

    def close(self) -> None:
        self._client.close()

    def pair(self) -> Pair:
        """A pair nobody has used."""
        return Pair(self, f"p{next(self._pairs):02d}")

    def patient_pair(self, name: str) -> Pair:
        """One of `PATIENT`: its calls are not late where many of them are under way."""
        return Pair(self, name)

    def on_simulator(self, work: Any) -> Any:
        """Runs `work(simulator)` on the loop that it lives on."""

        async def run() -> Any:
            return work(self.stack.simulator)

        return self.stack.run(run())

    def ask(self, route: str, *, stream: bool, **fields: Any) -> Heard:
        """One call, to its end."""
        body = {"model": route, "stream": stream, **PROMPT, **fields}
        began = time.monotonic()
        if not stream:
            answer = self._client.post("/v1/chat/completions", json=body)
            return _unary(answer, time.monotonic() - began)
        with self._client.stream("POST", "/v1/chat/completions", json=body) as answer:
            raw = answer.read()
            return _streamed(answer, raw, time.monotonic() - began)

    def rows(self, heard: Heard) -> Rows:
        """What was recorded of a call."""
        return self.rows_of(heard.headers["x-request-id"])

    def rows_of(self, request_id: str) -> Rows:
        """The rows of a request by our id, or by the caller's own (of one who left before ours came back)."""
        query = "select * from usage_requests where ?1 in (request_id, client_request_id)"
        found = self._recorded(query, request_id)
        assert len(found) == 1, "a request is recorded exactly once"
        query = "select * from usage_attempts where request_id = ? order by ordinal"
        return Rows(found[0], self._recorded(query, str(found[0]["request_id"])))

    def eventually(self, holds: Any, within_s: float = 20.0) -> bool:
        """Whether something comes true in time."""
        give_up = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > give_up:
                return False
            threading.Event().wait(0.01)
        return True

    def live_of(self, target_id: str) -> TargetState:
        """What is known of a target right now."""
        _, live = self._pipeline._runtime.snapshot
        state = live.of(target_id)
        assert state is not None
        return state

    def let_nobody_probe(self, target_id: str) -> None:
        """Once open, its breaker stays open until `let_open_time_pass`, however slow this machine is."""
        breaker = self.live_of(target_id).breaker
        breaker.policy = replace(breaker.policy, open_s=OPEN_LONG_S, open_s_max=OPEN_LONG_S)

    def let_open_time_pass(self, target_id: str) -> None:
        """For its breaker, which has been told to stay open for long."""
        self.live_of(target_id).breaker._reopen_at = 0.0

    @property
    def in_flight(self) -> int:
        """Requests that hold a slot right now."""
        return self._pipeline.in_flight

    @property
    def _pipeline(self) -> AnswerLlmRequest:
        faces = self.stack.application.faces
        assert faces is not None
        endpoint: Any = faces.hot[("POST", "/v1/chat/completions")]
        pipeline = endpoint._gate.pipeline
        assert isinstance(pipeline, AnswerLlmRequest)
        return pipeline

    def _recorded(self, query: str, *values: str) -> list[dict[str, Any]]:
        self.stack.run(self._pipeline.usage_log.flush())
        with sqlite3.connect(self._data_dir / "interchange.db") as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, values)]

    def _watch_arrivals(self) -> None:
        state: Any = self.stack.simulator._state
        record = state.record

        def record_with_time(number: int, provider: str, path: str, request: Request) -> None:
            self.arrivals.append(Arrival(time.monotonic(), provider, json.loads(request.body or b"{}")))
            record(number, provider, path, request)

        state.record = record_with_time


@contextmanager
def fault_world(
    data_dir: Path, *, via: str, gateway_url: str | None = None, pairs: int = PAIRS
) -> Iterator[FaultWorld]:
    """An installation whose every call goes this way."""
    with Stack(data_dir, configuration(via, gateway_url, pairs)) as stack:
        world = FaultWorld(stack, data_dir)
        try:
            yield world
        finally:
            world.close()


def configuration(via: str, gateway_url: str | None, pairs: int = PAIRS) -> str:
    """The YAML of an installation with every pair in it. What pairs share is said once, in the first of
    them: nearly all of a start is reading this."""
    first, *others = (f"p{number:02d}" for number in range(pairs))
    shared = _Said()
    providers, routes = ["providers:"], ["routes:"]
    for name in (first, *others, *PATIENT):
        a, b = f"{name}a", f"{name}b"
        providers.append(_provider(shared, a, via, "models_of_a", _models(A_PRICES, 8_192, "m", "plain")))
        models_of_b = _models(B_PRICES, 128_000, "m", "no-prefill", "repeat-prefill", "plain")
        providers.append(_provider(shared, b, via, "models_of_b", models_of_b))
        times = PATIENCE if name in PATIENT else 1
        route = {"strategy": "priority", "timeouts": _timeouts(times)}
        plain = shared(f"plain{times}", route)
        continued = shared(f"continued{times}", {**route, "stream_recovery": "continue"})
        routes += [
            f"  {name}-one: {{<<: {plain}, targets: [{a}/m]}}",
            f"  {name}-both: {{<<: {shared(f'plain{times}')}, targets: [{a}/m, {b}/m]}}",
            f"  {name}-continued: {{<<: {continued}, targets: [{a}/m, {b}/m]}}",
        ]
        for after, model_a, model_b in (
            ("repeating", "m", "repeat-prefill"),
            ("restarting", "plain", "plain"),
            ("rejecting", "m", "no-prefill"),
        ):
            said = f"<<: {shared(f'continued{times}')}, targets: [{a}/{model_a}, {b}/{model_b}]"
            routes.append(f"  {name}-{after}: {{{said}}}")
    portkey = {"managed": False, "gateways": [gateway_url] if gateway_url else []}
    breaker = {"consecutive_failures": 3, "open_s": OPEN_S, "open_s_max": 2 * OPEN_S}
    rest = [f"portkey: {json.dumps(portkey)}", f"breaker: {json.dumps(breaker)}"]
    return "\n".join([*providers, *routes, *rest, ""])


class _Said:
    """YAML of values under names: in full the first time, as an alias from then on."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def __call__(self, name: str, value: Any = None) -> str:
        if name in self._names:
            return f"*{name}"
        self._names.add(name)
        return f"&{name} {json.dumps(value)}"


def _timeouts(times: int) -> dict[str, float]:
    return {
        "connect_s": CONNECT_S * times,
        "headers_s": HEADERS_S * times,
        "first_token_s": FIRST_TOKEN_S * times,
        "idle_s": IDLE_S * times,
        "total_s": TOTAL_S * times,
        "stream_total_s": 10 * times,
        "keep_alive_after_s": KEEP_ALIVE_AFTER_S,
    }


def _models(prices: dict[str, int], context_tokens: int, *names: str) -> dict[str, Any]:
    model = {
        "input_usd_per_mtok": prices["input"],
        "output_usd_per_mtok": prices["output"],
        "context_tokens": context_tokens,
    }
    return {name: {**model, "prefill": name != "plain"} for name in names}


def _provider(shared: _Said, name: str, via: str, models_name: str, models: dict[str, Any]) -> str:
    said = f'kind: openai, base_url: "{{sim}}/{name}/v1", api_key: sim-key-123, via: {via}'
    return f"  {name}: {{{said}, models: {shared(models_name, models)} }}"


def _unary(answer: httpx.Response, took_s: float) -> Heard:
    body = answer.json()
    choices = body.get("choices") or [{}]
    text = (choices[0].get("message") or {}).get("content") or ""
    finishes = tuple(choice["finish_reason"] for choice in body.get("choices") or ())
    return Heard(
        answer.status_code, answer.headers, text, body, body.get("error"), False, finishes, 0, took_s
    )


def _streamed(answer: httpx.Response, raw: bytes, took_s: float) -> Heard:
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return _unary(answer, took_s)
    text, error, done, keep_alives = "", None, False, 0
    finishes: list[str] = []
    last: dict[str, Any] = {}
    for frame in raw.decode().split("\n\n"):
        assert not done or not frame.strip(), "nothing follows the end marker"
        if frame.startswith(":"):
            keep_alives += "cost_usd" not in frame
        elif frame == "data: [DONE]":
            done = True
        elif frame.startswith("data: "):
            last = json.loads(frame[6:])
            error = last.get("error", error)
            for choice in last.get("choices") or ():
                text += choice["delta"].get("content") or ""
                finishes += [choice["finish_reason"]] if choice.get("finish_reason") else []
    assert done != (error is not None), "a stream ends with the end marker or with an error, never both"
    return Heard(
        answer.status_code, answer.headers, text, last, error, done, tuple(finishes), keep_alives, took_s
    )
