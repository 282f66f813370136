"""Three servers that keep answers in one Redis, in front of one simulated provider."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx

from tests.e2e.databases_laid import lay_database
from tests.e2e.stack import Stack

CONFIG = """
cache: {l2_timeout_s: 0.25}
providers:
  acme:
    kind: openai
    base_url: "{sim}/openai/v1"
    api_key: k
    via: direct
    models:
      m:
        input_usd_per_mtok: 1
        output_usd_per_mtok: 4
        context_tokens: 100000
        capabilities: [text, streaming]
routes:
  kept: {targets: [acme/m], cache: {mode: exact, tags: [docs]}}
  other: {targets: [acme/m], cache: {mode: exact, tags: [news]}}
"""
PATIENCE_S = 30.0
"""How long something is waited for that comes by itself, on a machine that is busy with other things."""
CALL_TIMEOUT_S = 3.9
"""Of every caller. A server that waited once for a Redis 2 s away in each direction would miss it."""


class Told(NamedTuple):
    outcome: str
    """What the header says of the cache."""
    text: str


class ThreeServers:
    """`stacks` share keys, usage and budgets through one file, and answers through Redis."""

    def __init__(self, stacks: Sequence[Stack]) -> None:
        self.stacks = list(stacks)
        self._pool = ThreadPoolExecutor(12)
        self._clients = [stack.client() for stack in stacks]

    def ask(
        self, place: int, text: str, *, model: str = "kept", stream: bool = False, **headers: str
    ) -> Told:
        """One caller's request. Raises whatever a caller would see as an error."""
        answer = self._clients[place].post(
            "/v1/chat/completions",
            json={"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]},
            headers={f"x-interchange-{name.replace('_', '-')}": value for name, value in headers.items()},
            timeout=CALL_TIMEOUT_S,
        )
        assert answer.status_code == 200, answer.text
        return Told(answer.headers["x-interchange-cache"], answer.text)

    def ask_many(self, texts: Sequence[str]) -> list[Told]:
        """All at once, over all servers, every third as a stream. Raises the first error of any caller."""
        running = [
            self._pool.submit(self.ask, number % 3, text, stream=number % 3 == 2)
            for number, text in enumerate(texts)
        ]
        return [one.result(PATIENCE_S) for one in running]

    def until_shared(self, sender: int = 0) -> None:
        """Waits until what one server keeps is a hit of the others that comes from Redis."""
        receivers = [place for place in range(3) if place != sender]
        give_up = time.monotonic() + PATIENCE_S
        told: list[str] = []
        while time.monotonic() < give_up:
            text = f"is this shared? {uuid4()}"
            self.ask(sender, text)
            time.sleep(0.1)
            told = [self.ask(place, text).outcome for place in receivers]
            if told == ["hit-l2", "hit-l2"]:
                return
        raise AssertionError(f"nothing is shared: {told}")

    def invalidate(self, place: int, **wanted: Any) -> httpx.Response:
        return self._clients[place].post("/api/v1/cache/invalidate", json=wanted, timeout=PATIENCE_S)

    def provider_says(self, text: str) -> None:
        """To everything from now on."""
        base_url = self.stacks[0].simulator.base_url
        httpx.delete(f"{base_url}/_sim/answers").raise_for_status()
        httpx.put(f"{base_url}/_sim/answers", json={"answer": {"text": text}}).raise_for_status()

    def calls(self) -> int:
        """That reached the provider so far."""
        stats = httpx.get(f"{self.stacks[0].simulator.base_url}/_sim/stats").raise_for_status().json()
        return sum(int(each["requests"]) for each in stats["providers"].values())

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in self._clients:
            client.close()


@contextmanager
def three_servers(directory: Path, **environ: str) -> Iterator[ThreeServers]:
    """Up and answering; `environ` says where Redis is."""
    shared = {
        **environ,
        "DATABASE_URL": f"sqlite:///{lay_database(directory, 'shared.db')}",
        "INTERCHANGE_KEY_PEPPER": "1:" + "0123456789abcdef" * 4,
    }
    with ExitStack() as opened:
        stacks: list[Stack] = []
        for name in ("one", "two", "three"):
            place = directory / name
            config = CONFIG
            if stacks:
                place.mkdir(parents=True)
                (place / "admin.key").write_text(stacks[0].key)
                config = CONFIG.replace("{sim}", stacks[0].simulator.base_url)
            stacks.append(opened.enter_context(Stack(place, config, environ=shared)))
        world = ThreeServers(stacks)
        opened.callback(world.close)
        yield world
