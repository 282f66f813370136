"""OpenAI's Responses shape: items in, items out, and a stream of named events."""

from typing import Any

import msgspec

from entrypoints.simulator import openai_shape, pictures
from entrypoints.simulator.answers import LOGPROB
from entrypoints.simulator.conversation import (
    Answer,
    Ask,
    Choice,
    Frame,
    FrameKind,
    OfferedTool,
    Rejected,
    Tokens,
)
from entrypoints.simulator.conversation import input_tokens as tokens_of

_encode = msgspec.json.encode


def _bad(message: str, param: str) -> Rejected:
    return Rejected(400, message, kind="invalid_request_error", param=param)


def parse_responses(body: dict[str, Any]) -> Ask:
    """A Responses request.

    Raises:
        Rejected: model or input is missing or of the wrong type.
    """
    model, given = body.get("model"), body.get("input")
    if not isinstance(model, str) or not model:
        raise _bad("Missing required parameter: 'model'.", "model")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list) or not items:
        raise _bad("Missing required parameter: 'input'.", "input")
    texts: list[str] = [body["instructions"]] if isinstance(body.get("instructions"), str) else []
    images: list[str] = []
    question, tool_result, rounds, before = "", None, 0, ""
    for item in items:
        kind = item.get("type", "message")
        if kind == "message":
            text = _text_of(item.get("content"), images)
            if item.get("role") == "user":
                question, tool_result, rounds = text, None, 0
        elif kind == "function_call_output":
            text = tool_result = _text_of(item.get("output"), images)
            rounds += before != kind
        else:
            text = str(item.get("arguments") or "")
        texts.append(text)
        before = kind
    prompt = "\n".join(texts)
    tools = tuple(
        OfferedTool(str(tool.get("name", "")), tool.get("parameters") or {"type": "object"})
        for tool in body.get("tools") or ()
        if tool.get("type") == "function"
    )
    size = len(prompt.encode("utf-8", "surrogatepass")) + (len(_encode(body["tools"])) if tools else 0)
    wanted = (body.get("text") or {}).get("format") or {}
    asked_for_logprobs = "message.output_text.logprobs" in (body.get("include") or ())
    return Ask(
        model=model,
        prompt=prompt,
        question=question,
        input_tokens=tokens_of(size, len(texts)) + pictures.TOKENS_PER_IMAGE * len(images),
        stream=bool(body.get("stream")),
        include_usage=True,
        max_tokens=body.get("max_output_tokens"),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice")),
        parallel_tools=body.get("parallel_tool_calls") is not False,
        tool_result=tool_result,
        rounds=rounds,
        json_schema=(wanted.get("schema") or {"type": "object"})
        if wanted.get("type") == "json_schema"
        else None,
        json_object=wanted.get("type") == "json_object",
        images=tuple(images),
        top_logprobs=int(body.get("top_logprobs") or 0) if asked_for_logprobs else None,
        thinking="think" in model or "reason" in model,
        previous=body.get("previous_response_id"),
        stored=body.get("store") is not False,
        background=bool(body.get("background")),
        items=tuple(items),
        wants_sealed="reasoning.encrypted_content" in (body.get("include") or ()),
    )


def _text_of(content: Any, images: list[str]) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for part in content or ():
        if part.get("type") == "input_image":
            images.append(pictures.described(str(part.get("image_url") or part.get("file_id") or "")))
        elif isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "\n".join(texts)


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, dict):
        return "=" + str(choice.get("name", ""))
    return choice if choice in ("none", "required") else "auto"


def response_id(answer: Answer) -> str:
    """The id under which an answer can be continued."""
    return f"resp_sim{answer.id}"


def usage_of(tokens: Tokens) -> dict[str, Any]:
    """Usage in this shape's words."""
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def responses_body(ask: Ask, answer: Answer) -> bytes:
    """A whole response."""
    return _encode(_response(ask, answer, _items(ask, answer), finished=True))


def unfinished_body(ask: Ask, answer: Answer, status: str) -> bytes:
    """A response that is still made, or was stopped."""
    return _encode(_response(ask, answer, [], finished=False) | {"status": status})


def _response(ask: Ask, answer: Answer, items: list[dict[str, Any]], *, finished: bool) -> dict[str, Any]:
    choice = answer.choices[0]
    status, incomplete = "in_progress", None
    if finished:
        cut = choice.finish == "length"
        status, incomplete = ("incomplete", {"reason": "max_output_tokens"}) if cut else ("completed", None)
    return {
        "id": response_id(answer),
        "object": "response",
        "created_at": openai_shape.CREATED,
        "status": status,
        "error": None,
        "incomplete_details": incomplete,
        "instructions": None,
        "metadata": {},
        "model": ask.model,
        "output": items,
        "background": ask.background,
        "parallel_tool_calls": ask.parallel_tools,
        "previous_response_id": ask.previous,
        "store": ask.stored,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage_of(answer.tokens) if finished else None,
    }


def _items(ask: Ask, answer: Answer) -> list[dict[str, Any]]:
    choice, items = answer.choices[0], []
    if choice.reasoning:
        items.append(_reasoning(ask, answer, "".join(choice.reasoning)))
    if choice.pieces:
        items.append(_message(ask, answer, choice))
    items += [_call(call.id, call.name, "".join(call.pieces), "completed") for call in choice.tool_calls]
    return items


def _reasoning(ask: Ask, answer: Answer, text: str | None) -> dict[str, Any]:
    summary = [] if text is None else [{"type": "summary_text", "text": text}]
    item: dict[str, Any] = {"type": "reasoning", "id": f"rs_sim{answer.id}", "summary": summary}
    if ask.wants_sealed and ask.seal:
        item["encrypted_content"] = f"{ask.seal}{answer.id}"
    return item


def _message(ask: Ask, answer: Answer, choice: Choice) -> dict[str, Any]:
    status = "incomplete" if choice.finish == "length" else "completed"
    part = _part(ask, choice, choice.text)
    return {
        "type": "message",
        "id": f"msg_sim{answer.id}",
        "status": status,
        "role": "assistant",
        "content": [part],
    }


def _part(ask: Ask, choice: Choice, text: str) -> dict[str, Any]:
    if choice.finish == "refusal":
        return {"type": "refusal", "refusal": text}
    logprobs = []
    if ask.top_logprobs is not None and text:
        logprobs = [
            {"token": piece, "logprob": LOGPROB, "bytes": list(piece.encode()), "top_logprobs": []}
            for piece in choice.pieces
        ]
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def _call(call_id: str, name: str, arguments: str, status: str) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": f"call_{call_id}",
        "name": name,
        "arguments": arguments,
        "status": status,
    }


class _Events:
    """Numbers the events of one stream."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def add(self, kind: int, event_name: str, /, **payload: Any) -> None:
        event = {"type": event_name, "sequence_number": len(self.frames), **payload}
        self.frames.append(
            Frame(kind, b"event: " + event_name.encode() + b"\ndata: " + _encode(event) + b"\n\n")
        )


def responses_frames(ask: Ask, answer: Answer) -> list[Frame]:
    """A response as stream: created, in progress, each item opened, told and closed, the end."""
    events, choice = _Events(), answer.choices[0]
    opened = _response(ask, answer, [], finished=False)
    events.add(FrameKind.META, "response.created", response=opened)
    events.add(FrameKind.META, "response.in_progress", response=opened)
    index = 0
    if choice.reasoning:
        _reasoning_events(events, ask, answer, choice)
        index += 1
    if choice.pieces:
        _message_events(events, ask, answer, choice, index)
        index += 1
    for call in choice.tool_calls:
        at = {"output_index": index, "item_id": f"fc_{call.id}"}
        opened_call = _call(call.id, call.name, "", "in_progress")
        events.add(FrameKind.CALL, "response.output_item.added", output_index=index, item=opened_call)
        for piece in call.pieces:
            events.add(FrameKind.CONTENT, "response.function_call_arguments.delta", **at, delta=piece)
        arguments = "".join(call.pieces)
        whole = _call(call.id, call.name, arguments, "completed")
        done = "response.function_call_arguments.done"
        events.add(FrameKind.META, done, **at, name=call.name, arguments=arguments)
        events.add(FrameKind.META, "response.output_item.done", output_index=index, item=whole)
        index += 1
    end = "response.incomplete" if choice.finish == "length" else "response.completed"
    ended = _response(ask, answer, _items(ask, answer), finished=True)
    events.add(FrameKind.FINISH, end, response=ended)
    return events.frames


def _reasoning_events(events: _Events, ask: Ask, answer: Answer, choice: Choice) -> None:
    item, text = _reasoning(ask, answer, None), "".join(choice.reasoning)
    at = {"output_index": 0, "item_id": item["id"], "summary_index": 0}
    empty, whole = {"type": "summary_text", "text": ""}, {"type": "summary_text", "text": text}
    events.add(FrameKind.META, "response.output_item.added", output_index=0, item=item)
    events.add(FrameKind.META, "response.reasoning_summary_part.added", **at, part=empty)
    for piece in choice.reasoning:
        events.add(FrameKind.CONTENT, "response.reasoning_summary_text.delta", **at, delta=piece)
    events.add(FrameKind.META, "response.reasoning_summary_text.done", **at, text=text)
    events.add(FrameKind.META, "response.reasoning_summary_part.done", **at, part=whole)
    closed = _reasoning(ask, answer, text)
    events.add(FrameKind.META, "response.output_item.done", output_index=0, item=closed)


def _message_events(events: _Events, ask: Ask, answer: Answer, choice: Choice, index: int) -> None:
    whole = _message(ask, answer, choice)
    at = {"output_index": index, "item_id": whole["id"], "content_index": 0}
    opened = {**whole, "status": "in_progress", "content": []}
    events.add(FrameKind.META, "response.output_item.added", output_index=index, item=opened)
    events.add(FrameKind.META, "response.content_part.added", **at, part=_part(ask, choice, ""))
    refused = choice.finish == "refusal"
    extra: dict[str, Any] = {} if refused else {"logprobs": []}
    name = "response.refusal" if refused else "response.output_text"
    for piece in choice.pieces:
        events.add(FrameKind.CONTENT, f"{name}.delta", **at, delta=piece, **extra)
    told = {"refusal": choice.text} if refused else {"text": choice.text, "logprobs": []}
    events.add(FrameKind.META, f"{name}.done", **at, **told)
    events.add(FrameKind.META, "response.content_part.done", **at, part=whole["content"][0])
    events.add(FrameKind.META, "response.output_item.done", output_index=index, item=whole)


def error_frame(status: int, message: str, *, kind: str | None, code: str | None) -> bytes:
    """An error inside a stream."""
    event = {"type": "error", "code": code or kind or str(status), "message": message, "param": None}
    return b"event: error\ndata: " + _encode({**event, "sequence_number": 0}) + b"\n\n"
