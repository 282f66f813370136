"""Each dialect's bodies in one form: what says the same is said the same way, what changes no answer is gone.

Only objects whose names the vendor defines are looked into. The caller's own (schemas, arguments, results of
tools, metadata of documents) stay as they are, and so does every text.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from adapters.wire.canonical import Incomparable
from adapters.wire.gemini_words import camel
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    COHERE_RERANK,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_MODERATIONS,
    OPENAI_RESPONSES,
    TOOLS,
)

Json = dict[str, Any]

_DELIVERY: Final = ("stream", "stream_options")
_WHO_ASKS: Final = ("user", "safety_identifier", "metadata", "store")
_PROMPT_CACHE: Final = ("prompt_cache_key", "prompt_cache_retention")
_MARKS: Final = frozenset({"cache_control", "prompt_cache_breakpoint"})
"""Where a provider shall keep what it has read: cheaper, the same answer."""
_PLAIN_MESSAGE: Final = 2
"""Names of a message that has a role and a text, and nothing to look into."""
_SAID_BY_CALLERS: Final = frozenset({"user", "system", "developer"})


def one_form(dialect: str, body: Json) -> Json:
    """The body of a request in its dialect's one form; the given one is used up.

    Top-level nulls are gone, too, and so is `model`: whoever asked has that from the request.
    Raises Incomparable: a name stands there in two spellings. LookupError: the dialect has no one form.
    """
    change = _FORMS[dialect]
    dropped = _DROPPED[dialect]
    for name in [name for name, value in body.items() if value is None or name in dropped]:
        del body[name]
    return change(body)


def _chat(body: Json) -> Json:
    _drop_one(body, "n")
    for message in _objects(body.get("messages")):
        content = message.get("content")
        if type(content) is not str or len(message) != _PLAIN_MESSAGE:
            _lighten(message)
            if type(content) is list:
                message["content"] = _joined(content, "text")
    for tool in _objects(body.get("tools")):
        _lighten(tool)
        _lighten(tool.get("function"))
    for function in _objects(body.get("functions")):
        _lighten(function)
    _drop_nulls(body.get("response_format"), "json_schema")
    return body


def _completion(body: Json) -> Json:
    _drop_one(body, "n")
    return body


def _messages(body: Json) -> Json:
    system = body.get("system")
    if type(system) is list:
        body["system"] = _joined(system, "text")
    for message in _objects(body.get("messages")):
        content = message.get("content")
        if type(content) is list:
            for block in _objects(content):
                inner = block.get("content")
                if type(inner) is list and block.get("type") == "tool_result":
                    block["content"] = _joined(inner, "text")
            message["content"] = _joined(content, "text")
    for tool in _objects(body.get("tools")):
        _lighten(tool)
    for name in ("thinking", "tool_choice", "output_format"):
        _drop_nulls(body.get(name))
    _drop_nulls(body.get("output_config"), "format")
    return body


def _responses(body: Json) -> Json:
    for name in ("store", "background"):
        if body.get(name) is False:
            del body[name]
    given = body.get("input")
    if type(given) is str:
        body["input"] = [{"role": "user", "content": given}]
    for item in _objects(given):
        _lighten(item)
        role = item.get("role")
        if type(role) is str and item.get("type", "message") == "message":
            item.pop("type", None)
            content = item.get("content")
            if type(content) is list:
                item["content"] = _joined(content, "input_text" if role in _SAID_BY_CALLERS else "")
    _drop_nulls(body.get("text"), "format")
    _drop_nulls(body.get("reasoning"))
    return body


def _generate(body: Json) -> Json:
    body = _camelled(body)
    if type(contents := body.get("contents")) is list:
        body["contents"] = [_content(content) for content in contents]
    if "systemInstruction" in body:
        body["systemInstruction"] = _content(body["systemInstruction"])
    config = body.pop("generationConfig", None)
    if type(config) is dict:
        config = _camelled(config)
        _drop_nulls(config)
        _drop_one(config, "candidateCount")
        if type(thinking := config.get("thinkingConfig")) is dict:
            config["thinkingConfig"] = _camelled(thinking)
            _drop_nulls(config["thinkingConfig"])
    if config is not None and config != {}:
        body["generationConfig"] = config
    if type(tools := body.get("tools")) is list:
        body["tools"] = [_camelled(tool) if type(tool) is dict else tool for tool in tools]
    if type(choice := body.get("toolConfig")) is dict:
        choice = body["toolConfig"] = _camelled(choice)
        if type(calling := choice.get("functionCallingConfig")) is dict:
            choice["functionCallingConfig"] = _camelled(calling)
    return body


def _gemini_vectors(body: Json) -> Json:
    body = _camelled(body)
    if "content" in body:
        body["content"] = _content(body["content"])
    if type(requests := body.get("requests")) is list:
        body["requests"] = [_gemini_vector(one) if type(one) is dict else one for one in requests]
    return body


def _gemini_vector(one: Json) -> Json:
    one = _camelled(one)
    _drop_nulls(one)
    if "content" in one:
        one["content"] = _content(one["content"])
    return one


def _content(content: Any) -> Any:
    """One of Gemini's contents, with the names of its parts in camel case."""
    if type(content) is not dict:
        return content
    _drop_nulls(content)
    parts = content.get("parts")
    if type(parts) is list:
        content["parts"] = [_part(part) if type(part) is dict else part for part in parts]
    return content


def _part(part: Json) -> Json:
    if len(part) == 1 and "text" in part:
        return part
    part = _camelled(part)
    _drop_nulls(part)
    for name in ("inlineData", "fileData"):
        if type(media := part.get(name)) is dict:
            part[name] = _camelled(media)
    return part


def _camelled(holder: Json) -> Json:
    """An object, its own names in camel case; Google takes both. Raises Incomparable for both at once."""
    if not any("_" in name for name in holder):
        return holder
    found = {camel(name): value for name, value in holder.items()}
    if len(found) != len(holder):
        raise Incomparable("a name stands in two spellings")
    return found


def _joined(parts: list[Any], kind: str) -> Any:
    """Parts without marks; of a lone part that is a text of this kind, that text, which vendors take as the
    same."""
    for part in _objects(parts):
        _lighten(part)
    if len(parts) == 1 and type(lone := parts[0]) is dict and len(lone) == _PLAIN_PART:
        text = lone.get("text")
        if type(text) is str and kind and lone.get("type") == kind:
            return text
    return parts


_PLAIN_PART: Final = 2
"""Names of a part that has a type and a text."""


def _lighten(holder: Any) -> None:
    """Takes marks and nulls out of an object."""
    if type(holder) is dict and (None in holder.values() or not _MARKS.isdisjoint(holder)):
        for name in [name for name, value in holder.items() if value is None or name in _MARKS]:
            del holder[name]


def _drop_nulls(holder: Any, inner: str = "") -> None:
    """Takes nulls out of an object, and out of the one in it that is named."""
    if type(holder) is dict:
        for name in [name for name, value in holder.items() if value is None]:
            del holder[name]
        if inner:
            _drop_nulls(holder.get(inner))


def _drop_one(holder: Json, name: str) -> None:
    """Leaves out a number of answers that is 1, which is what nothing means."""
    value = holder.get(name)
    if value == 1 and type(value) is int:
        del holder[name]


def _objects(value: Any) -> Iterable[Json]:
    return [item for item in value if type(item) is dict] if type(value) is list else ()


def _as_it_is(body: Json) -> Json:
    return body


_FORMS: Final[Mapping[str, Callable[[Json], Json]]] = {
    OPENAI_CHAT: _chat,
    OPENAI_COMPLETIONS: _completion,
    OPENAI_EMBEDDINGS: _as_it_is,
    OPENAI_MODERATIONS: _as_it_is,
    OPENAI_RESPONSES: _responses,
    COHERE_RERANK: _as_it_is,
    ANTHROPIC_MESSAGES: _messages,
    GEMINI_GENERATE: _generate,
    GEMINI_EMBEDDINGS: _gemini_vectors,
    TOOLS: _as_it_is,
}
_DROPPED: Final[Mapping[str, frozenset[str]]] = {
    OPENAI_CHAT: frozenset({"model", *_DELIVERY, *_WHO_ASKS, *_PROMPT_CACHE, *_MARKS}),
    OPENAI_COMPLETIONS: frozenset({"model", *_DELIVERY, *_WHO_ASKS, *_PROMPT_CACHE}),
    OPENAI_EMBEDDINGS: frozenset({"model", "user"}),
    OPENAI_MODERATIONS: frozenset({"model"}),
    # An answer repeats `metadata`, `user` and the like of its request, so they are part of what is answered.
    OPENAI_RESPONSES: frozenset({"model", *_DELIVERY}),
    COHERE_RERANK: frozenset({"model"}),
    ANTHROPIC_MESSAGES: frozenset({"model", "stream", "metadata", *_MARKS}),
    GEMINI_GENERATE: frozenset({"labels"}),
    GEMINI_EMBEDDINGS: frozenset({"labels"}),
    TOOLS: frozenset(),
}
"""Top-level names that only say how an answer is delivered, who asks, or where prompts are kept."""
