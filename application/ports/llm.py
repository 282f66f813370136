"""Calling a model, whichever way leads to it.

Failure policy: whatever goes wrong upstream is an `UpstreamFailed` with a classified `Failure`; a driver's
exception never escapes. Cancelling an await ends the upstream call. No adapter retries, falls back,
or waits out a Retry-After: the attempt loop owns that.
"""

from abc import abstractmethod
from typing import Final, NamedTuple, Protocol

from domain.llm.failures import Failure
from domain.llm.request import LlmRequest
from domain.llm.stream import StreamEvent
from domain.llm.usage import Usage
from domain.resilience.key_pool import Headroom
from domain.routing.target import Target
from domain.time import Timeouts
from domain.tracing.active import NO_HEADERS, TraceHeaders

CALLER: Final = "caller"
"""The credential of a call that proves itself with the caller's own, `LlmRequest.own_credential`."""


class UpstreamFailed(Exception):
    """An attempt failed; `failure` says how, in the domain's words."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class UpstreamCall(NamedTuple):
    """One attempt. The answer is wanted in `request.dialect`, whatever the provider speaks.

    `total_timeout_s` is what is left of the deadline. `continue_from` is text already delivered to the
    caller that the answer shall carry on from (plain-text chat only; the target supports prefill).
    """

    request: LlmRequest
    target: Target
    timeouts: Timeouts
    total_timeout_s: float
    request_id: str = ""
    continue_from: str | None = None
    credential: str = ""
    """Which of the provider's keys to use, by its id; empty: the only one, or the caller's own."""
    moved_from: str = ""
    """Id of a target at another account that answered this conversation before: what it signed or encrypted
    may mean nothing here. Empty: none is known."""
    trace: TraceHeaders = NO_HEADERS
    """Headers that tell whoever answers which trace this belongs to."""


class UpstreamAnswer(NamedTuple):
    """A complete unary answer in the caller's dialect."""

    body: bytes
    content_type: str
    usage: Usage | None
    """None: the provider gave no count."""
    finish_reason: str | None
    headers: tuple[tuple[str, str], ...] = ()
    """Upstream headers worth passing on (rate limits, request ids), names in lower case."""
    dropped: tuple[str, ...] = ()
    """Names of request fields that did not reach the provider."""
    headroom: Headroom | None = None
    """What the provider told of the limits of the key that was used, where the call named one."""


class Block(NamedTuple):
    """Some bytes of a stream in the caller's dialect, whole frames only, and what they mean in order."""

    raw: bytes
    events: tuple[StreamEvent, ...]


class UpstreamStream(Protocol):
    """An accepted stream (2xx). Always `close()` it; that ends the upstream call if it still runs."""

    headers: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    headroom: Headroom | None = None

    @abstractmethod
    async def next_block(self) -> Block | None:
        """The next block; None when the connection ended, which alone does not mean complete.

        A malformed chunk or an error frame arrives as a `Faulted` event. A reset or cut connection
        raises UpstreamFailed. Timeouts between blocks are the caller's to keep.
        """
        ...

    def conclude(self) -> Block:
        """What a complete answer still owes its caller when nothing more is waited for: closing frames that a
        translation holds back for a usage that never came. Ends the stream; never waits; empty by default."""
        return Block(b"", ())

    @abstractmethod
    def close(self) -> None:
        """Ends the upstream call. Idempotent, never waits."""
        ...


class LlmProvider(Protocol):
    """One way to providers: directly, or through a gateway."""

    @abstractmethod
    def would_drop(self, request: LlmRequest, target: Target) -> tuple[str, ...]:
        """Names of body fields that this way would lose on the way to this target. Pure."""
        ...

    @abstractmethod
    def reaches(self, target: Target) -> bool:
        """Whether this way leads to the target now (configured, and for a gateway: up). Never waits."""
        ...

    def speaks(self, dialect: str, target: Target) -> bool:  # noqa: ARG002 - the default speaks everything
        """Whether this way can carry a request of this dialect to the target at all. Pure."""
        return True

    @abstractmethod
    async def complete(self, call: UpstreamCall) -> UpstreamAnswer:
        """A unary answer. Raises UpstreamFailed."""
        ...

    @abstractmethod
    async def open_stream(self, call: UpstreamCall) -> UpstreamStream:
        """A stream whose success headers have arrived. Raises UpstreamFailed."""
        ...
