"""What a client's module says it can do, how each of it is run, and what it needs of the world.

Standard library only: it runs in the clients' environment.
"""

import asyncio
import inspect
import json
import os
import signal
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.clients.families import FAMILIES, PROVIDERS

SCENARIO_S = 60
WHY_CHARS_MAX = 600

# The scenarios that every client goes through where it can; clients add their own.
TEXT = "text"
STREAM = "stream"
TOOLS = "tools over several turns"
PARSED = "structured output"
REASONING = "reasoning, and a turn after it"
LEAVING = "leaving in the middle"
PROVIDER_ERROR = "provider's error"
OVERFLOW = "context overflow"
LARGER = "context overflow, larger window next"


class NotApplicable(Exception):
    """The scenario makes no sense for this client at this family; the message says why."""


class Interchange:
    """The running server as a client's module sees it."""

    def __init__(self) -> None:
        self.url = os.environ["INTERCHANGE_URL"]
        self.key = os.environ["INTERCHANGE_KEY"]
        self.folder = Path(os.environ["CLIENT_FOLDER"])
        # What the scenarios ask themselves is not mixed up with what the client asks.
        self._own_url = os.environ["INTERCHANGE_OWN_URL"]
        self._simulator_url = os.environ["SIMULATOR_URL"]

    def simulator(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of the simulated provider's control API."""
        return _asked(self._simulator_url, method, path, body, {})

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer of the server, whatever its status."""
        return _asked(self._own_url, method, path, body, {"authorization": f"Bearer {self.key}"})

    def fault(self, model: str, kind: str = "status", **fields: Any) -> None:
        """Every request for this model fails this way until the scenario ends."""
        self.simulator("PUT", "/_sim/faults", {"fault": {"kind": kind, **fields}, "match": {"model": model}})

    def sent(self, family: str) -> list[dict[str, Any]]:
        """What the family's provider got since the scenario began, oldest first."""
        recorded = self.simulator("GET", "/_sim/requests")["requests"]
        return [one for one in recorded if one["provider"] == PROVIDERS[family]]

    def text_sent(self, family: str) -> str:
        """The body of the last request its provider got, as JSON text."""
        sent = self.sent(family)
        assert sent, "nothing reached the provider"
        return json.dumps(sent[-1]["body"])

    @contextmanager
    def leaving(self, family: str) -> Iterator[str]:
        """Gives a model whose streams stall; on the way out the client must have left, and everybody
        must have noticed: the provider, and the request's row."""
        before = self._stall(family)
        yield f"{family}-stalls"
        self._noticed(family, before)

    @asynccontextmanager
    async def leaving_async(self, family: str) -> AsyncIterator[str]:
        """As `leaving`; the client's loop goes on while others are waited for."""
        before = self._stall(family)
        yield f"{family}-stalls"
        await asyncio.to_thread(self._noticed, family, before)

    def _stall(self, family: str) -> int:
        self.fault("stalls", "stall_after", tokens=3)
        return self._disconnects(family)

    def _noticed(self, family: str, before: int) -> None:
        wait_until(lambda: self._disconnects(family) > before, "the provider's call was cancelled")
        wait_until(lambda: "cancelled" in self._outcomes(family), f"a row says {self._outcomes(family)}")

    def _disconnects(self, family: str) -> int:
        counters = self.simulator("GET", "/_sim/stats")["providers"].get(PROVIDERS[family], {})
        return int(counters.get("client_disconnects", 0))

    def _outcomes(self, family: str) -> list[str]:
        rows = self.ask("GET", "/api/v1/requests?limit=20")["requests"]
        return [row["outcome"] for row in rows if row["model_asked"] == f"{family}-stalls"]


def _asked(base_url: str, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    parts = urlsplit(base_url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def wait_until(look: Callable[[], object], what: str, within_s: float = 10.0) -> None:
    """Looks until it is so. Raises AssertionError when it never is."""
    give_up = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < give_up, f"not seen: {what}"
        time.sleep(0.05)


def has(text: object, *parts: str) -> None:
    """Raises AssertionError naming what is missing in a text."""
    for part in parts:
        assert part in str(text), f"{part!r} is not in {str(text)[:400]!r}"


class Scenario(NamedTuple):
    """One thing a client does at each of some families; `not_at` says why not at the others."""

    name: str
    run: Callable[[Interchange, str], Any]
    families: Sequence[str]
    why_not: str


class Client:
    """A client's scenarios, in the order they are told on the page."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._scenarios: list[Scenario] = []

    def does(
        self, name: str, *families: str, why_not: str = ""
    ) -> Callable[[Callable[[Interchange, str], Any]], Callable[[Interchange, str], Any]]:
        """Marks a function as a scenario at the given families, all of them unless told."""

        def mark(run: Callable[[Interchange, str], Any]) -> Callable[[Interchange, str], Any]:
            self._scenarios.append(Scenario(name, run, families or FAMILIES, why_not))
            return run

        return mark

    def main(self) -> None:
        """Runs everything and writes one line of JSON per scenario and family to `CLIENT_RESULTS`."""
        here = Interchange()
        # One loop for all: some clients keep connections for as long as their process lives.
        with Path(os.environ["CLIENT_RESULTS"]).open("w") as results, asyncio.Runner() as loop:
            for scenario in self._scenarios:
                for family in FAMILIES:
                    began = time.monotonic()
                    outcome, why = _outcome(here, scenario, family, loop)
                    print(
                        f"{time.monotonic() - began:.1f} s {scenario.name} / {family}: {outcome}", flush=True
                    )
                    told = {"scenario": scenario.name, "family": family, "outcome": outcome, "why": why}
                    results.write(json.dumps(told) + "\n")
                    results.flush()


def _outcome(here: Interchange, scenario: Scenario, family: str, loop: asyncio.Runner) -> tuple[str, str]:
    if family not in scenario.families:
        return "n/a", scenario.why_not or "not a matter of the family"
    only = os.environ.get("CLIENT_ONLY")
    if only and only not in f"{scenario.name} {family}":
        return "n/a", "not asked for"
    for resource in ("faults", "latency", "answers", "requests"):
        here.simulator("DELETE", f"/_sim/{resource}")
    previous = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SCENARIO_S)
    try:
        done = scenario.run(here, family)
        if inspect.iscoroutine(done):
            loop.run(done)
    except NotApplicable as reason:
        return "n/a", str(reason)
    except Exception as error:  # noqa: BLE001 - whatever a client raises is this scenario's result
        traceback.print_exc()
        return "fail", f"{type(error).__name__}: {error}"[:WHY_CHARS_MAX]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return "pass", ""


def _too_long(signal_number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"still running after {SCENARIO_S} s")
