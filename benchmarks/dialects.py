"""What each caller's dialect costs, and what a translation adds to it: one server, every pair in turn.

The bodies say the same in every dialect and are of about the same size; so are the answers. Rounds are
interleaved like everything else here, and each pair is compared with chat to chat of the same run.
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.load import closed_loop
from benchmarks.mock.nginx_mock import NginxMock
from benchmarks.processes import Running, usage_of, wait_until_quiet
from benchmarks.report import table
from benchmarks.servers import MODEL, start_interchange
from benchmarks.shots import Shot, chat_body

BODY_BYTES = 1024
KINDS = {"chat": "openai", "messages": "anthropic", "gemini": "gemini"}
"""Providers of the one server: a family's name -> its kind."""
BASE = ("chat", "chat")


@dataclass(slots=True, kw_only=True)
class Pair:
    """A caller's dialect and a provider's; one entry per round."""

    caller: str
    provider: str
    concurrency: int
    per_s: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    failed: int = 0


def dialect_pairs(work: Path, *, concurrencies: tuple[int, ...], rounds: int, seconds: int) -> list[Pair]:
    """Every caller's dialect against every provider's, unary."""
    with ExitStack() as stack:
        mock = stack.enter_context(NginxMock())
        url, key, running = start_interchange(
            stack,
            work,
            "interchange-dialects",
            dict.fromkeys(KINDS, (mock.url, "direct")),
            kinds=KINDS,
        )
        shots = {
            (caller, provider): shot
            for provider in KINDS
            for caller, shot in _shots(url, key, f"{provider}/{MODEL}").items()
        }
        for shot in shots.values():
            closed_loop(shot, concurrency=16, seconds=1)
        pairs = [
            Pair(caller=caller, provider=provider, concurrency=concurrency)
            for concurrency in concurrencies
            for caller, provider in shots
        ]
        for _ in range(rounds):
            for pair in pairs:
                _visit(pair, shots[pair.caller, pair.provider], running, seconds)
        return pairs


def _visit(pair: Pair, shot: Shot, running: Running, seconds: int) -> None:
    wait_until_quiet(running.pids())
    before = usage_of(running.pids()).cpu_s
    run = closed_loop(shot, concurrency=pair.concurrency, seconds=seconds)
    wait_until_quiet(running.pids())
    used_s = usage_of(running.pids()).cpu_s - before
    pair.per_s.append(run.per_s)
    pair.failed += run.failed
    if run.answered:
        pair.cpu_us.append(used_s / run.answered * 1e6)


def _shots(url: str, key: str, model: str) -> dict[str, Shot]:
    """The same question in each dialect."""
    messages = json.loads(chat_body(model, BODY_BYTES))["messages"]
    host, _, port = url.removeprefix("http://").partition(":")

    def shot(path: str, body: Mapping[str, object], **headers: str) -> Shot:
        plain = {"content-type": "application/json", "accept": "*/*", "authorization": f"Bearer {key}"}
        return Shot(
            host=host,
            port=int(port),
            path=path,
            headers=tuple(
                (plain | {name.replace("_", "-"): value for name, value in headers.items()}).items()
            ),
            body=json.dumps(body, separators=(",", ":")).encode(),
        )

    turns = [
        {"role": "model" if said["role"] == "assistant" else "user", "parts": [{"text": said["content"]}]}
        for said in messages
    ]
    return {
        "chat": shot("/v1/chat/completions", {"model": model, "messages": messages, "max_tokens": 150}),
        "messages": shot(
            "/v1/messages",
            {"model": model, "messages": messages, "max_tokens": 150},
            anthropic_version="2023-06-01",
        ),
        "responses": shot(
            "/v1/responses", {"model": model, "input": messages, "max_output_tokens": 150, "store": False}
        ),
        "gemini": shot(
            f"/v1beta/models/{model}:generateContent",
            {"contents": turns, "generationConfig": {"maxOutputTokens": 150}},
        ),
    }


def dialects_table(pairs: list[Pair]) -> str:
    """Answers per second as shares of chat to chat, and the CPU time each adds to it."""
    rows = []
    for pair in pairs:
        base = next(p for p in pairs if (p.caller, p.provider) == BASE and p.concurrency == pair.concurrency)
        native = pair.caller == pair.provider or (pair.caller == "responses" and pair.provider == "chat")
        rows.append(
            [
                f"{pair.caller} to {pair.provider}, c{pair.concurrency}",
                "same family" if native else "translated",
                f"{median(pair.per_s):.0f}",
                f"{median(pair.per_s) / median(base.per_s):.2f}",
                f"{median(pair.cpu_us):.0f}",
                f"{median(pair.cpu_us) - median(base.cpu_us):+.0f}",
                str(pair.failed),
            ]
        )
    heads = [
        "caller to provider",
        "way",
        "answers/s",
        "of chat to chat",
        "CPU us",
        "more than chat",
        "failed",
    ]
    return table(heads, rows)
