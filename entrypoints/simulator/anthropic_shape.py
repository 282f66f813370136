"""Anthropic's shape: messages, their event streams, token counting, models and errors."""

import base64
from typing import Any

import msgspec

from entrypoints.simulator import pictures
from entrypoints.simulator.breakpoints import PrefixReader
from entrypoints.simulator.conversation import (
    Answer,
    Ask,
    Choice,
    Frame,
    FrameKind,
    OfferedTool,
    Rejected,
    Tokens,
    input_tokens,
)

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_encode = msgspec.json.encode


def _bad(message: str) -> Rejected:
    return Rejected(400, message, kind="invalid_request_error")


class _Reader:
    """Collects the text of a conversation, and the part of it that is marked for caching."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.images: list[str] = []
        self.prefix = PrefixReader()

    def read(self, content: Any) -> tuple[str, str | None, bool]:
        """Text of one message, text of its tool results, and whether it calls tools."""
        if isinstance(content, str):
            self._say(content)
            return content, None, False
        if not isinstance(content, list):
            raise _bad("messages: Input should be a valid string or list")
        texts: list[str] = []
        results: list[str] = []
        calls = False
        for block in content:
            if not isinstance(block, dict):
                raise _bad("messages: Input should be a valid dictionary")
            kind = block.get("type")
            if kind == "text":
                texts.append(str(block.get("text", "")))
                self._say(texts[-1])
            elif kind == "image":
                self._image(block.get("source") or {})
            elif kind == "tool_result":
                results.append(_result_text(block.get("content")))
                self._say(results[-1])
            elif kind == "tool_use":
                calls = True
                self._say(_encode(block.get("input") or {}).decode())
            self.prefix.mark(block)
        return "\n".join(texts), "\n".join(results) if results else None, calls

    def _image(self, source: dict[str, Any]) -> None:
        if source.get("type") == "base64":
            media_type, data = str(source.get("media_type", "")), str(source.get("data", ""))
            self.images.append(pictures.described_data(media_type, data))
        else:
            self.images.append(pictures.described(str(source.get("url", ""))))

    def _say(self, text: str) -> None:
        self.texts.append(text)
        self.prefix.add(text)


def _result_text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return str(content or "")


def parse_messages(body: dict[str, Any], *, counting: bool = False) -> Ask:
    """A messages request; `counting` for count_tokens, which needs no `max_tokens`.

    Raises:
        Rejected: a required field is missing or of the wrong type.
    """
    model, messages, limit = body.get("model"), body.get("messages"), body.get("max_tokens")
    if not isinstance(model, str) or not model:
        raise _bad("model: Field required")
    if not isinstance(messages, list) or not messages:
        raise _bad("messages: at least one message is required")
    if not counting and (not isinstance(limit, int) or limit < 1):
        raise _bad("max_tokens: Field required")
    reader = _Reader()
    for tool in body.get("tools") or ():
        plain = {name: value for name, value in tool.items() if name != "cache_control"}
        reader.prefix.add(_encode(plain).decode())
        reader.prefix.mark(tool)
    if body.get("system"):
        reader.read(body["system"])
    question, prefill, tool_result, rounds = "", "", None, 0
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant", "system"):
            raise _bad("messages: Input should have role 'user', 'assistant' or 'system'")
        text, results, calls = reader.read(message.get("content"))
        if message["role"] == "user":
            if results is None:
                question, rounds = (text or question), 0
            else:
                # Text beside results is a note of the agent's, unless nothing was asked before.
                question, rounds = (question or text), rounds + 1
            tool_result, prefill = results, ""
        elif message["role"] == "assistant":
            prefill = "" if calls else text
    if prefill and prefill != prefill.rstrip():
        raise _bad("messages: final assistant content cannot end with trailing whitespace")
    ask = _ask(body, model, limit, reader, question, prefill, tool_result, len(messages))
    return ask._replace(rounds=rounds)


def _ask(
    body: dict[str, Any],
    model: str,
    limit: int | None,
    reader: _Reader,
    question: str,
    prefill: str,
    tool_result: str | None,
    messages: int,
) -> Ask:
    spoken = reader.texts[:-1] if prefill else reader.texts
    prompt = "\n".join(spoken)
    size = len(prompt.encode("utf-8", "surrogatepass")) + len(prefill.encode("utf-8", "surrogatepass"))
    tools = tuple(
        OfferedTool(str(tool.get("name", "")), tool.get("input_schema") or {"type": "object"})
        for tool in body.get("tools") or ()
    )
    if tools:
        size += len(_encode(body["tools"]))
    choice = body.get("tool_choice") or {}
    thinking = (body.get("thinking") or {}).get("type")
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return Ask(
        model=model,
        prompt=prompt,
        question=question,
        input_tokens=input_tokens(size, messages) + pictures.TOKENS_PER_IMAGE * len(reader.images),
        stream=bool(body.get("stream")),
        include_usage=True,
        max_tokens=limit,
        stop=tuple(part for part in body.get("stop_sequences") or () if part),
        tools=tools,
        tool_choice=_tool_choice(choice),
        parallel_tools=not choice.get("disable_parallel_tool_use"),
        tool_result=tool_result,
        json_schema=wanted.get("schema") if wanted.get("type") == "json_schema" else None,
        images=tuple(reader.images),
        prefill=prefill,
        thinking=thinking != "disabled" and (thinking is not None or "think" in model or "reason" in model),
        prefix=reader.prefix.read(),
    )


def _tool_choice(choice: dict[str, Any]) -> str:
    match choice.get("type"):
        case "tool":
            return "=" + str(choice.get("name", ""))
        case "any":
            return "required"
        case "none":
            return "none"
        case _:
            return "auto"


def usage_of(tokens: Tokens) -> dict[str, Any]:
    """Usage as Anthropic counts it: `input_tokens` is only what no cache had a part in."""
    written = tokens.cache_write + tokens.cache_write_long
    return {
        "input_tokens": tokens.input - tokens.cached - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write,
            "ephemeral_1h_input_tokens": tokens.cache_write_long,
        },
        "output_tokens": tokens.output,
        "service_tier": "standard",
    }


def _signature(answer: Answer) -> str:
    return base64.b64encode(f"simulated-{answer.id}".encode()).decode()


def messages_body(ask: Ask, answer: Answer) -> bytes:
    """A whole message."""
    choice = answer.choices[0]
    content: list[dict[str, Any]] = []
    if choice.reasoning:
        thinking = "".join(choice.reasoning)
        content.append({"type": "thinking", "thinking": thinking, "signature": _signature(answer)})
    if choice.pieces:
        content.append({"type": "text", "text": choice.text})
    content += [
        {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": _arguments(call.pieces)}
        for call in choice.tool_calls
    ]
    return _encode(_message(ask, answer, content, choice))


def _arguments(pieces: tuple[str, ...]) -> Any:
    try:
        return msgspec.json.decode("".join(pieces))
    except msgspec.DecodeError:
        # Truncated by max_tokens; a whole message cannot carry half an object.
        return {}


def _message(
    ask: Ask, answer: Answer, content: list[dict[str, Any]], choice: Choice | None
) -> dict[str, Any]:
    tokens = answer.tokens if choice is not None else answer.tokens._replace(output=1)
    return {
        "id": f"msg_sim{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": content,
        "stop_reason": _STOP_REASONS[choice.finish] if choice is not None else None,
        "stop_sequence": choice.stopped_by if choice is not None else None,
        "usage": usage_of(tokens),
    }


def _event(name: str, payload: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _encode({"type": name, **payload}) + b"\n\n"


def messages_frames(ask: Ask, answer: Answer) -> list[Frame]:
    """A message as stream: start, ping, blocks with their deltas, final usage with the reason, stop."""
    choice = answer.choices[0]
    opening = _event("message_start", {"message": _message(ask, answer, [], None)})
    frames = [Frame(FrameKind.META, opening), Frame(FrameKind.META, _event("ping", {}))]
    index = 0
    if choice.reasoning:
        thought = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in choice.reasoning]
        signed = {"type": "signature_delta", "signature": _signature(answer)}
        frames += _block(index, thought, deltas, FrameKind.META, signed)
        index += 1
    if choice.pieces:
        deltas = [{"type": "text_delta", "text": piece} for piece in choice.pieces]
        frames += _block(index, {"type": "text", "text": ""}, deltas, FrameKind.META)
        index += 1
    for call in choice.tool_calls:
        block: dict[str, Any] = {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in call.pieces]
        frames += _block(index, block, deltas, FrameKind.CALL)
        index += 1
    delta = {"stop_reason": _STOP_REASONS[choice.finish], "stop_sequence": choice.stopped_by}
    finish = _event("message_delta", {"delta": delta, "usage": usage_of(answer.tokens)})
    frames.append(Frame(FrameKind.FINISH, finish))
    frames.append(Frame(FrameKind.DONE, _event("message_stop", {})))
    return frames


def _block(
    index: int,
    block: dict[str, Any],
    deltas: list[dict[str, Any]],
    opening: int,
    last: dict[str, Any] | None = None,
) -> list[Frame]:
    frames = [Frame(opening, _event("content_block_start", {"index": index, "content_block": block}))]
    frames += [
        Frame(FrameKind.CONTENT, _event("content_block_delta", {"index": index, "delta": delta}))
        for delta in deltas
    ]
    if last is not None:
        frames.append(Frame(FrameKind.META, _event("content_block_delta", {"index": index, "delta": last})))
    frames.append(Frame(FrameKind.META, _event("content_block_stop", {"index": index})))
    return frames


def count_body(ask: Ask) -> bytes:
    """The answer of count_tokens."""
    return _encode({"input_tokens": ask.input_tokens})


def models_body(models: tuple[str, ...]) -> bytes:
    """The list of models."""
    listed = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"}
        for name in models
    ]
    ends = {"first_id": models[0] if models else None, "last_id": models[-1] if models else None}
    return _encode({"data": listed, "has_more": False, **ends})


def error_of(status: int, message: str, *, kind: str | None, code: str | None, param: str | None) -> bytes:  # noqa: ARG001
    """An error body; Anthropic has a type only, so a given code stands in for a missing type."""
    usual = _ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    if code == "context_length_exceeded":
        message = f"prompt is too long: {message}"
    if kind is None and code is not None and code.endswith("_error"):
        kind = code
    error = {"type": kind or usual, "message": message}
    return _encode({"type": "error", "error": error, "request_id": "req_simulated"})


def error_frame(status: int, message: str, *, kind: str | None, code: str | None) -> bytes:
    """An error inside a stream."""
    return b"event: error\ndata: " + error_of(status, message, kind=kind, code=code, param=None) + b"\n\n"
