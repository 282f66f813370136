"""Cohere's second API: chat, its streams, embed, rerank and errors.

After the API reference of Cohere: "Chat" and "Chat with Streaming" (v2; typed events, `message-end` with
reason and usage), "Embed" (v2; `input_type`, vectors by type), "Rerank" (v2; searches) and "Errors".
Every text around the conversation costs tokens that are counted and not billed, so `tokens` tell more than
`billed_units`.
"""

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from entrypoints.simulator import pictures, vectors
from entrypoints.simulator.answers import draw_from
from entrypoints.simulator.conversation import (
    Answer,
    Ask,
    Choice,
    Embedded,
    Frame,
    FrameKind,
    OfferedTool,
    Rejected,
    Tokens,
    input_tokens,
)

TEMPLATE_TOKENS = 60
"""Counted for every conversation, billed for none."""
TEXTS_MAX = 96
DOCUMENTS_PER_SEARCH = 100

_CHAT_FIELDS = frozenset(
    {
        "model", "messages", "stream", "tools", "strict_tools", "tool_choice", "documents",
        "citation_options", "response_format", "safety_mode", "max_tokens", "stop_sequences",
        "temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "logprobs",
        "thinking", "priority",
    }
)  # fmt: skip
_EMBED_FIELDS = frozenset(
    {
        "model", "texts", "images", "inputs", "input_type", "max_tokens", "output_dimension",
        "embedding_types", "truncate", "priority",
    }
)  # fmt: skip
_RERANK_FIELDS = frozenset(
    {
        "model", "query", "documents", "top_n", "max_tokens_per_doc", "priority",
    }
)  # fmt: skip
_RANGES = {
    "p": (0.01, 0.99),
    "k": (0, 500),
    "frequency_penalty": (0.0, 1.0),
    "presence_penalty": (0.0, 1.0),
    "temperature": (0.0, math.inf),
}
_INPUT_TYPES = frozenset({"search_document", "search_query", "classification", "clustering", "image"})
_FINISH = {
    "stop": "COMPLETE",
    "refusal": "COMPLETE",
    "stop_sequence": "STOP_SEQUENCE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
}
_RANKING_DIMENSIONS = 128
_encode = msgspec.json.encode


def _bad(message: str) -> Rejected:
    return Rejected(400, f"invalid request: {message}")


def _checked(body: dict[str, Any], known: frozenset[str]) -> str:
    """The model. Raises Rejected for none, and for fields that the operation has not."""
    for name in body:
        if name not in known:
            raise Rejected(400, f"unknown field: parameter '{name}' is not a valid field")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise _bad("model is required")
    return model


def parse_chat(body: dict[str, Any]) -> Ask:
    """A chat.

    Raises:
        Rejected: a field is unknown, missing, of the wrong type or out of its range.
    """
    model, messages = _checked(body, _CHAT_FIELDS), body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _bad("list of messages must not be empty")
    for name, (least, most) in _RANGES.items():
        if body.get(name) is not None and not least <= body[name] <= most:
            raise _bad(f"{name} must be between {least} and {most} inclusive.")
    texts: list[str] = []
    images: list[str] = []
    question, prefill, tool_result, rounds, before = "", "", None, 0, ""
    open_calls: set[str] = set()
    for message in messages:
        text = _text_of(message.get("content"), images)
        role = message["role"]
        texts.append(text)
        if role == "user":
            question, tool_result, prefill, rounds = text, None, "", 0
        elif role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise _bad(f"tool call id not found in previous tool calls: {message.get('tool_call_id')}")
            tool_result, prefill = text, ""
            rounds += before != "tool"
        elif role == "assistant":
            calls = message.get("tool_calls") or ()
            if not text and not calls:
                raise _bad("assistant messages need content or tool_calls")
            open_calls |= {call["id"] for call in calls if isinstance(call["function"]["arguments"], str)}
            texts.extend(_encode(call).decode() for call in calls)
            prefill = "" if calls else text
        elif role != "system":
            raise _bad(f"unknown role: {role}")
        before = role
    ask = _ask(model, body, texts[:-1] if prefill else texts, images, prefill)
    return ask._replace(question=question, prefill=prefill, tool_result=tool_result, rounds=rounds)


def _text_of(content: Any, images: list[str]) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content:
        match part["type"]:
            case "text":
                texts.append(part["text"])
            case "image_url":
                images.append(pictures.described(str(part["image_url"]["url"])))
            case "document":
                data = part["document"]["data"]
                texts.append(data if isinstance(data, str) else "\n".join(map(str, data.values())))
            case other:
                raise _bad(f"content of type {other} is not supported")
    return "\n".join(texts)


def _ask(model: str, body: dict[str, Any], spoken: list[str], images: list[str], prefill: str) -> Ask:
    prompt = "\n".join(spoken)
    size = len(prompt.encode("utf-8", "surrogatepass")) + len(prefill.encode("utf-8", "surrogatepass"))
    offered = body.get("tools") or ()
    if offered:
        size += len(_encode(offered))
    functions = [tool["function"] for tool in offered]
    form = body.get("response_format") or {}
    if form.get("type", "text") not in ("text", "json_object"):
        raise _bad(f"response_format type {form['type']} is not supported")
    choice = body.get("tool_choice")
    if choice not in (None, "REQUIRED", "NONE"):
        raise _bad("tool_choice must be one of REQUIRED, NONE")
    thinking = (body.get("thinking") or {}).get("type")
    wants_json = form.get("type") == "json_object"
    return Ask(
        model=model,
        prompt=prompt,
        question="",
        input_tokens=input_tokens(size, len(spoken)) + pictures.TOKENS_PER_IMAGE * len(images),
        stream=bool(body.get("stream")),
        include_usage=True,
        max_tokens=body.get("max_tokens"),
        stop=tuple(body.get("stop_sequences") or ()),
        tools=tuple(
            OfferedTool(one["name"], one.get("parameters") or {"type": "object"}) for one in functions
        ),
        tool_choice="auto" if choice is None else choice.lower(),
        json_schema=form.get("json_schema") if wants_json else None,
        json_object=wants_json and not form.get("json_schema"),
        images=tuple(images),
        thinking="think" in model and thinking != "disabled",
    )


def usage_of(tokens: Tokens) -> dict[str, Any]:
    """What is billed, and what was counted with the template around it."""
    billed = {"input_tokens": tokens.input, "output_tokens": tokens.output}
    counted = {"input_tokens": tokens.input + TEMPLATE_TOKENS, "output_tokens": tokens.output}
    return {"billed_units": billed, "tokens": counted, "cached_tokens": tokens.cached}


def _plan(choice: Choice) -> str:
    return f"I will use {' and '.join(call.name for call in choice.tool_calls)}."


def _call(call: Any, arguments: str) -> dict[str, Any]:
    function = {"name": call.name, "arguments": arguments}
    return {"id": f"{call.name}_{call.id}", "type": "function", "function": function}


def chat_body(ask: Ask, answer: Answer) -> bytes:  # noqa: ARG001 - as every shape's
    """A whole answer."""
    choice = answer.choices[0]
    message: dict[str, Any] = {"role": "assistant"}
    content: list[dict[str, str]] = []
    if choice.reasoning:
        content.append({"type": "thinking", "thinking": "".join(choice.reasoning)})
    if choice.pieces:
        content.append({"type": "text", "text": choice.text})
    if content:
        message["content"] = content
    if choice.tool_calls:
        message["tool_plan"] = _plan(choice)
        message["tool_calls"] = [_call(call, "".join(call.pieces)) for call in choice.tool_calls]
    finish = _FINISH[choice.finish]
    return _encode(
        {"id": answer.id, "finish_reason": finish, "message": message, "usage": usage_of(answer.tokens)}
    )


def _event(kind: int, name: str, **fields: Any) -> Frame:
    return Frame(kind, b"event: %b\ndata: %b\n\n" % (name.encode(), _encode({"type": name, **fields})))


def _said(**message: Any) -> dict[str, Any]:
    return {"message": message}


def chat_frames(ask: Ask, answer: Answer) -> list[Frame]:  # noqa: ARG001 - as every shape's
    """An answer as stream: typed events, each with its part of the message, and `[DONE]`."""
    choice = answer.choices[0]
    empty = _said(role="assistant", content=[], tool_plan="", tool_calls=[], citations=[])
    frames = [_event(FrameKind.META, "message-start", id=answer.id, delta=empty)]
    spoken = [("thinking", choice.reasoning), ("text", choice.pieces)]
    for index, (part, pieces) in enumerate((part, pieces) for part, pieces in spoken if pieces):
        frames += _content(index, part, pieces)
    if choice.tool_calls:
        frames.append(_event(FrameKind.META, "tool-plan-delta", delta=_said(tool_plan=_plan(choice))))
    for index, call in enumerate(choice.tool_calls):
        started = _said(tool_calls=_call(call, ""))
        frames.append(_event(FrameKind.CALL, "tool-call-start", index=index, delta=started))
        for piece in call.pieces:
            more = _said(tool_calls={"function": {"arguments": piece}})
            frames.append(_event(FrameKind.CONTENT, "tool-call-delta", index=index, delta=more))
        frames.append(_event(FrameKind.META, "tool-call-end", index=index))
    ending = {"finish_reason": _FINISH[choice.finish], "usage": usage_of(answer.tokens)}
    frames.append(_event(FrameKind.FINISH, "message-end", id=answer.id, delta=ending))
    return [*frames, Frame(FrameKind.DONE, b"data: [DONE]\n\n")]


def _content(index: int, part: str, pieces: tuple[str, ...]) -> Iterator[Frame]:
    begun = _said(content={"type": part, part: ""})
    yield _event(FrameKind.META, "content-start", index=index, delta=begun)
    for piece in pieces:
        yield _event(FrameKind.CONTENT, "content-delta", index=index, delta=_said(content={part: piece}))
    yield _event(FrameKind.META, "content-end", index=index)


def embed_body(body: dict[str, Any]) -> tuple[bytes, Tokens]:
    """Vectors of texts, and what they cost.

    Raises:
        Rejected: no `input_type`, no texts or too many, or a field that is unknown.
    """
    model, texts = _checked(body, _EMBED_FIELDS), body.get("texts")
    if body.get("input_type") not in _INPUT_TYPES:
        raise _bad("valid input_type must be provided with the provided model")
    if not isinstance(texts, list) or not texts:
        raise _bad("list of texts must not be empty")
    if len(texts) > TEXTS_MAX:
        raise _bad(f"total number of texts must be at most {TEXTS_MAX} - received {len(texts)}.")
    embedded: Embedded = vectors.embed(model, texts, body.get("output_dimension"))
    kinds = body.get("embedding_types") or ["float"]
    answer = {
        "id": f"{draw_from(model, *texts):016x}",
        "embeddings": {kind: embedded.vectors for kind in kinds if kind == "float"},
        "texts": texts,
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"input_tokens": embedded.tokens.input},
        },
        "response_type": "embeddings_by_type",
    }
    return _encode(answer), embedded.tokens


def rerank_body(body: dict[str, Any]) -> tuple[bytes, Tokens]:
    """Documents in the order of their relevance, billed by searches.

    Raises:
        Rejected: no query, no documents, other documents than texts, or a field that is unknown.
    """
    model, query, documents = _checked(body, _RERANK_FIELDS), body.get("query"), body.get("documents")
    if not isinstance(query, str) or not query.strip():
        raise _bad("query must not be empty or be only whitespace")
    if not isinstance(documents, list) or not documents:
        raise _bad("list of documents must not be empty")
    if not all(isinstance(one, str) for one in documents):
        raise _bad("documents must be strings")
    asked, *answers = vectors.embed(model, [query, *documents], _RANKING_DIMENSIONS).vectors
    scores = [sum(one * other for one, other in zip(asked, vector, strict=True)) for vector in answers]
    order = sorted(range(len(documents)), key=lambda index: (-scores[index], index))
    shown = order[: body.get("top_n") or len(order)]
    searches = math.ceil(len(documents) / DOCUMENTS_PER_SEARCH)
    answer = {
        "id": f"{draw_from(model, query):016x}",
        "results": [{"index": at, "relevance_score": round(max(scores[at], 0.0), 6)} for at in shown],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": searches}},
    }
    return _encode(answer), Tokens(searches=searches)


_MESSAGES = {
    "insufficient_quota": "You are using a Trial key, which is limited to 1000 API calls / month.",
    "context_length_exceeded": "too many tokens: total number of tokens in the prompt cannot exceed 8192.",
    "model_not_found": "model not found, make sure the correct model ID was used.",
}


def error_of(status: int, message: str, *, kind: str | None, code: str | None, param: str | None) -> bytes:  # noqa: ARG001
    """An error body: a sentence and an id, no code."""
    if status == 401:
        message = "invalid api token"
    return _encode({"id": f"{draw_from(message):016x}", "message": _MESSAGES.get(code or "", message)})


def error_frame(status: int, message: str, *, kind: str | None, code: str | None) -> bytes:  # noqa: ARG001
    """An error inside a stream, which is its end."""
    return _event(FrameKind.FINISH, "message-end", delta={"finish_reason": "ERROR", "error": message}).data
