"""Which nested names of a body translations understand; everything else is reported by its path.

A shape mirrors a body: a name maps to the shape of its value, or to `ANY` where the value is taken as a
whole (texts, numbers, the caller's own objects). Arrays are looked through. Names that mean nothing outside
their own family (cache marks, display hints) are in the shapes too: losing them changes no answer.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple


class ByType(NamedTuple):
    """Objects told apart by their `type`; a type that is not here is judged by the translator itself."""

    shapes: Mapping[str, "Shape"]


Shape = Mapping[str, Any] | ByType
ANY: Final = None
_SAYS_NOTHING: Final[tuple[Any, ...]] = (None, False, "", [], {}, "auto")
PATHS_MAX: Final = 32
"""More unknown names than these are not listed one by one."""


def unknown_fields(body: dict[str, Any], shape: Mapping[str, Any]) -> list[str]:
    """Paths of names in `body` that `shape` does not have, such as `messages.content.image_url.detail`.

    Names without a value (null, false, empty) say nothing and are left out; so are top-level ones, which
    codecs judge by the provider's own table.
    """
    found: dict[str, None] = {}
    for name, inner in shape.items():
        if inner is ANY or not body.get(name):
            continue
        for path in _walk(body[name], inner, name):
            found.setdefault(path)
            if len(found) == PATHS_MAX:
                return list(found)
    return list(found)


def _walk(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, shape, path)
        return
    if not isinstance(value, dict):
        return
    if isinstance(shape, ByType):
        chosen = shape.shapes.get(str(value.get("type")))
        if chosen is None:
            return
        shape = chosen
        if isinstance(shape, ByType):
            return
    for name, inner in value.items():
        if name not in shape:
            if inner not in _SAYS_NOTHING:
                yield f"{path}.{name}"
        elif shape[name] is not ANY:
            yield from _walk(inner, shape[name], f"{path}.{name}")


def _all(names: str, **inner: Shape) -> dict[str, Any]:
    """A shape of plain names, with the shapes of those that have one."""
    return {**dict.fromkeys(names.split(), ANY), **inner}


_CACHED: Final = "type cache_control prompt_cache_breakpoint"
_CHAT_PARTS: Final = ByType(
    {
        "text": _all(f"{_CACHED} text"),
        "refusal": _all(f"{_CACHED} refusal"),
        "image_url": _all(_CACHED, image_url=_all("url")),
        "input_audio": _all(_CACHED, input_audio=_all("data format")),
        "file": _all(_CACHED, file=_all("file_data file_id filename")),
    }
)
_CHAT_FUNCTION: Final = _all("name description parameters strict cache_control")
CHAT: Final[Mapping[str, Any]] = _all(
    "",
    messages=_all(
        "role name refusal tool_call_id reasoning reasoning_content reasoning_details cache_control is_error",
        content=_CHAT_PARTS,
        tool_calls=_all("id type index extra_content", function=_all("name arguments")),
        function_call=_all("name arguments"),
    ),
    tools=ByType(dict.fromkeys(("function", "None"), _all("type cache_control", function=_CHAT_FUNCTION))),
    functions=_CHAT_FUNCTION,
    response_format=_all("type", json_schema=_all("name description schema strict")),
    stream_options=_all("include_usage include_obfuscation"),
)
"""`openai.chat` bodies."""

_SOURCE: Final = ByType(
    {
        "base64": _all("type media_type data"),
        "url": _all("type url"),
        "text": _all("type media_type data"),
        "file": _all("type file_id"),
        "content": _all("type content"),
    }
)
_RESULT_PARTS: Final = ByType(
    {
        "text": _all("type text cache_control"),
        "image": _all("type cache_control", source=_SOURCE),
        "document": _all("type cache_control title", source=_SOURCE),
    }
)
_BLOCKS: Final = ByType(
    {
        **_RESULT_PARTS.shapes,
        "tool_use": _all("type id name input cache_control extra_content caller"),
        "tool_result": _all("type tool_use_id is_error cache_control", content=_RESULT_PARTS),
        "thinking": _all("type thinking signature"),
        "redacted_thinking": _all("type data"),
    }
)
MESSAGES: Final[Mapping[str, Any]] = _all(
    "",
    messages=_all("role", content=_BLOCKS),
    system=_RESULT_PARTS,
    tools=ByType(
        dict.fromkeys(("custom", "None"), _all("type name description input_schema strict cache_control"))
    ),
    tool_choice=_all("type name disable_parallel_tool_use"),
    metadata=_all("user_id"),
    output_config=_all("effort", format=_all("type schema")),
    output_format=_all("type schema"),
    thinking=_all("type budget_tokens display"),
)
"""`anthropic.messages` bodies."""

_BLOB: Final = _all("mimeType data displayName")
_FILE: Final = _all("mimeType fileUri displayName")
_MEDIA: Final = {"inlineData": _BLOB, "fileData": _FILE}
_GEMINI_CONFIG: Final = (
    "temperature topP topK maxOutputTokens stopSequences candidateCount seed presencePenalty "
    "frequencyPenalty responseLogprobs logprobs responseMimeType responseSchema responseJsonSchema "
    "_responseJsonSchema responseModalities"
)
GENERATE: Final[Mapping[str, Any]] = _all(
    "",
    contents=_all(
        "role",
        parts=_all(
            "text thought thoughtSignature partMetadata "
            "executableCode codeExecutionResult toolCall toolResponse",
            functionCall=_all("id name args"),
            functionResponse=_all("id name response", parts=_MEDIA),
            **_MEDIA,
        ),
    ),
    systemInstruction=_all("role", parts=_all("text")),
    generationConfig=_all(
        _GEMINI_CONFIG, thinkingConfig=_all("includeThoughts thinkingBudget thinkingLevel")
    ),
    toolConfig=_all("", functionCallingConfig=_all("mode allowedFunctionNames")),
)
"""`gemini.generate` bodies in camel case; tools and parts of unknown kinds are the translator's to judge."""
