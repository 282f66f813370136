"""How a provider fails: every kind of fault as data, and how long answers take."""

import math
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import Enum
from typing import Any

import msgspec


class FaultKind(Enum):
    """What goes wrong. `tokens` of the fault says after how many content tokens, where that applies."""

    STATUS = "status"
    """An error answer in the provider's shape: `status`, `code`, `type`, `message`, Retry-After."""
    RESET_BEFORE_HEADERS = "reset_before_headers"
    """The connection is reset (RST) before a byte of the answer."""
    CLOSE_BEFORE_HEADERS = "close_before_headers"
    """The connection is closed in order before a byte of the answer."""
    DOWN = "down"
    """As reset, meant with a rule's `for_s`: the provider is gone for so long."""
    SILENCE = "silence"
    """The request is taken and never answered."""
    SLOW_HEADERS = "slow_headers"
    """The answer starts `delay_s` late."""
    SLOW_FIRST_TOKEN = "slow_first_token"  # noqa: S105 - a token of text
    """Headers at once, the first content (or the body) `delay_s` late."""
    CUT_AFTER = "cut_after"
    """The stream ends after `tokens`: by RST, or by close with or without the chunked terminator."""
    STALL_AFTER = "stall_after"
    """Nothing more comes after `tokens`, and the connection stays open."""
    MALFORMED_CHUNK_AFTER = "malformed_chunk_after"
    """After `tokens`, a frame that is not JSON; then the stream goes on."""
    BAD_CHUNKING_AFTER = "bad_chunking_after"
    """After `tokens`, bytes that break the chunked transfer coding."""
    ERROR_FRAME_AFTER = "error_frame_after"
    """After `tokens`, an error inside the stream, then its end."""
    NO_DONE = "no_done"
    """A stream with its finish reason but without the end marker."""
    NO_FINISH = "no_finish"
    """A stream that ends in order without finish reason, usage or end marker."""
    EMPTY_200 = "empty_200"
    HTML_200 = "html_200"
    WRONG_JSON = "wrong_json"
    """A 200 with valid JSON that is no answer."""
    TRUNCATED_BODY = "truncated_body"
    """A unary body shorter than its Content-Length; a stream cut without terminator after `tokens`."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. Fields that mean nothing to its kind are ignored.

    `how` is `reset` or `close`; `terminator` writes the chunked end before a close. `p` in 0..1 with
    `seed` makes it strike at random, the same way each time. `retry_after_date` sends Retry-After as
    HTTP date instead of seconds.
    """

    kind: FaultKind
    status: int = 500
    code: str | None = None
    type: str | None = None
    message: str | None = None
    body: str | None = None
    """A literal error body in place of the provider's shape."""
    headers: dict[str, str] = {}
    retry_after_s: float | None = None
    retry_after_date: bool = False
    delay_s: float = 5.0
    tokens: int = 0
    how: str = "reset"
    terminator: bool = False
    p: float = 1.0
    seed: int = 0


_MESSAGES = {
    "context_length_exceeded": "This model's maximum context length is 8192 tokens.",
    "content_policy_violation": "Your request was rejected as a result of our safety system.",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
    "overloaded_error": "Overloaded",
    "model_not_found": "The model does not exist or you do not have access to it.",
}


def fault_from(wanted: dict[str, Any]) -> Fault:
    """A fault from JSON. `{"kind": "random", "p": …}` is a 500 that strikes at random, `down_for` is `down`.

    Raises:
        msgspec.ValidationError: an unknown kind, field or type.
    """
    kind = wanted.get("kind")
    if kind == "random":
        wanted = {"p": 0.5, **wanted, "kind": "status"}
    elif kind == "down_for":
        wanted = {**wanted, "kind": "down"}
    return msgspec.convert(wanted, Fault)


def message_of(fault: Fault) -> str:
    """What the error says."""
    return fault.message or _MESSAGES.get(fault.code or fault.type or "", f"Simulated fault: {fault.status}.")


def headers_of(fault: Fault, *, now: datetime | None = None) -> dict[str, str]:
    """Its headers, Retry-After included."""
    headers = dict(fault.headers)
    if fault.retry_after_s is not None:
        if fault.retry_after_date:
            moment = (now or datetime.now(UTC)) + timedelta(seconds=fault.retry_after_s)  # noqa: TID251
            headers["retry-after"] = format_datetime(moment, usegmt=True)
        else:
            headers["retry-after"] = f"{fault.retry_after_s:g}"
    return headers


class Latency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long answers take. With `sigma` > 0 each time is lognormal around the given median."""

    ttft_ms: float = 0.0
    per_token_ms: float = 0.0
    sigma: float = 0.0
    seed: int = 0


class LatencyProfile:
    """A latency with its own sequence of draws."""

    def __init__(self, latency: Latency) -> None:
        self.latency = latency
        self._random = random.Random(latency.seed)

    def first_token_s(self) -> float:
        """Time until the first content."""
        return self._spread(self.latency.ttft_ms)

    def token_s(self) -> float:
        """Time until one more token."""
        return self._spread(self.latency.per_token_ms)

    def whole_s(self, tokens: int) -> float:
        """Time until a unary answer of so many tokens."""
        return self.first_token_s() + sum(self.token_s() for _ in range(tokens))

    def _spread(self, median_ms: float) -> float:
        if median_ms <= 0:
            return 0.0
        if self.latency.sigma <= 0:
            return median_ms / 1000
        return median_ms / 1000 * math.exp(self._random.gauss(0.0, self.latency.sigma))
