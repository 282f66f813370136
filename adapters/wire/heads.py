"""Reading out of a caller's body the few fields policies need; everything else stays opaque bytes.

One typed decode validates what is read, one untyped pass lists the top-level names. Contents of messages
are kept raw and looked into only where they are arrays, so that a plain prompt costs nothing.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from adapters.wire import gemini_head, media_heads
from adapters.wire.contents import SPECIAL_FIELDS, contents_of
from adapters.wire.conversations import fingerprint
from adapters.wire.head_parts import BRACKET_ARRAY, capabilities, invalid, part_needs
from adapters.wire.inline_media import LOOKED_INTO_FROM_BYTES, inline_media
from adapters.wire.openings import opening_of, rest_after
from adapters.wire.responses_head import read_responses
from application.json_limits import openings_of
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
    TOOLS,
    Opening,
    RequestReader,
)
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from domain.llm.contents import PLAIN
from domain.llm.request import LlmRequest, Operation

NESTING_MAX: Final = 64
"""Levels of arrays and objects a body may have; deeper ones break parsers further down the road."""

_Model = Annotated[str, Meta(min_length=1, max_length=512)]
_Tokens = Annotated[int, Meta(ge=1)] | None
_Choices = Annotated[int, Meta(ge=1, le=128)] | None
_JSON_NULL: Final = Raw(b"null")


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Typed(Struct):
    type: str | None = None


class _Message(Struct):
    role: str
    content: Raw = _JSON_NULL
    audio: Raw = _JSON_NULL
    """Of a chat: the id of sound that was answered earlier."""


_Messages = Annotated[list[_Message], Meta(min_length=1)]


class _ChatHead(Struct):
    model: _Model
    messages: _Messages
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Tokens = None
    max_completion_tokens: _Tokens = None
    n: _Choices = None
    tools: list[Raw] | None = None
    functions: list[Raw] | None = None
    response_format: _Typed | None = None
    modalities: list[str] | None = None
    reasoning_effort: str | None = None
    thinking: _Typed | None = None
    logprobs: bool | None = None
    web_search_options: Raw = _JSON_NULL
    service_tier: str | None = None


class _CompletionHead(Struct):
    model: _Model
    prompt: Raw
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Tokens = None
    n: _Choices = None
    best_of: _Choices = None
    logprobs: int | None = None


class _EmbeddingsHead(Struct):
    model: _Model
    input: Raw


class _OutputConfig(Struct):
    format: _Typed | None = None


class _MessagesHead(Struct):
    model: _Model
    messages: _Messages
    max_tokens: Annotated[int, Meta(ge=1)]
    stream: bool | None = None
    tools: list[Raw] | None = None
    thinking: _Typed | None = None
    output_config: _OutputConfig | None = None
    output_format: _Typed | None = None
    speed: str | None = None


class _CountTokensHead(Struct):
    model: _Model
    messages: _Messages
    tools: list[Raw] | None = None
    thinking: _Typed | None = None


_NAMES = msgspec.json.Decoder(dict[str, Raw])
_CHAT = msgspec.json.Decoder(_ChatHead)
_COMPLETION = msgspec.json.Decoder(_CompletionHead)
_EMBEDDINGS = msgspec.json.Decoder(_EmbeddingsHead)
_MESSAGES = msgspec.json.Decoder(_MessagesHead)
_COUNT = msgspec.json.Decoder(_CountTokensHead)
_ARRAY = msgspec.json.Decoder(list[Raw])

# Flags are collected as plain numbers: an operation on enum members costs more than the whole decode.
_TEXT: Final = int(Capability.TEXT)
_STREAMING: Final = int(Capability.STREAMING)
_FUNCTION_CALLING: Final = int(Capability.FUNCTION_CALLING)
_STRUCTURED_OUTPUT: Final = int(Capability.STRUCTURED_OUTPUT)
_REASONING: Final = int(Capability.REASONING)
_AUDIO_OUT: Final = int(Capability.AUDIO_OUT)
_NO_THINKING: Final = frozenset({None, "none", "disabled"})


class DialectReader(RequestReader):
    """Reads every caller's dialect of `application.ports.wire`. Gemini's name no model: their path does."""

    def read(self, dialect: str, body: bytes, content_type: str = "application/json") -> LlmRequest:
        """The request in `body`. Raises InvalidRequest, LookupError for a dialect callers do not speak."""
        if media_heads.takes_form(dialect, content_type):
            return media_heads.read_form(dialect, body, content_type)
        if not body:
            raise InvalidRequest("the body is empty; a JSON object is expected", param="body")
        reader = _READERS[dialect]
        try:
            if not body.isascii():
                body.decode()
            fields = frozenset(_NAMES.decode(body))
            request = reader(body, fields)
            if len(body) >= LOOKED_INTO_FROM_BYTES:
                request.media_bytes, request.media_parts = inline_media(body)
            found = PLAIN if reader is _read_chat else contents_of(dialect, body, fields)
            if found is not PLAIN:
                request.contents = found._replace(repeated_bytes=request.contents.repeated_bytes)
        except msgspec.ValidationError as error:
            raise invalid(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"the body is not valid JSON: {error}", param="body") from None
        except RecursionError:
            raise _too_deep() from None
        if openings_of(body) > NESTING_MAX and nesting_exceeds(body, NESTING_MAX):
            raise _too_deep()
        return request

    def fingerprint(self, request: LlmRequest) -> bytes:
        return fingerprint(request.dialect, request.body)

    def opening(self, request: LlmRequest) -> Opening | None:
        return opening_of(request.dialect, request.body)

    def rest_after(self, opening: Opening, request: LlmRequest) -> int | None:
        return rest_after(opening, request.body)


def _read_chat(body: bytes, fields: frozenset[str]) -> LlmRequest:
    head = _CHAT.decode(body)
    inside = _content_needs(head.messages)
    needs = _TEXT if inside is None else _TEXT | inside
    tools = bool(head.tools or head.functions)
    schema = head.response_format is not None and head.response_format.type not in (None, "text")
    thinking = head.reasoning_effort not in _NO_THINKING or _thinks(head.thinking)
    speaks = head.modalities is not None and "audio" in head.modalities
    if tools:
        needs |= _FUNCTION_CALLING
    if schema:
        needs |= _STRUCTURED_OUTPUT
    if thinking:
        needs |= _REASONING
    if speaks:
        needs |= _AUDIO_OUT
    if head.stream:
        needs |= _STREAMING
    choices = head.n or 1
    texts = inside is None and not head.tools and head.service_tier is None
    texts = texts and fields.isdisjoint(SPECIAL_FIELDS)
    searches = head.web_search_options is not _JSON_NULL and head.web_search_options != _JSON_NULL
    extra = tools or schema or thinking or speaks or head.logprobs or searches
    request = LlmRequest(  # by place: most requests are chats, and so many names would take twice as long
        Operation.CHAT,
        OPENAI_CHAT,
        head.model,
        body,
        bool(head.stream),
        head.stream_options is not None and bool(head.stream_options.include_usage),
        # Servers know one of the names; which one a server heeds, only its own documentation says.
        max(head.max_completion_tokens or 0, head.max_tokens or 0) or None,
        choices,
        capabilities(needs),
        fields,
        choices == 1 and not extra,
    )
    if head.service_tier is not None:
        request.service_tier = _tier(head.service_tier)
    if not texts:
        # Only where there may be more than texts is the body looked through, which large ones take long for.
        request.contents = contents_of(OPENAI_CHAT, body, fields)
    return request


def _tier(asked: str | None) -> str:
    """The tier of service as the price book names it; empty for the usual one and for any."""
    return f"service_tier={asked}" if asked not in (None, "auto", "default") else ""


def _read_completion(body: bytes, fields: frozenset[str]) -> LlmRequest:
    head = _COMPLETION.decode(body)
    prompt = _input(head.prompt, "prompt")
    prompts = len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1
    choices = max(head.n or 1, head.best_of or 1) * prompts
    return LlmRequest(
        operation=Operation.COMPLETION,
        dialect=OPENAI_COMPLETIONS,
        model=head.model,
        body=body,
        stream=bool(head.stream),
        include_usage=head.stream_options is not None and bool(head.stream_options.include_usage),
        max_output_tokens=head.max_tokens,
        choices=choices,
        needs=capabilities(_TEXT | _STREAMING if head.stream else _TEXT),
        fields=fields,
        # The other shape's continuation is a trailing assistant message, which a completion has not.
        plain_text=False,
    )


def _read_embeddings(body: bytes, fields: frozenset[str]) -> LlmRequest:
    head = _EMBEDDINGS.decode(body)
    if _input(head.input, "input") in ("", []):
        raise InvalidRequest("input must not be empty", param="input")
    return LlmRequest(
        operation=Operation.EMBEDDINGS,
        dialect=OPENAI_EMBEDDINGS,
        model=head.model,
        body=body,
        needs=Capability.EMBEDDINGS,
        fields=fields,
        plain_text=False,
    )


def _read_messages(body: bytes, fields: frozenset[str]) -> LlmRequest:
    head = _MESSAGES.decode(body)
    needs = _TEXT | (_content_needs(head.messages) or 0)
    form = head.output_format or (head.output_config.format if head.output_config else None)
    schema = form is not None and form.type is not None
    thinking = _thinks(head.thinking)
    if head.tools:
        needs |= _FUNCTION_CALLING
    if schema:
        needs |= _STRUCTURED_OUTPUT
    if thinking:
        needs |= _REASONING
    if head.stream:
        needs |= _STREAMING
    return LlmRequest(
        operation=Operation.CHAT,
        dialect=ANTHROPIC_MESSAGES,
        model=head.model,
        body=body,
        stream=bool(head.stream),
        include_usage=True,
        max_output_tokens=head.max_tokens,
        needs=capabilities(needs),
        fields=fields,
        service_tier="speed=fast" if head.speed == "fast" else "",
        plain_text=not (head.tools or schema or thinking),
    )


def _read_count_tokens(body: bytes, fields: frozenset[str]) -> LlmRequest:
    head = _COUNT.decode(body)
    return LlmRequest(
        operation=Operation.COUNT_TOKENS,
        dialect=ANTHROPIC_COUNT_TOKENS,
        model=head.model,
        body=body,
        needs=capabilities(_TEXT | (_content_needs(head.messages) or 0)),
        fields=fields,
        plain_text=False,
    )


def _read_tool(body: bytes, fields: frozenset[str]) -> LlmRequest:
    """Parameters of a tool: what they mean is its schema's business."""
    return LlmRequest(operation=Operation.TOOL, dialect=TOOLS, model="", body=body, fields=fields)


_READERS = {
    OPENAI_CHAT: _read_chat,
    OPENAI_COMPLETIONS: _read_completion,
    OPENAI_EMBEDDINGS: _read_embeddings,
    OPENAI_RESPONSES: read_responses,
    **media_heads.READERS,
    ANTHROPIC_MESSAGES: _read_messages,
    ANTHROPIC_COUNT_TOKENS: _read_count_tokens,
    GEMINI_GENERATE: gemini_head.read_generate,
    GEMINI_COUNT_TOKENS: gemini_head.read_count_tokens,
    GEMINI_EMBEDDINGS: gemini_head.read_embeddings,
    TOOLS: _read_tool,
}


def _content_needs(messages: list[_Message]) -> int | None:
    """What the contents of messages show; None: they hold nothing but texts, or nothing at all."""
    needs: int | None = None
    for place, message in enumerate(messages):
        content = message.content
        if memoryview(content)[0] == BRACKET_ARRAY:
            try:
                needs = (needs or 0) | part_needs(content)
            except msgspec.ValidationError as error:
                raise invalid(error, f"messages[{place}].content") from None
        elif message.audio is not _JSON_NULL:
            needs = needs or 0
    return needs


def _thinks(thinking: _Typed | None) -> bool:
    return thinking is not None and thinking.type not in _NO_THINKING


def _input(raw: Raw, name: str) -> Any:
    """A text, several texts, one list of tokens or several of them."""
    if memoryview(raw)[0] != BRACKET_ARRAY:
        kind: Any = str
    else:
        items = _ARRAY.decode(raw)
        first = memoryview(items[0])[0] if items else 0
        kind = list[str] if first == 0x22 else list[list[int]] if first == BRACKET_ARRAY else list[int]
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        wrong = invalid(error, name)
        allowed = "a text, a list of texts, a list of token numbers, or a list of such lists"
        raise InvalidRequest(f"{wrong.param}: {allowed} is expected", param=wrong.param) from None


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"the body is nested deeper than {NESTING_MAX} levels", param="body")


def nesting_exceeds(body: bytes, levels: int) -> bool:
    """Whether the valid JSON in `body` has more than `levels` levels. Linear in its size.

    Goes down level by level over arrays and objects alone; a body with thousands of flat messages has three.
    """
    try:
        top = msgspec.json.decode(body)
    except RecursionError:
        return True
    level: list[Any] = [top] if isinstance(top, dict | list) else []
    for _ in range(levels):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
    return bool(level)
