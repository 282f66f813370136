"""What was asked and what is answered, in no vendor's shape.

A shape module turns a body into an `Ask` and an `Answer` back into bytes or frames. A token of an answer
is one `piece`, so counts, truncation and faults "after n tokens" all mean the same thing.
"""

from typing import Any, NamedTuple

BYTES_PER_INPUT_TOKEN = 4


class Rejected(Exception):
    """The request is refused with an error body in the shape it came in.

    `code` and `kind` are the provider's own words (`context_length_exceeded`, `invalid_request_error`).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param


class OfferedTool(NamedTuple):
    """A tool the caller offers: its name and the JSON schema of its arguments."""

    name: str
    schema: dict[str, Any]


class Place(NamedTuple):
    """The end of one part of a prompt: the size and the digest of everything up to it."""

    size_bytes: int
    digest: bytes


class Breakpoint(NamedTuple):
    """A marked place, by its index, and whether it is to be kept for the longer time."""

    place: int
    long: bool


class Prefix(NamedTuple):
    """A prompt for a provider that keeps what is marked."""

    places: tuple[Place, ...] = ()
    marks: tuple[Breakpoint, ...] = ()


class Ask(NamedTuple):
    """One request for text. `prompt` is all text in order; `question` the last thing the user said."""

    model: str
    prompt: str
    question: str
    input_tokens: int
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    choices: int = 1
    stop: tuple[str, ...] = ()
    tools: tuple[OfferedTool, ...] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of a tool behind `=`."""
    parallel_tools: bool = True
    tool_result: str | None = None
    """Text of the tool results the conversation ends with."""
    rounds: int = 0
    """How often tools have answered since the question."""
    json_schema: dict[str, Any] | None = None
    json_object: bool = False
    images: tuple[str, ...] = ()
    prefill: str = ""
    """Text of a trailing assistant message, which the answer continues."""
    top_logprobs: int | None = None
    """None when log probabilities were not asked for."""
    thinking: bool = False
    prefix: Prefix | None = None
    """What is marked for caching; None where the provider caches by itself."""
    previous: str | None = None
    """Id of a stored response this continues."""
    stored: bool = False
    """Whether the answer can be continued by its id."""
    background: bool = False
    """Whether it is to be fetched later."""
    items: tuple[dict[str, Any], ...] = ()
    """Input items of the Responses shape, as they came."""
    seal: str = ""
    """What the account's encrypted reasoning begins with; empty: reasoning is not encrypted."""
    wants_sealed: bool = False
    """Whether reasoning is wanted in a form only this account can read."""


class ToolCall(NamedTuple):
    """One call of a tool; `pieces` joined are its arguments as JSON."""

    id: str
    name: str
    pieces: tuple[str, ...]


class Choice(NamedTuple):
    """One alternative. `finish` is `stop`, `length`, `tool_calls`, `stop_sequence` or `refusal`."""

    pieces: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    stopped_by: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        called = sum(len(call.pieces) for call in self.tool_calls)
        return len(self.pieces) + len(self.reasoning) + called


class Tokens(NamedTuple):
    """What a request is billed for; `input` includes the cached and the written part."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_long: int = 0
    reasoning: int = 0
    seen: int = 0
    """Part of the input that is pictures."""
    heard: int = 0
    """Part of the input that is sound."""
    drawn: int = 0
    """Part of the output that is pictures."""
    sounded: int = 0
    """Part of the output that is sound."""
    pictures: int = 0
    sound_ms: int = 0
    characters: int = 0
    searches: int = 0


class Answer(NamedTuple):
    """A whole answer. `id` is hexadecimal and follows from the request."""

    id: str
    choices: tuple[Choice, ...]
    tokens: Tokens


class Embedded(NamedTuple):
    """Vectors for texts, in order."""

    vectors: tuple[tuple[float, ...], ...]
    tokens: Tokens


class FrameKind:
    """What a frame of a stream carries; faults act on these."""

    META = 0
    CALL = 1
    """The name of a tool call: seen by the caller, but no token of its own."""
    CONTENT = 2
    """One token of text, reasoning, refusal or tool arguments."""
    FINISH = 3
    USAGE = 4
    DONE = 5


class Frame(NamedTuple):
    """One event of a stream as bytes, with its delimiter."""

    kind: int
    data: bytes


def input_tokens(text_bytes: int, messages: int = 0) -> int:
    """Four bytes are a token, a message costs three more."""
    return -(-text_bytes // BYTES_PER_INPUT_TOKEN) + 3 * messages
