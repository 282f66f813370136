"""Dialects: the wire shapes callers speak, and how one request is read out of them."""

from abc import abstractmethod
from typing import Final, NamedTuple, Protocol

from domain.llm.request import LlmRequest
from domain.llm.usage import Usage

OPENAI_CHAT: Final = "openai.chat"
OPENAI_COMPLETIONS: Final = "openai.completions"
OPENAI_EMBEDDINGS: Final = "openai.embeddings"
OPENAI_RESPONSES: Final = "openai.responses"
OPENAI_MODERATIONS: Final = "openai.moderations"
OPENAI_IMAGES: Final = "openai.images"
OPENAI_IMAGE_EDITS: Final = "openai.image_edits"
OPENAI_IMAGE_VARIATIONS: Final = "openai.image_variations"
OPENAI_SPEECH: Final = "openai.speech"
OPENAI_TRANSCRIPTIONS: Final = "openai.transcriptions"
OPENAI_TRANSLATIONS: Final = "openai.translations"
COHERE_RERANK: Final = "cohere.rerank"
"""`/v1/rerank` as Cohere, Jina, Voyage and most servers of open models speak it."""
ANTHROPIC_MESSAGES: Final = "anthropic.messages"
ANTHROPIC_COUNT_TOKENS: Final = "anthropic.count_tokens"
GEMINI_GENERATE: Final = "gemini.generate"
GEMINI_COUNT_TOKENS: Final = "gemini.count_tokens"
GEMINI_EMBEDDINGS: Final = "gemini.embeddings"
"""`embedContent` and `batchEmbedContents`; the provider is always asked for the batch."""
TOOLS: Final = "tools"
"""A call of a tool: the body is its parameters as a JSON object, the answer its result."""

FAMILY: Final[dict[str, str]] = {
    OPENAI_CHAT: "openai",
    OPENAI_COMPLETIONS: "openai",
    OPENAI_EMBEDDINGS: "openai",
    OPENAI_RESPONSES: "openai",
    OPENAI_MODERATIONS: "openai",
    OPENAI_IMAGES: "openai",
    OPENAI_IMAGE_EDITS: "openai",
    OPENAI_IMAGE_VARIATIONS: "openai",
    OPENAI_SPEECH: "openai",
    OPENAI_TRANSCRIPTIONS: "openai",
    OPENAI_TRANSLATIONS: "openai",
    COHERE_RERANK: "openai",
    ANTHROPIC_MESSAGES: "anthropic",
    ANTHROPIC_COUNT_TOKENS: "anthropic",
    GEMINI_GENERATE: "gemini",
    GEMINI_COUNT_TOKENS: "gemini",
    GEMINI_EMBEDDINGS: "gemini",
}
"""Which family of SDKs a caller's dialect belongs to: its errors and keep-alives look like that."""


class Opening(NamedTuple):
    """The beginning of a body up to the end of its last message, less the marks for caching: `size` bytes."""

    size: int
    digest: bytes


class RequestReader(Protocol):
    """Reads the few fields policies need; leaves the body as it is. Synchronous and pure."""

    @abstractmethod
    def read(self, dialect: str, body: bytes, content_type: str = "application/json") -> LlmRequest:
        """The request in `body`, which is of this type: JSON, or a form where the dialect takes one.

        Raises:
            InvalidRequest: malformed JSON, a wrong type or a missing field; `param` is its path.
        """
        ...

    @abstractmethod
    def fingerprint(self, request: LlmRequest) -> bytes:
        """Which conversation a request that was read belongs to, as far as its body tells; empty: it does
        not. Equal for every turn of one conversation; at most 64 bytes, and bounded work for any body."""
        ...

    @abstractmethod
    def opening(self, request: LlmRequest) -> Opening | None:
        """What a later turn of the same conversation will begin with; None where that cannot be said, or is
        not worth it for a short body."""
        ...

    @abstractmethod
    def rest_after(self, opening: Opening, request: LlmRequest) -> int | None:
        """Bytes of the request beyond an earlier one's opening; None when it does not begin with it."""
        ...


class FrameWriter(Protocol):
    """Frames and bodies that Interchange itself says, in the caller's dialect. Synchronous and pure."""

    @abstractmethod
    def terminator(self, dialect: str) -> bytes:
        """The explicit end of a complete stream."""
        ...

    @abstractmethod
    def keep_alive(self, dialect: str) -> bytes:
        """A frame that says nothing; SDKs skip it."""
        ...

    @abstractmethod
    def error_event(
        self, dialect: str, *, code: str, message: str, request_id: str, error_type: str | None = None
    ) -> bytes:
        """The terminal event of a stream that cannot be finished. Without `error_type` the dialect's own
        word for the code."""
        ...

    @abstractmethod
    def text_frame(self, dialect: str, text: str, *, request_id: str, model: str) -> bytes:
        """A piece of plain text, as the continuation of a stream that has begun."""
        ...

    @abstractmethod
    def finish_frames(
        self,
        dialect: str,
        reason: str,
        usage: Usage | None,
        *,
        request_id: str,
        model: str,
        include_usage: bool,
    ) -> bytes:
        """Everything between the last text and the terminator. `include_usage`: the caller asked for usage;
        dialects that always report it do so anyway."""
        ...

    @abstractmethod
    def cost_note(self, dialect: str, cost_usd: float) -> bytes:
        """A frame SDKs skip that tells the cost where no usage frame may; empty where none is needed."""
        ...

    @abstractmethod
    def with_cost(self, dialect: str, raw: bytes, cost_usd: float) -> bytes:
        """The same unary body or stream frames with `cost` inside `usage`, where there is one."""
        ...
