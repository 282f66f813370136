"""Where the time of a request goes inside the process, stage by stage.

    python -m benchmarks.stages [--requests 6000] [--mock http://127.0.0.1:9001] [--limits] [--json]

Drives the real endpoint, opened as a worker opens it (keys, plan, breaker, three hard budgets, journal,
SQLite, metrics), one
request after the other, with an upstream that answers at once. Each stage's own time is taken, without that
of the stages inside it; the timers' cost is measured and taken off; medians are shown. With `--mock`, the
real transport is measured against that address too, 64 requests at a time, as CPU time per request. With
`--limits`, two rate limits concern each request, one of them of tokens too.
"""

import argparse
import asyncio
import functools
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvloop

from adapters.http.transport import StreamlinedTransport
from application.ports.http import HttpRequest
from benchmarks.mock.canned import stream_events, unary_body
from benchmarks.servers import BUDGETS, INPUT_USD_PER_MTOK, MODEL, OUTPUT_USD_PER_MTOK, PROVIDER_KEY
from benchmarks.shots import chat_body
from entrypoints.garbage_collection import leave_out_of_collections
from entrypoints.http.app import Faces
from entrypoints.lifespan import open_faces
from entrypoints.settings import load_settings

# (module, owner within it or "", name, stage)
TIMED = (
    ("entrypoints.http.llm", "", "read_headers", "authenticate"),
    ("entrypoints.http.entrance", "Entrance", "let_in", "authenticate"),
    ("application.key_ring", "KeyRing", "authenticate", "authenticate"),
    ("entrypoints.http.llm", "", "read_body", "read"),
    ("entrypoints.http.llm", "LlmEndpoint", "read", "read"),
    ("adapters.wire.heads", "DialectReader", "read", "read"),
    ("application.use_cases.answer_llm_request", "AnswerLlmRequest", "begin", "admit"),
    ("application.caching.answer_cache", "AnswerCache", "look", "cache"),
    ("application.caching.answer_cache", "AnswerCache", "complete", "cache"),
    ("application.demands", "", "complete_requirements", "plan"),
    ("application.use_cases.answer_llm_request", "", "make_plan", "plan"),
    ("application.attempts", "AttemptLoop", "_run", "attempt loop"),
    ("application.attempts", "AttemptLoop", "_complete_once", "attempt loop"),
    ("application.attempts", "", "open_attempt", "attempt loop"),
    ("adapters.providers.direct", "DirectProviders", "complete", "encode"),
    ("adapters.providers.direct", "DirectProviders", "open_stream", "encode"),
    ("adapters.wire.openai", "SameFamilyCodec", "request", "encode"),
    ("adapters.wire.exchange", "Exchange", "complete", "decode"),
    ("adapters.wire.exchange", "Exchange", "open_stream", "decode"),
    ("adapters.wire.openai", "SameFamilyCodec", "response", "decode"),
    ("adapters.wire.openai_stream", "SameFamilyStream", "feed", "decode"),
    ("adapters.wire.exchange", "_OpenStream", "next_block", "decode"),
    ("domain.llm.stream", "StreamMachine", "feed", "stream machine"),
    ("application.stream", "OpenedStream", "next_block", "relay"),
    ("application.holds", "BudgetHolds", "begin", "hold"),
    ("application.holds", "BudgetHolds", "settle", "settle: money"),
    ("application.holds", "BudgetHolds", "recorded", "settle: money"),
    ("application.attempts", "", "note_attempt", "settle"),
    ("application.stream", "", "note_attempt", "settle"),
    ("application.use_cases.answer_llm_request", "AnswerLlmRequest", "end", "record: event"),
    ("adapters.sql.usage_log", "JournaledUsageLog", "record", "record: journal"),
    ("adapters.telemetry.metrics", "PrometheusMetrics", "observe", "record: metrics"),
    ("entrypoints.http.llm", "LlmEndpoint", "unary_body", "respond"),
    ("entrypoints.http.llm", "LlmEndpoint", "_stream_headers", "respond"),
    ("entrypoints.http.llm", "LlmEndpoint", "stream_end", "respond"),
    ("entrypoints.http.llm", "", "answer_headers", "respond"),
    ("entrypoints.http.llm", "", "respond", "respond"),
    ("entrypoints.http.llm", "LlmEndpoint", "__call__", "endpoint, tasks, watch"),
)


class StageTimer:
    """Exclusive time per stage of one request at a time."""

    def __init__(self) -> None:
        self._stack: list[list[Any]] = []
        self._now: dict[str, int] = {}
        self.requests: list[dict[str, int]] = []

    def enter(self, stage: str) -> None:
        self._stack.append([stage, 0, time.perf_counter_ns()])

    def leave(self) -> None:
        stage, inside, began = self._stack.pop()
        took = time.perf_counter_ns() - began
        self._now[stage] = self._now.get(stage, 0) + took - inside
        self._now["timers"] = self._now.get("timers", 0) + 1
        if self._stack:
            self._stack[-1][1] += took

    def next_request(self) -> None:
        self.requests.append(self._now)
        self._now = {}

    def wrap(self, owner: Any, name: str, stage: str) -> None:
        """Puts a timer around a function of a module or class."""
        function = vars(owner)[name] if isinstance(owner, type) else getattr(owner, name)
        if asyncio.iscoroutinefunction(function):

            @functools.wraps(function)
            async def timed(*arguments: Any, **named: Any) -> Any:
                self.enter(stage)
                try:
                    return await function(*arguments, **named)
                finally:
                    self.leave()

        else:

            @functools.wraps(function)
            def timed(*arguments: Any, **named: Any) -> Any:
                self.enter(stage)
                try:
                    return function(*arguments, **named)
                finally:
                    self.leave()

        setattr(owner, name, timed)

    def cost_ns(self) -> float:
        """What one timer adds: half of it to its own stage, half to the one around it."""
        probe = type("Probe", (), {"nothing": lambda _: None})
        bare, timed = probe(), type("Timed", (), dict(vars(probe)))
        spare = StageTimer()
        spare.wrap(timed, "nothing", "nothing")
        instance: Any = timed()
        rounds = 20_000
        spare.enter("around")
        began = time.perf_counter_ns()
        for _ in range(rounds):
            instance.nothing()
        middle = time.perf_counter_ns()
        for _ in range(rounds):
            bare.nothing()
        return ((middle - began) - (time.perf_counter_ns() - middle)) / rounds


class InstantResponse:
    """A whole answer, or events one at a time."""

    def __init__(self, request: HttpRequest) -> None:
        self.status = 200
        self._stream = b'"stream":true' in request.body
        kind = "text/event-stream" if self._stream else "application/json"
        self.headers = [("content-type", kind)]
        self._left = iter(_EVENTS)

    async def read(self) -> bytes:
        return _UNARY

    async def next_chunk(self) -> bytes:
        return next(self._left, b"")

    def close(self) -> None:
        """There is no connection."""


_UNARY = unary_body()
_EVENTS = stream_events()
_Send = Callable[[StreamlinedTransport, HttpRequest], Awaitable[Any]]


async def _instant_send(_: StreamlinedTransport, request: HttpRequest) -> InstantResponse:
    return InstantResponse(request)


async def ask(faces: Faces, scope: dict[str, Any], body: bytes) -> None:
    """One request through the endpoint, as a server would make it."""

    parts = iter((body,))

    async def receive() -> dict[str, Any]:
        for part in parts:
            return {"type": "http.request", "body": part, "more_body": False}
        # Whoever asks again waits for the caller to leave.
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody leaves")

    async def send(message: Any) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"status {message['status']}")

    await faces.hot["POST", "/v1/chat/completions"](scope, receive, send)


async def measure(mock: str | None, requests: int, folder: Path, *, limits: bool) -> dict[str, Any]:
    """The stages of both kinds, then CPU time per request without any timer."""
    real_send = StreamlinedTransport.send
    loaded = load_settings(_environment(mock or "http://127.0.0.1:9", folder, limits=limits))
    found: dict[str, Any] = {"stages": {}, "cpu_us": {}}
    async with open_faces(loaded, built=leave_out_of_collections) as faces:
        scope = _scope((folder / "admin.key").read_text().strip())
        bodies = {
            "unary": chat_body(f"bench/{MODEL}", 1024),
            "stream": chat_body(f"bench/{MODEL}", 1024, stream=True),
            "hit": chat_body("kept", 1024),
        }
        _set_send(_instant_send)
        for kind, body in bodies.items():
            found["cpu_us"][f"{kind}, instant upstream"] = await _cpu_us(faces, scope, body, requests)
        if mock is not None:
            _set_send(real_send)
            found["cpu_us"]["unary, real transport"] = await _cpu_us(faces, scope, bodies["unary"], requests)
            _set_send(_instant_send)
    timer = StageTimer()
    cost_ns = timer.cost_ns()
    for module, owner, name, stage in TIMED:
        target = importlib.import_module(module)
        timer.wrap(getattr(target, owner) if owner else target, name, stage)
    async with open_faces(loaded, built=leave_out_of_collections) as faces:
        for kind, body in bodies.items():
            for number in range(requests // (10 if kind == "stream" else 1)):
                if number == 200:
                    timer.requests.clear()
                await ask(faces, scope, body)
                timer.next_request()
                if number % 50 == 0:
                    await asyncio.sleep(0.001)  # the usage writer gets its turn
            found["stages"][kind] = _medians_us(timer.requests, cost_ns)
            timer.requests.clear()
    _set_send(real_send)
    return found


async def _cpu_us(faces: Faces, scope: dict[str, Any], body: bytes, requests: int) -> float:
    """CPU time of this process per request, with 64 at a time."""
    if b'"stream":true' in body:
        requests //= 10

    async def caller(count: int) -> None:
        for _ in range(count):
            await ask(faces, scope, body)
            await asyncio.sleep(0)  # others come in between, as they do in a server

    await asyncio.gather(*(caller(10) for _ in range(64)))
    began = time.process_time()
    await asyncio.gather(*(caller(max(1, requests // 64)) for _ in range(64)))
    await asyncio.sleep(0.3)  # what they left in the queue is their cost too
    return (time.process_time() - began) / (64 * max(1, requests // 64)) * 1e6


def _medians_us(requests: list[dict[str, int]], cost_ns: float) -> dict[str, float]:
    stages = sorted({stage for one in requests for stage in one} - {"timers"})
    calls = median(one["timers"] for one in requests)
    medians = {stage: median(one.get(stage, 0) for one in requests) / 1e3 for stage in stages}
    # Spread over the stages by their share: good enough for a correction of a few percent.
    whole = sum(medians.values())
    share = 1 - min(0.9, calls * cost_ns / 1e3 / whole)
    return {stage: value * share for stage, value in medians.items()}


def _set_send(send: _Send) -> None:
    StreamlinedTransport.send = send  # type: ignore[method-assign, assignment]


LIMITS: Final = """rate_limits:
  - {name: everything, scope: {tenant: default}, requests: 6000000, per: minute}
  - {name: each key, scope: {tenant: default, key: "*"}, requests: 6000000, tokens: 1000000000, per: minute}
"""


def _environment(mock: str, folder: Path, *, limits: bool) -> dict[str, str]:
    config = folder / "interchange.yaml"
    config.write_text(
        f"providers:\n  bench:\n    kind: openai\n    base_url: {mock}/v1\n    api_key: {PROVIDER_KEY}\n"
        f"    via: direct\n    models:\n      {MODEL}: {{input_usd_per_mtok: {INPUT_USD_PER_MTOK}, "
        f"output_usd_per_mtok: {OUTPUT_USD_PER_MTOK}, capabilities: [text, streaming]}}\n"
        f"routes:\n  kept: {{targets: [bench/{MODEL}], cache: {{mode: exact}}}}\n"
        + "\n".join(BUDGETS)
        + "\n"
        + (LIMITS if limits else "")
    )
    return {
        "INTERCHANGE_CONFIG": str(config),
        "INTERCHANGE_DATA_DIR": str(folder),
        "PATH": os.environ.get("PATH", ""),
    }


def _scope(key: str) -> dict[str, Any]:
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"accept", b"*/*")]
    return {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": [*headers, (b"authorization", b"Bearer " + key.encode())],
    }


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--mock")
    parser.add_argument("--limits", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-stages-") as folder:
        found = uvloop.run(measure(chosen.mock, chosen.requests, Path(folder), limits=chosen.limits))
    if chosen.json:
        print(json.dumps(found))
        return 0
    for kind, stages in found["stages"].items():
        print(f"{kind}: {sum(stages.values()):.1f} us")
        for stage, value in sorted(stages.items(), key=lambda pair: -pair[1]):
            print(f"  {stage:24} {value:7.1f} us")
    for what, value in found["cpu_us"].items():
        print(f"CPU of the process, {what}: {value:.1f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
