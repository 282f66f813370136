"""What every translation passes through: the meaning of an answer, with `openai.chat`'s semantics.

Requests pivot as decoded `openai.chat` bodies. Answers and streams pivot as these few types, so that each
family is read in one place and written in one place, and any reader fits any writer.
"""

from typing import Any, Final, NamedTuple, Protocol

from domain.llm.stream import (
    ContentKind,
    Delta,
    Faulted,
    Opened,
    Pinged,
    StreamEvent,
    Terminated,
    UsageReported,
)
from domain.llm.usage import Usage


class ToolCall(NamedTuple):
    """`arguments` is JSON text. `extra` are a vendor's marks that must come back with the call."""

    id: str
    name: str
    arguments: str
    extra: dict[str, Any] | None = None


class Thought(NamedTuple):
    """A stretch of reasoning as its maker wants it back in the next turn.

    `family` (a value of `application.ports.wire.FAMILY`) is the only one that can read the rest: `signature`
    vouches for `text` to the letter, `sealed` is reasoning nobody else can read (redacted or encrypted), `id`
    is the maker's own name for it. Requests carry these as `reasoning_details` of an assistant message (see
    `adapters.wire.thoughts`); a translation to another family leaves them out and says so.
    """

    text: str = ""
    family: str = ""
    signature: str = ""
    sealed: str = ""
    id: str = ""


class Choice(NamedTuple):
    """One alternative answer; `finish_reason` in the pivot vocabulary.

    `reasoning` is the whole text to show; `thoughts` are its marked stretches, where a vendor marks them.
    `logprobs` are tokens as chat's `logprobs.content` has them.
    """

    number: int = 0
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    thoughts: tuple[Thought, ...] = ()
    logprobs: list[dict[str, Any]] | None = None


class Answer(NamedTuple):
    """A complete unary answer. `created` is epoch seconds, 0 when the provider does not say."""

    id: str
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    created: int = 0


class Started(NamedTuple):
    """The answer has a name."""

    id: str
    model: str
    created: int = 0


class Piece(NamedTuple):
    """More text, reasoning or refusal of one choice."""

    choice: int
    kind: ContentKind
    text: str


class ThoughtEnded(NamedTuple):
    """The reasoning pieces since the last one of these are one stretch, with its maker's marks.

    `thought.text` is empty: it was said in pieces. Writers that have no use for the marks ignore it.
    """

    choice: int
    thought: Thought


class Scored(NamedTuple):
    """Log probabilities of tokens of one choice, as chat's `logprobs.content` has them."""

    choice: int
    logprobs: list[dict[str, Any]]


class ToolStarted(NamedTuple):
    """Call number `tool` of one choice begins."""

    choice: int
    tool: int
    id: str
    name: str
    extra: dict[str, Any] | None = None


class ToolArguments(NamedTuple):
    """More of a call's JSON arguments."""

    choice: int
    tool: int
    text: str


class ChoiceEnded(NamedTuple):
    """A choice has its finish reason, in the pivot vocabulary."""

    choice: int
    reason: str


class Counted(NamedTuple):
    """The usage so far."""

    usage: Usage


class Ended(NamedTuple):
    """The protocol's end marker. `shown`: its frame says more than that, so a verbatim stream keeps it."""

    shown: bool = False


class Alive(NamedTuple):
    """A ping."""


StreamPiece = (
    Started
    | Piece
    | ThoughtEnded
    | Scored
    | ToolStarted
    | ToolArguments
    | ChoiceEnded
    | Counted
    | Ended
    | Alive
    | Faulted
)

ENDED: Final = Ended()
ALIVE: Final = Alive()
_OPENED: Final = Opened()
_TERMINATED: Final = Terminated()
_PINGED: Final = Pinged()


def event_of(piece: StreamPiece) -> StreamEvent | None:
    """What a piece means to the stream machine; None for the end of one choice, which the codec counts."""
    match piece:
        case Piece(_, kind, text):
            return Delta(kind, text)
        case ToolArguments(_, _, text):
            return Delta(ContentKind.TOOL_CALL, text)
        case ToolStarted():
            return Delta(ContentKind.TOOL_CALL, "")
        case Counted(usage):
            return UsageReported(usage)
        case Started():
            return _OPENED
        case Ended():
            return _TERMINATED
        case Alive():
            return _PINGED
        case Faulted():
            return piece
        case _:
            return None


class StreamReader(Protocol):
    """Reads one provider's frames. One per stream."""

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:
        """The pieces of one frame, the finish of a choice before its usage.

        Raises msgspec.DecodeError or UnicodeDecodeError for what is no frame of the dialect.
        """
        ...


class StreamWriter(Protocol):
    """Writes frames in one caller's dialect; terminators excluded. One per stream."""

    def write(self, piece: StreamPiece) -> bytes: ...

    def finish(self, usage: Usage | None) -> bytes:
        """Everything still owed after all choices ended: closed blocks, the reason, usage. Idempotent."""
        ...
