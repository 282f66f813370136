"""The legal life of an answer stream, without I/O.

Rule 1: the point up to which another target may still answer is a fact of this machine (`may_fail_over`),
nothing else decides it. Rule 2: a stream is complete only when the provider said so (a finish reason or
an explicit terminator); a clean end of the connection proves nothing.
"""

from enum import Enum
from typing import NamedTuple

from domain.llm.failures import Failure
from domain.llm.usage import Usage


class ContentKind(Enum):
    """What a caller would see of an answer; the first of any of them commits the stream."""

    TEXT = "text"
    REASONING = "reasoning"
    TOOL_CALL = "tool_call"
    REFUSAL = "refusal"
    MEDIA = "media"
    """Sound or pictures, whatever they are told in."""


class Opened(NamedTuple):
    """Metadata arrived: a role, an id. Nothing a caller would miss."""


class Delta(NamedTuple):
    """A piece of the answer. `text` is the text itself, or the raw arguments of a tool call."""

    kind: ContentKind
    text: str


class UsageReported(NamedTuple):
    """The provider's count so far; a later one replaces an earlier one."""

    usage: Usage


class Finished(NamedTuple):
    """The provider gave its reason to stop, in the pivot vocabulary (`stop`, `length`, `tool_calls`, …)."""

    reason: str


class Terminated(NamedTuple):
    """The explicit end marker of the protocol, such as `[DONE]` or `message_stop`."""


class Pinged(NamedTuple):
    """The provider is alive but has nothing to say; resets the idle clock, not the first-token clock."""


class Faulted(NamedTuple):
    """The provider reported an error inside the stream, or sent what cannot be read."""

    failure: Failure


StreamEvent = Opened | Delta | UsageReported | Finished | Terminated | Pinged | Faulted


class Phase(Enum):
    """Where a stream stands."""

    WAITING = "waiting"
    STREAMING = "streaming"
    FINISHED = "finished"
    """A finish reason or terminator was seen; usage may still trail."""
    INTERRUPTED = "interrupted"


class StreamMachine:
    """Folds the events of one attempt's stream. Feed it everything; ask it what is true.

    An event after the end is ignored, except usage, which some providers send last.
    `text` is kept only when asked for (continuation and estimates need it).
    """

    __slots__ = (
        "_texts",
        "committed",
        "complete",
        "content_chars",
        "failure",
        "finish_reason",
        "phase",
        "terminated",
        "usage",
    )

    def __init__(self, *, keep_text: bool = False) -> None:
        self.phase = Phase.WAITING
        self.complete = False
        """Whether it is finished, which nothing ends. An attribute, because every block of a stream asks."""
        self.committed = False
        self.finish_reason: str | None = None
        self.terminated = False
        self.usage: Usage | None = None
        self.failure: Failure | None = None
        self.content_chars = 0
        self._texts: list[str] | None = [] if keep_text else None

    def feed(self, event: StreamEvent) -> None:
        """Takes the next event in order."""
        kind = type(event)
        if kind is Delta:
            if self.phase is Phase.WAITING:
                self.phase = Phase.STREAMING
                self.committed = True
            if self.phase is Phase.STREAMING:
                text = event.text  # type: ignore[union-attr]
                self.content_chars += len(text)
                if self._texts is not None and event.kind is ContentKind.TEXT:  # type: ignore[union-attr]
                    self._texts.append(text)
        elif kind is UsageReported:
            self.usage = event.usage  # type: ignore[union-attr]
        elif kind is Finished:
            if self.phase is not Phase.INTERRUPTED:
                self.phase, self.complete = Phase.FINISHED, True
                self.finish_reason = event.reason  # type: ignore[union-attr]
        elif kind is Terminated:
            self.terminated = True
            # An end marker alone completes only a stream that said something: an empty one is a cut.
            if self.phase is Phase.STREAMING:
                self.phase, self.complete = Phase.FINISHED, True
        elif kind is Faulted and self.phase is not Phase.FINISHED:
            self.phase = Phase.INTERRUPTED
            self.failure = event.failure  # type: ignore[union-attr]

    def interrupt(self, failure: Failure | None = None) -> None:
        """The connection ended, an idle timeout passed or the caller left. No-op after a natural finish."""
        if self.phase is not Phase.FINISHED:
            self.phase = Phase.INTERRUPTED
            self.failure = self.failure or failure

    @property
    def may_fail_over(self) -> bool:
        """True while nothing a caller would miss has arrived."""
        return not self.committed and self.phase is not Phase.FINISHED

    @property
    def text(self) -> str:
        """The plain text so far; empty unless `keep_text`."""
        return "".join(self._texts) if self._texts else ""
