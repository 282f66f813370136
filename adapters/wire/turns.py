"""The messages of a body in each dialect of chats, as texts with who said them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from application.ports.turns import Turn, TurnReader
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES
from domain.llm.request import LlmRequest

BODY_BYTES_MAX: Final = 1024 * 1024
Json = dict[str, Any]


class WireTurns(TurnReader):
    """Reads what is there. A message of an unknown shape makes the whole unreadable, and not incomplete."""

    def turns(self, request: LlmRequest) -> Sequence[Turn] | None:
        read = _READERS.get(request.dialect)
        elsewhere = request.continues is not None or request.previous_response_id
        if read is None or elsewhere or len(request.body) > BODY_BYTES_MAX:
            return None
        try:
            found = list(read(msgspec.json.decode(request.body)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError, TypeError, KeyError):
            return None
        return found if found and all(map(_is_text, found)) else None


def _is_text(turn: Turn) -> bool:
    return all(isinstance(one, str) for one in (turn.text, turn.tool, *turn.calls))


class _Said(NamedTuple):
    text: str
    more: bool = False


def _chat(body: Json) -> Iterator[Turn]:
    names: dict[str, str] = {}
    for message in body["messages"]:
        role, said = message["role"], _content(message.get("content"))
        if role == "assistant":
            asked = [*(message.get("tool_calls") or ()), *_old_call(message)]
            called = [(call.get("id", ""), (call.get("function") or call)["name"]) for call in asked]
            names.update(called)
            yield Turn("assistant", said.text, calls=tuple(name for _, name in called), more=said.more)
        elif role in ("tool", "function"):
            name = message.get("name") or names.get(message.get("tool_call_id", ""), "")
            yield Turn("tool", said.text, tool=name, more=said.more)
        else:
            yield Turn(_WHO[role], said.text, more=said.more)


def _old_call(message: Json) -> list[Json]:
    call = message.get("function_call")
    return [] if call is None else [call]


def _messages(body: Json) -> Iterator[Turn]:
    names: dict[str, str] = {}
    if body.get("system"):
        yield Turn("instructions", _content(body["system"]).text)
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for result in (block for block in blocks if block["type"] == "tool_result"):
            said = _content(result.get("content"))
            yield Turn("tool", said.text, tool=names.get(result["tool_use_id"], ""), more=said.more)
        rest = [block for block in blocks if block["type"] not in ("tool_result", "tool_use")]
        called = {block["id"]: block["name"] for block in blocks if block["type"] == "tool_use"}
        names |= called
        if rest or called:
            said = _content(rest)
            who = _WHO[message["role"]]
            yield Turn(who, said.text, calls=tuple(called.values()), more=said.more)


def _responses(body: Json) -> Iterator[Turn]:
    names: dict[str, str] = {}
    if body.get("instructions"):
        yield Turn("instructions", body["instructions"])
    given = body["input"]
    if isinstance(given, str):
        yield Turn("user", given)
        return
    for item in given:
        kind = item.get("type", "message")
        if kind == "message":
            said = _content(item["content"])
            yield Turn(_WHO[item["role"]], said.text, more=said.more)
        elif kind == "function_call":
            names[item["call_id"]] = item["name"]
            yield Turn("assistant", "", calls=(item["name"],))
        elif kind == "function_call_output":
            said = _content(item["output"])
            yield Turn("tool", said.text, tool=names.get(item["call_id"], ""), more=said.more)
        elif kind != "reasoning":
            yield Turn("user", "", more=True)


def _generate(body: Json) -> Iterator[Turn]:
    instruction = body.get("systemInstruction") or body.get("system_instruction")
    if instruction:
        yield Turn("instructions", _parts(instruction["parts"]).text)
    for content in body["contents"]:
        parts = content["parts"]
        for result in (part["functionResponse"] for part in parts if "functionResponse" in part):
            told = json.dumps(result.get("response"), ensure_ascii=False)
            yield Turn("tool", told, tool=result["name"])
        rest = [part for part in parts if "functionResponse" not in part and "functionCall" not in part]
        called = tuple(part["functionCall"]["name"] for part in parts if "functionCall" in part)
        if rest or called:
            said = _parts(rest)
            yield Turn(_WHO[content.get("role", "user")], said.text, calls=called, more=said.more)


def _content(content: Any) -> _Said:
    """Of a message of OpenAI's or Anthropic's shape."""
    if content is None:
        return _Said("")
    if isinstance(content, str):
        return _Said(content)
    texts, more = [], False
    for part in content:
        kind = part["type"]
        if kind in _TEXTS:
            texts.append(part["text"] if "text" in part else part[kind])
        elif kind not in _THOUGHTS:
            more = True
    return _Said("\n".join(texts), more)


def _parts(parts: Sequence[Json]) -> _Said:
    """Of a content of Gemini's shape."""
    spoken = [part for part in parts if not part.get("thought")]
    more = any("text" not in part for part in spoken)
    return _Said("\n".join(part["text"] for part in spoken if "text" in part), more)


_WHO: Final = {
    "system": "instructions",
    "developer": "instructions",
    "user": "user",
    "assistant": "assistant",
    "model": "assistant",
}
_TEXTS: Final = frozenset({"text", "input_text", "output_text", "refusal"})
_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})
_READERS: Final[Mapping[str, Callable[[Json], Iterator[Turn]]]] = {
    OPENAI_CHAT: _chat,
    OPENAI_RESPONSES: _responses,
    ANTHROPIC_MESSAGES: _messages,
    GEMINI_GENERATE: _generate,
}
