"""One request as policies see it: a few fields beside an opaque body."""

from dataclasses import dataclass, field
from enum import Enum

from domain.llm.cache_wish import NO_WISH, CacheWish
from domain.llm.capabilities import NO_CAPABILITY, Capability
from domain.llm.contents import PLAIN, Contents
from domain.llm.prompt_marks import PromptMarks
from domain.llm.units import UnitCount
from domain.llm.usage import MEDIA_TOKENS_TYPICAL, estimate_tokens


class Operation(Enum):
    """What is asked of a model, whatever the dialect."""

    CHAT = "chat"
    COMPLETION = "completion"
    EMBEDDINGS = "embeddings"
    COUNT_TOKENS = "count_tokens"
    MODERATION = "moderation"
    RERANK = "rerank"
    IMAGE = "image"
    SPEECH = "speech"
    TRANSCRIPTION = "transcription"
    TOOL = "tool"
    """A tool of an integration: no model at all, but the same money, limits, privacy and records."""

    # There is one member of each kind; `Enum` would hash their names, in Python, for each look into a set.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The account that keeps, or alone can read, something a request refers to.

    `credential` is the id of the provider's key, empty for its only one. `elsewhere` is the body for
    anybody else: what only the account knows is spelt out in it, or left out and named in `dropped`; None
    when nobody else could know what is meant.
    """

    target_id: str
    provider: str
    credential: str
    elsewhere: bytes | None = None
    dropped: tuple[str, ...] = ()
    contents: Contents = PLAIN
    """Of `elsewhere`."""


@dataclass(slots=True)  # not `kw_only`: one is made for each request, and defaults by name take long
class LlmRequest:
    """Read once at the entrypoint; `body` is forwarded with surgical edits and never modelled here.

    `dialect` names the caller's wire shape (see `application.ports.wire`). `needs` are the capabilities
    the body itself shows (an image part needs vision). `fields` are the body's top-level names, which
    tell what a hop would lose. `plain_text` is true when the answer can only be text: no tools, no
    schema, no thinking, one choice.
    """

    operation: Operation
    dialect: str
    model: str
    body: bytes
    stream: bool = False
    include_usage: bool = False
    """Whether the caller itself asked for usage in the stream."""
    max_output_tokens: int | None = None
    choices: int = 1
    needs: Capability = NO_CAPABILITY
    fields: frozenset[str] = frozenset()
    plain_text: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    """Vendor headers of the caller that travel with the body on same-family routes."""
    content_type: str = "application/json"
    """What the body is; multipart forms keep their boundary here."""
    previous_response_id: str = ""
    """The stored answer this one continues, which only the account that made it knows."""
    store: bool | None = None
    """Whether the caller wants the answer kept on the server; None: not said."""
    background: bool = False
    """Whether the caller wants to fetch the answer later."""
    home: Home | None = None
    """Who keeps what this request refers to."""
    continues: bytes | None = None
    """The exchange before it, where Interchange keeps that."""
    left_out: tuple[str, ...] = ()
    """What was taken out of the body because nobody who may answer could read it."""
    native_only: tuple[str, str] | None = None
    """(path in the body, what stands there) of something only a provider of the caller's own dialect can do,
    such as a tool that the provider runs itself."""
    service_tier: str = ""
    """The tier or speed that was asked for, as the price book names it; empty: the usual."""
    idempotency_key: str = ""
    """Sent to the provider with every attempt, in `Idempotency-Key`; empty: none."""
    own_credential: tuple[str, str] | None = field(default=None, repr=False)
    """(header, value) of the caller's own provider credential, where the route lets it go upstream."""

    media_bytes: int = 0
    """How much of the body is inline media in base64, which providers do not count as text."""
    media_parts: int = 0
    wordless: bool = False
    """Whether the answer's stream is bytes of sound, which have no room for words of ours."""
    units: tuple[UnitCount, ...] = ()
    """What the request itself shows it will be billed for beside tokens; empty: tokens are its measure."""
    contents: Contents = PLAIN
    """What the body holds or refers to beside text."""
    forced_max_output_tokens: int | None = None
    """A limit of ours on the answer that the body does not carry yet: it is put in as the body is encoded for
    the provider. `max_output_tokens` is the same number then. None: the body's own limit stands."""
    prompt_marks: PromptMarks | None = None
    """What of ours shall make the prompt cacheable at the provider. Likewise no part of the body, so that
    nobody who knows requests by their bodies sees it. None: nothing."""

    cache_wish: CacheWish = NO_WISH
    """What the caller asks of the answer cache."""

    @property
    def input_tokens_typical(self) -> int:
        """A typical count of what a provider will count: text by its length, each piece of media flat."""
        text_bytes = len(self.body) - self.media_bytes
        return estimate_tokens(text_bytes) + self.media_parts * MEDIA_TOKENS_TYPICAL

    @property
    def size_bytes(self) -> int:
        return len(self.body)
