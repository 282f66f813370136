"""Bedrock's shape: Converse, ConverseStream's binary event stream, errors with `__type`.

After the Amazon Bedrock Runtime API reference (Converse, ConverseStream, CommonErrors) and the event stream
encoding of Smithy. Messages are read by what they mean as Anthropic's, whose blocks Converse renames.
"""

import struct
from base64 import b64encode
from itertools import pairwise
from typing import Any
from zlib import crc32

import msgspec

from entrypoints.simulator import anthropic_shape
from entrypoints.simulator.conversation import Answer, Ask, Frame, FrameKind, Rejected, Tokens
from entrypoints.simulator.routes import Route

EVENT_STREAM = b"content-type: application/vnd.amazon.eventstream\r\n"
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "stop_sequence": "stop_sequence",
    "refusal": "content_filtered",
}
_ERROR_TYPES = {
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_FIELDS = frozenset(
    {
        "messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "performanceConfig",
        "additionalModelRequestFields", "additionalModelResponseFieldPaths", "promptVariables",
        "requestMetadata", "serviceTier", "outputConfig",
    }
)  # fmt: skip
_INFERENCE = frozenset({"maxTokens", "temperature", "topP", "stopSequences"})
_CHOICES = {"auto": "auto", "any": "any", "tool": "tool"}
_encode, _decode = msgspec.json.encode, msgspec.json.decode


def _bad(message: str) -> Rejected:
    return Rejected(400, message, kind="ValidationException")


def parse_converse(route: Route, body: dict[str, Any]) -> Ask:
    """A Converse request; the model and whether it streams are in the path.

    Raises:
        Rejected: a field the operation has not, a block that is no union, or turns that do not alternate.
    """
    foreign = sorted(body.keys() - _FIELDS - {"model"})
    if foreign:
        raise _bad(f"Unexpected field type: {', '.join(foreign)}")
    config = body.get("inferenceConfig") or {}
    if config.keys() - _INFERENCE:
        raise _bad("inferenceConfig: extraneous key is not permitted")
    messages = body.get("messages") or []
    roles = [message.get("role") for message in messages]
    if roles[:1] != ["user"] or any(one == following for one, following in pairwise(roles)):
        raise _bad("A conversation must start with a user message and alternate between user and assistant.")
    said = {
        "model": route.model,
        "messages": [
            {"role": message["role"], "content": _blocks(message.get("content"))} for message in messages
        ],
        "system": _blocks(body.get("system") or []),
        "max_tokens": config.get("maxTokens"),
        "stop_sequences": config.get("stopSequences") or [],
        "stream": route.stream,
        **_tools(body.get("toolConfig"), messages),
        **(body.get("additionalModelRequestFields") or {}),
        **_output(body.get("outputConfig") or {}),
    }
    return anthropic_shape.parse_messages(said, counting=True)


def _blocks(content: Any) -> list[dict[str, Any]]:
    """Anthropic's blocks for Converse's; a cache point marks the block before it."""
    if not isinstance(content, list):
        raise _bad("content: expected a list of blocks")
    blocks: list[dict[str, Any]] = []
    for block in content:
        if not isinstance(block, dict) or len(block) != 1:
            raise _bad("ContentBlock: exactly one member must be set")
        ((kind, value),) = block.items()
        if kind == "cachePoint":
            if not blocks or value.get("type") != "default":
                raise _bad("cachePoint: nothing to cache before it")
            blocks[-1]["cache_control"] = {"type": "ephemeral", "ttl": value.get("ttl", "5m")}
        else:
            blocks.append(_block(kind, value))
    return blocks


def _block(kind: str, value: Any) -> dict[str, Any]:
    match kind:
        case "text":
            if not value.strip():
                raise _bad("The text field in the ContentBlock object is blank.")
            return {"type": "text", "text": value}
        case "image":
            source = {"type": "base64", "media_type": f"image/{value['format']}"}
            return {"type": "image", "source": {**source, "data": value["source"]["bytes"]}}
        case "document":
            return {"type": "text", "text": f"[document {value['name']}.{value['format']}]"}
        case "toolUse":
            return {"type": "tool_use", "id": value["toolUseId"], "input": _object(value["input"])}
        case "toolResult":
            texts = [
                _encode(part["json"]).decode() if "json" in part else part.get("text", "")
                for part in value["content"]
            ]
            return {"type": "tool_result", "tool_use_id": value["toolUseId"], "content": "\n".join(texts)}
        case "reasoningContent":
            return {"type": "thinking"}
        case _:
            raise _bad(f"ContentBlock: {kind} is not known")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad("toolUse.input: expected a JSON object")
    return value


def _tools(config: dict[str, Any] | None, messages: list[dict[str, Any]]) -> dict[str, Any]:
    if config is None:
        if any("toolUse" in block for message in messages for block in message["content"]):
            raise _bad(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks."
            )
        return {}
    tools: list[dict[str, Any]] = []
    for tool in config["tools"]:
        if "toolSpec" in tool:
            spec = tool["toolSpec"]
            tools.append({"name": spec["name"], "input_schema": _object(spec["inputSchema"]["json"])})
        elif "cachePoint" in tool and tools:
            tools[-1]["cache_control"] = {"type": "ephemeral", "ttl": tool["cachePoint"].get("ttl", "5m")}
    ((kind, value),) = (config.get("toolChoice") or {"auto": {}}).items()
    return {"tools": tools, "tool_choice": {"type": _CHOICES[kind], **value}}


def _output(config: dict[str, Any]) -> dict[str, Any]:
    wanted = config.get("textFormat")
    if wanted is None:
        return {}
    schema = _decode(wanted["structure"]["jsonSchema"]["schema"])
    return {"output_format": {"type": wanted["type"], "schema": schema}}


def usage_of(tokens: Tokens) -> dict[str, Any]:
    """`inputTokens` is only what no cache had a part in."""
    written = tokens.cache_write + tokens.cache_write_long
    lengths = (("5m", tokens.cache_write), ("1h", tokens.cache_write_long))
    return {
        "inputTokens": tokens.input - tokens.cached - written,
        "outputTokens": tokens.output,
        "totalTokens": tokens.input + tokens.output,
        "cacheReadInputTokens": tokens.cached,
        "cacheWriteInputTokens": written,
        "cacheDetails": [{"ttl": ttl, "inputTokens": count} for ttl, count in lengths if count],
    }


def _signature(answer: Answer) -> str:
    return b64encode(f"simulated-{answer.id}".encode()).decode()


def converse_body(answer: Answer) -> bytes:
    """A whole answer."""
    choice = answer.choices[0]
    content: list[dict[str, Any]] = []
    if choice.reasoning:
        said = {"text": "".join(choice.reasoning), "signature": _signature(answer)}
        content.append({"reasoningContent": {"reasoningText": said}})
    if choice.pieces:
        content.append({"text": choice.text})
    for call in choice.tool_calls:
        use = {"toolUseId": f"tooluse_{call.id}", "name": call.name, "input": _arguments(call.pieces)}
        content.append({"toolUse": use})
    message = {"role": "assistant", "content": content}
    return _encode(
        {
            "output": {"message": message},
            "stopReason": _STOP_REASONS[choice.finish],
            "usage": usage_of(answer.tokens),
            "metrics": {"latencyMs": 1},
        }
    )


def _arguments(pieces: tuple[str, ...]) -> Any:
    try:
        return _decode("".join(pieces))
    except msgspec.DecodeError:
        return {}


def _message(headers: dict[str, str], payload: dict[str, Any]) -> bytes:
    """One message of the event stream with text headers."""
    block = b""
    for name, value in {**headers, ":content-type": "application/json"}.items():
        block += struct.pack(">B", len(name)) + name.encode() + b"\x07"
        block += struct.pack(">H", len(value)) + value.encode()
    body = _encode(payload)
    prelude = struct.pack(">II", 16 + len(block) + len(body), len(block))
    head = prelude + struct.pack(">I", crc32(prelude)) + block + body
    return head + struct.pack(">I", crc32(head))


def _event(kind: int, name: str, payload: dict[str, Any]) -> Frame:
    # The service pads events, so that their lengths tell nothing of the text.
    padded = {**payload, "p": "abcdefgh"}
    return Frame(kind, _message({":event-type": name, ":message-type": "event"}, padded))


def converse_frames(answer: Answer) -> list[Frame]:
    """An answer as a stream: start, blocks with their deltas, the reason, at last the usage."""
    choice = answer.choices[0]
    frames = [_event(FrameKind.META, "messageStart", {"role": "assistant"})]
    index = 0
    if choice.reasoning:
        deltas: list[dict[str, Any]] = [{"reasoningContent": {"text": piece}} for piece in choice.reasoning]
        frames += _deltas(index, deltas)
        signed = {"reasoningContent": {"signature": _signature(answer)}}
        frames.append(_delta(FrameKind.META, index, signed))
        frames.append(_event(FrameKind.META, "contentBlockStop", {"contentBlockIndex": index}))
        index += 1
    if choice.pieces:
        frames += _deltas(index, [{"text": piece} for piece in choice.pieces])
        frames.append(_event(FrameKind.META, "contentBlockStop", {"contentBlockIndex": index}))
        index += 1
    for call in choice.tool_calls:
        start = {"toolUse": {"toolUseId": f"tooluse_{call.id}", "name": call.name}}
        opening = {"contentBlockIndex": index, "start": start}
        frames.append(_event(FrameKind.CALL, "contentBlockStart", opening))
        frames += _deltas(index, [{"toolUse": {"input": piece}} for piece in call.pieces])
        frames.append(_event(FrameKind.META, "contentBlockStop", {"contentBlockIndex": index}))
        index += 1
    frames.append(_event(FrameKind.FINISH, "messageStop", {"stopReason": _STOP_REASONS[choice.finish]}))
    told = {"usage": usage_of(answer.tokens), "metrics": {"latencyMs": 1}}
    return [*frames, _event(FrameKind.USAGE, "metadata", told)]


def _delta(kind: int, index: int, delta: dict[str, Any]) -> Frame:
    return _event(kind, "contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def _deltas(index: int, deltas: list[dict[str, Any]]) -> list[Frame]:
    return [_delta(FrameKind.CONTENT, index, delta) for delta in deltas]


def _named(status: int, message: str, kind: str | None, code: str | None) -> tuple[str, str]:
    """The exception and its message, in the service's words."""
    if code == "context_length_exceeded":
        return "ValidationException", f"Input is too long for requested model. {message}"
    if code in ("content_policy_violation", "content_filter"):
        return "ValidationException", f"Output blocked by content filtering policy. {message}"
    if code == "insufficient_quota":
        return "ServiceQuotaExceededException", message
    if kind is not None and kind.endswith("Exception"):
        return kind, message
    return _ERROR_TYPES.get(
        status, "ValidationException" if status < 500 else "InternalServerException"
    ), message


def error_of(status: int, message: str, *, kind: str | None, code: str | None, param: str | None) -> bytes:  # noqa: ARG001
    """An error body. The service names the exception in a header too, which this shape leaves out."""
    named, said = _named(status, message, kind, code)
    return _encode({"__type": named, "message": said})


def error_frame(status: int, message: str, *, kind: str | None, code: str | None) -> bytes:
    """An exception inside a stream: its name begins with a small letter there."""
    named, said = _named(status, message, kind, code)
    headers = {":exception-type": named[0].lower() + named[1:], ":message-type": "exception"}
    return _message(headers, {"message": said})
