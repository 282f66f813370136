"""What the simulated provider knows: rules in force, the bill, counters and the last requests."""

from collections import deque
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from entrypoints.simulator.answers import ScriptedAnswer
from entrypoints.simulator.bill import Bill
from entrypoints.simulator.connection import Request
from entrypoints.simulator.faults import Fault, LatencyProfile
from entrypoints.simulator.idempotency import KeyedAnswers
from entrypoints.simulator.prompt_cache import PromptCache
from entrypoints.simulator.rules import RuleBook
from entrypoints.simulator.stored_responses import StoredResponses

RECORDED_REQUESTS_MAX = 200
RECORDED_BODY_BYTES_MAX = 256 * 1024
MODELS_DEFAULT = ("small", "large", "think", "embed")
_SECRET_HEADERS = frozenset(
    {
        b"authorization",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"x-portkey-api-key",
        b"cookie",
        b"x-amz-security-token",
    }
)


class Recorded(NamedTuple):
    """A request as it arrived, kept raw so that recording costs nothing.

    Of a body over `RECORDED_BODY_BYTES_MAX` only the beginning is kept.
    """

    number: int
    provider: str
    path: str
    request: Request
    body_bytes: int

    def shown(self) -> dict[str, Any]:
        """As JSON, with secrets replaced by a fingerprint that still tells them apart."""
        headers = {
            name.decode("latin-1"): _redacted(value) if name in _SECRET_HEADERS else value.decode("latin-1")
            for name, value in self.request.headers
        }
        body = self.request.body
        shown: Any
        try:
            shown = msgspec.json.decode(body) if body else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            shown = body.decode("utf-8", "replace")
        return {
            "number": self.number,
            "method": self.request.method,
            "provider": self.provider,
            "path": self.path,
            "headers": headers,
            "body_bytes": self.body_bytes,
            "body": shown,
        }


def _redacted(value: bytes) -> str:
    return f"[redacted {fingerprint(value.decode('latin-1').removeprefix('Bearer '))}]"


def fingerprint(secret: str) -> str:
    """Eight hexadecimal digits that tell secrets apart without showing them."""
    return sha256(secret.encode()).hexdigest()[:8]


class Counters:
    """Requests in flight, seen and left; one for everything and one per provider."""

    __slots__ = ("answered", "client_disconnects", "faults", "in_flight", "peak_in_flight", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.answered = 0
        self.in_flight = 0
        self.peak_in_flight = 0
        self.client_disconnects = 0
        self.faults = 0

    def enter(self) -> None:
        """A request began."""
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.peak_in_flight:
            self.peak_in_flight = self.in_flight

    def leave(self, *, answered: bool) -> None:
        """It ended; `answered` when it was a success to its end."""
        self.in_flight -= 1
        if answered:
            self.answered += 1

    def shown(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


class SimulationState:
    """Everything the simulated provider remembers. `seed` makes its answers."""

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.faults: RuleBook[Fault] = RuleBook()
        self.latencies: RuleBook[LatencyProfile] = RuleBook()
        self.answers: RuleBook[ScriptedAnswer] = RuleBook()
        self.bill = Bill()
        self.prompt_cache = PromptCache()
        self.responses = StoredResponses()
        self.keyed: KeyedAnswers[Any] = KeyedAnswers()
        self.models: tuple[str, ...] = MODELS_DEFAULT
        self.total = Counters()
        self.by_provider: dict[str, Counters] = {}
        self.connections_open = 0
        self.connections_total = 0
        self.recorded: deque[Recorded] = deque(maxlen=RECORDED_REQUESTS_MAX)

    def counters_of(self, provider: str) -> Counters:
        """The counters of one provider."""
        counters = self.by_provider.get(provider)
        if counters is None:
            counters = self.by_provider[provider] = Counters()
        return counters

    def record(self, number: int, provider: str, path: str, request: Request) -> None:
        """Keeps a request among the last ones."""
        size = len(request.body)
        if size > RECORDED_BODY_BYTES_MAX:
            request = request._replace(body=request.body[:RECORDED_BODY_BYTES_MAX])
        self.recorded.append(Recorded(number, provider, path, request, size))

    def stats(self) -> dict[str, Any]:
        """All counters as JSON."""
        return {
            **self.total.shown(),
            "connections_open": self.connections_open,
            "connections_total": self.connections_total,
            "keyed_repeats": self.keyed.repeats,
            "providers": {name: counters.shown() for name, counters in sorted(self.by_provider.items())},
        }

    def clear_stats(self) -> None:
        """Starts counting anew; what is in flight stays counted."""
        for counters in (self.total, *self.by_provider.values()):
            in_flight = counters.in_flight
            for name in Counters.__slots__:
                setattr(counters, name, 0)
            counters.in_flight = counters.peak_in_flight = in_flight
        self.connections_total = self.connections_open
