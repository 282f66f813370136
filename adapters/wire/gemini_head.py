"""Heads of the bodies that Gemini's callers send; model and streaming are in the path, and added there.

Google's JSON accepts camel and snake case; both are read.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct, field

from adapters.wire.head_parts import capabilities
from application.ports.wire import GEMINI_COUNT_TOKENS, GEMINI_EMBEDDINGS, GEMINI_GENERATE
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest, Operation


class _Typed(Struct):
    camel: str | None = field(default=None, name="mimeType")
    snake: str | None = field(default=None, name="mime_type")


class _Part(Struct):
    inline: _Typed | None = field(default=None, name="inlineData")
    inline_snake: _Typed | None = field(default=None, name="inline_data")
    file: _Typed | None = field(default=None, name="fileData")
    file_snake: _Typed | None = field(default=None, name="file_data")


class _Content(Struct):
    role: str | None = None
    parts: list[_Part] | None = None


class _Thinking(Struct):
    budget: int | None = field(default=None, name="thinkingBudget")
    budget_snake: int | None = field(default=None, name="thinking_budget")
    level: str | None = field(default=None, name="thinkingLevel")
    level_snake: str | None = field(default=None, name="thinking_level")


_Tokens = Annotated[int, Meta(ge=1)] | None
_Choices = Annotated[int, Meta(ge=1, le=128)] | None
_Words = list[str] | None
_NULL: Final = Raw(b"null")


class _Config(Struct):
    limit: _Tokens = field(default=None, name="maxOutputTokens")
    limit_snake: _Tokens = field(default=None, name="max_output_tokens")
    count: _Choices = field(default=None, name="candidateCount")
    count_snake: _Choices = field(default=None, name="candidate_count")
    kind: str | None = field(default=None, name="responseMimeType")
    kind_snake: str | None = field(default=None, name="response_mime_type")
    schema: Raw = field(default=_NULL, name="responseSchema")
    schema_snake: Raw = field(default=_NULL, name="response_schema")
    schema_json: Raw = field(default=_NULL, name="responseJsonSchema")
    schema_json_snake: Raw = field(default=_NULL, name="response_json_schema")
    modalities: _Words = field(default=None, name="responseModalities")
    modalities_snake: _Words = field(default=None, name="response_modalities")
    thinking: _Thinking | None = field(default=None, name="thinkingConfig")
    thinking_snake: _Thinking | None = field(default=None, name="thinking_config")
    logprobs: bool | None = field(default=None, name="responseLogprobs")
    logprobs_snake: bool | None = field(default=None, name="response_logprobs")


class _Tool(Struct):
    functions: list[Raw] | None = field(default=None, name="functionDeclarations")
    functions_snake: list[Raw] | None = field(default=None, name="function_declarations")


class _Generate(Struct):
    contents: Annotated[list[_Content], Meta(min_length=1)]
    config: _Config | None = field(default=None, name="generationConfig")
    config_snake: _Config | None = field(default=None, name="generation_config")
    tools: list[_Tool] | None = None


class _Contents(Struct):
    contents: Annotated[list[_Content], Meta(min_length=1)]


class _Count(Struct):
    contents: list[_Content] | None = None
    whole: _Contents | None = field(default=None, name="generateContentRequest")
    whole_snake: _Contents | None = field(default=None, name="generate_content_request")


class _Embed(Struct):
    content: _Content


class _EmbedHead(Struct):
    content: _Content | None = None
    requests: Annotated[list[_Embed], Meta(min_length=1)] | None = None


_GENERATE = msgspec.json.Decoder(_Generate)
_COUNT = msgspec.json.Decoder(_Count)
_EMBED = msgspec.json.Decoder(_EmbedHead)
_NO_CONFIG: Final = _Config()

_TEXT: Final = int(Capability.TEXT)
_MEDIA_NEEDS: Final[dict[str, int]] = {
    "image": int(Capability.VISION),
    "video": int(Capability.VISION),
    "audio": int(Capability.AUDIO_IN),
}
_OUTPUT_NEEDS: Final[dict[str, int]] = {"AUDIO": int(Capability.AUDIO_OUT), "IMAGE": int(Capability.IMAGE)}


def read_generate(body: bytes, fields: frozenset[str]) -> LlmRequest:
    """A generateContent body, streamed or not."""
    head = _GENERATE.decode(body)
    config = head.config or head.config_snake or _NO_CONFIG
    needs = _TEXT | _content_needs(head.contents)
    functions = any(tool.functions or tool.functions_snake for tool in head.tools or ())
    schemas = (config.schema, config.schema_snake, config.schema_json, config.schema_json_snake)
    kind = config.kind or config.kind_snake or "text/plain"
    schema = kind != "text/plain" or any(given != _NULL for given in schemas)
    thinking = _thinks(config.thinking or config.thinking_snake)
    if functions:
        needs |= int(Capability.FUNCTION_CALLING)
    if schema:
        needs |= int(Capability.STRUCTURED_OUTPUT)
    if thinking:
        needs |= int(Capability.REASONING)
    kinds = config.modalities or config.modalities_snake or ()
    for answered in kinds:
        needs |= _OUTPUT_NEEDS.get(answered.upper(), 0)
    choices = max(_choices(head.config), _choices(head.config_snake))
    scored = config.logprobs or config.logprobs_snake
    return LlmRequest(
        operation=Operation.CHAT,
        dialect=GEMINI_GENERATE,
        model="",
        body=body,
        include_usage=True,
        max_output_tokens=_limit(head),
        choices=choices,
        needs=capabilities(needs),
        fields=fields,
        plain_text=choices == 1 and not (head.tools or schema or thinking or scored or kinds),
    )


def _choices(config: _Config | None) -> int:
    return 1 if config is None else max(config.count or 1, config.count_snake or 1)


def _limit(head: _Generate) -> int | None:
    """The largest limit that any spelling of the configuration sets; None when one of them sets none."""
    limits = [
        max(config.limit or 0, config.limit_snake or 0)
        for config in (head.config, head.config_snake)
        if config is not None
    ]
    return max(limits) if limits and all(limits) else None


def read_count_tokens(body: bytes, fields: frozenset[str]) -> LlmRequest:
    """A countTokens body: contents, or a whole request."""
    head = _COUNT.decode(body)
    whole = head.whole or head.whole_snake
    contents = whole.contents if whole else head.contents
    if not contents:
        raise InvalidRequest("contents: is required", param="contents")
    return LlmRequest(
        operation=Operation.COUNT_TOKENS,
        dialect=GEMINI_COUNT_TOKENS,
        model="",
        body=body,
        needs=capabilities(_TEXT | _content_needs(contents)),
        fields=fields,
        plain_text=False,
    )


def read_embeddings(body: bytes, fields: frozenset[str]) -> LlmRequest:
    """An embedContent or batchEmbedContents body."""
    head = _EMBED.decode(body)
    if head.content is None and head.requests is None:
        raise InvalidRequest("content: is required", param="content")
    return LlmRequest(
        operation=Operation.EMBEDDINGS,
        dialect=GEMINI_EMBEDDINGS,
        model="",
        body=body,
        needs=Capability.EMBEDDINGS,
        fields=fields,
        plain_text=False,
    )


def _content_needs(contents: list[_Content]) -> int:
    needs = 0
    for content in contents:
        for part in content.parts or ():
            media = part.inline or part.inline_snake or part.file or part.file_snake
            if media is not None:
                kind = media.camel or media.snake or ""
                needs |= _MEDIA_NEEDS.get(kind.partition("/")[0].lower(), 0)
    return needs


def _thinks(config: _Thinking | None) -> bool:
    """A budget of 0 is none, and -1 leaves it to the model."""
    if config is None:
        return False
    return (config.budget or config.budget_snake or 0) > 0 or bool(config.level or config.level_snake)
