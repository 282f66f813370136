"""What every stream in a caller's dialect looks like, whoever made it. Independent of the adapters' code."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.llm.stream import Finished, StreamEvent, Terminated


class SeenFrame(NamedTuple):
    """One frame as a client sees it."""

    event: str | None
    data: dict[str, Any]


class SeenStream(NamedTuple):
    """What a client would put together from the frames."""

    text: str
    reasoning: str
    tools: tuple[tuple[str, Any], ...]
    """(name, parsed arguments) in order."""
    reason: str | None
    usage: dict[str, Any] | None


def frames_of(raw: bytes) -> list[SeenFrame]:
    """The frames; comments left out. Asserts that nothing is half."""
    text = raw.decode()
    assert not text or text.endswith(("\n\n", "\r\n\r\n")), "a block holds whole frames"
    found: list[SeenFrame] = []
    for part in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in part.split("\n") if line and not line.startswith(":")]
        if lines:
            fields = dict(line.split(": ", 1) for line in lines)
            assert fields["data"] != "[DONE]", "the terminator is the relay's to write"
            found.append(SeenFrame(fields.get("event"), json.loads(fields["data"])))
    return found


def assert_valid_stream(dialect: str, raw: bytes, events: Sequence[StreamEvent]) -> SeenStream:
    """Asserts the grammar of a complete stream and returns what it says."""
    assert sum(isinstance(event, Finished) for event in events) == 1, "one finish"
    assert sum(isinstance(event, Terminated) for event in events) <= 1, "at most one terminator"
    frames = frames_of(raw)
    if dialect == "openai.responses":
        return _responses(frames)
    return _anthropic(frames) if dialect == "anthropic.messages" else _openai(frames)


def _openai(frames: list[SeenFrame]) -> SeenStream:
    chunks = [frame.data for frame in frames]
    assert all(frame.event is None for frame in frames)
    # Azure tells its filter's results for the prompt in a chunk without a name and without choices.
    chunks = [chunk for chunk in chunks if chunk["id"] or chunk["choices"]]
    named = [(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks]
    assert len(set(named)) == 1, "one id, model and time"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all(type(chunk["created"]) is int for chunk in chunks)
    text, reasoning = "", ""
    calls: dict[int, list[str]] = {}
    reason: str | None = None
    usage: dict[str, Any] | None = None
    for place, chunk in enumerate(chunks):
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            assert reason is None, "nothing follows the finish but usage"
            delta = choice["delta"]
            assert place > 0 or delta.get("role") == "assistant", "the first chunk names the role"
            text += delta.get("content") or ""
            reasoning += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls") or ():
                if call["index"] not in calls:
                    assert call["id"] and call["function"]["name"] and call["type"] == "function"
                    assert call["index"] == len(calls)
                    calls[call["index"]] = [call["function"]["name"], ""]
                calls[call["index"]][1] += call["function"].get("arguments") or ""
            reason = choice.get("finish_reason")
    tools = tuple((name, json.loads(arguments or "{}")) for name, arguments in calls.values())
    return SeenStream(text, reasoning, tools, reason, usage)


def _anthropic(frames: list[SeenFrame]) -> SeenStream:
    frames = [frame for frame in frames if frame.event != "ping"]
    assert all(frame.event == frame.data["type"] for frame in frames), "event and type agree"
    kinds = [frame.data["type"] for frame in frames]
    assert kinds[0] == "message_start" and kinds[-1] == "message_delta"
    assert kinds.count("message_start") == kinds.count("message_delta") == 1
    message = frames[0].data["message"]
    assert message["id"] and message["model"] and message["role"] == "assistant" and message["content"] == []
    blocks: list[dict[str, Any]] = []
    is_open = False
    for frame in frames[1:-1]:
        data = frame.data
        match data["type"]:
            case "content_block_start":
                assert not is_open and data["index"] == len(blocks), "blocks come one after the other"
                blocks.append({**data["content_block"], "partial": ""})
                is_open = True
            case "content_block_delta":
                assert is_open and data["index"] == len(blocks) - 1
                _add(blocks[-1], data["delta"])
            case "content_block_stop":
                assert is_open and data["index"] == len(blocks) - 1
                is_open = False
            case other:
                raise AssertionError(f"unexpected {other}")
    assert not is_open, "every block is closed"
    end = frames[-1].data
    return SeenStream(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        tuple((b["name"], json.loads(b["partial"] or "{}")) for b in blocks if b["type"] == "tool_use"),
        end["delta"]["stop_reason"],
        {**(message["usage"]), **end["usage"]},
    )


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            assert block["type"] == "text"
            block["text"] += delta["text"]
        case "thinking_delta":
            assert block["type"] == "thinking"
            block["thinking"] += delta["thinking"]
        case "input_json_delta":
            assert block["type"] == "tool_use"
            block["partial"] += delta["partial_json"]
        case "signature_delta":
            assert block["type"] == "thinking"
        case other:
            raise AssertionError(f"unexpected {other}")


def seen_response(body: dict[str, Any]) -> SeenStream:
    """What a client reads out of a response object; its reason is its status, or why it is incomplete."""
    output = body["output"]
    texts = [
        part.get("text") or ""
        for item in output
        if item["type"] == "message"
        for part in item["content"]
        if part["type"] == "output_text"
    ]
    thoughts = [part["text"] for item in output if item["type"] == "reasoning" for part in item["summary"]]
    calls = [item for item in output if item["type"] == "function_call"]
    tools = tuple((item["name"], json.loads(item["arguments"] or "{}")) for item in calls)
    reason = (body.get("incomplete_details") or {}).get("reason") or body["status"]
    return SeenStream("".join(texts), "".join(thoughts), tools, reason, body["usage"])


def _responses(frames: list[SeenFrame]) -> SeenStream:
    events = [frame.data for frame in frames]
    kinds = [event["type"] for event in events]
    assert [frame.event for frame in frames] == kinds, "event and type agree"
    assert [event["sequence_number"] for event in events] == list(range(len(events))), "numbered in order"
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] in ("response.completed", "response.incomplete")
    assert len({event["response"]["id"] for event in events if "response" in event}) == 1, "one id"
    deltas: dict[int, str] = {}
    open_items: dict[int, str] = {}
    closed: list[dict[str, Any]] = []
    for event in events[2:-1]:
        place = event["output_index"]
        match event["type"].removeprefix("response."):
            case "output_item.added":
                assert place == len(open_items) + len(closed), "items come in the order of their places"
                open_items[place] = event["item"]["id"]
            case "output_item.done":
                assert open_items.pop(place) == event["item"]["id"], "an item keeps its id"
                closed.append(event["item"])
            case kind:
                assert place in open_items and event["item_id"] == open_items[place]
                if kind.endswith(".delta"):
                    deltas[place] = deltas.get(place, "") + event["delta"]
    last = events[-1]["response"]
    assert not open_items and sorted(map(str, closed)) == sorted(map(str, last["output"]))
    said = {place: _said(item) for place, item in enumerate(last["output"]) if _said(item)}
    assert deltas == said, "the pieces are the whole"
    return seen_response(last)


def _said(item: dict[str, Any]) -> str:
    match item["type"]:
        case "message":
            return "".join(part.get("text") or part.get("refusal") or "" for part in item["content"])
        case "reasoning":
            return "".join(part["text"] for part in item["summary"])
    return str(item.get("arguments") or item.get("input") or "")
