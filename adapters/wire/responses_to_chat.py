"""Requests of the Responses API said in the pivot, for providers that only chat."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.wire.body_shapes import ANY, ByType, Shape
from adapters.wire.pivot import Thought
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.responses_tools import LOCAL_SHELL, arguments_of, choice_of, function_name, functions_of
from adapters.wire.seals import unseal
from adapters.wire.thoughts import FIELD, details_of
from application.ports.wire import GEMINI_GENERATE
from domain.catalog.tags import KEEPS_ANSWERS_TAG
from domain.llm.capabilities import Capability
from domain.routing.target import tagged

_DECIDED_HERE: Final = "messages"
"""Stands for fields that this translation answers itself; every provider keeps messages."""
CHAT_COUNTERPARTS: Final[dict[str, str]] = {
    "model": "model",
    "input": "messages",
    "instructions": "messages",
    "stream": "stream",
    "max_output_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tool_calls",
    "text": "response_format",
    "reasoning": "reasoning_effort",
    "user": "user",
    "service_tier": "service_tier",
    "prompt_cache_key": "prompt_cache_key",
    "safety_identifier": "safety_identifier",
    **dict.fromkeys(
        (
            "metadata",
            "store",
            "background",
            "include",
            "stream_options",
            "truncation",
            "previous_response_id",
            "conversation",
            "prompt",
        ),
        _DECIDED_HERE,
    ),
}
"""A field of this dialect -> the chat field that says the same."""

CALL_MARK: Final = "call"
"""The family of a sealed stretch that holds a vendor's marks on one call, not reasoning."""
_SAME: Final = (
    "temperature",
    "top_p",
    "stream",
    "user",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
)
_TURNED_INTO_CALLS: Final = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})
_UNREADABLE: Final = frozenset({"item_reference", "compaction"})
"""They stand for a part of the conversation that only one account can look up or read."""


def _names(names: str, **inner: Shape) -> dict[str, Any]:
    return {**dict.fromkeys(names.split(), ANY), **inner}


_PARTS: Final = ByType(
    {
        **dict.fromkeys(("input_text", "output_text", "text"), _names("type text annotations logprobs")),
        "refusal": _names("type refusal"),
        "input_image": _names("type image_url file_id detail"),
        "input_file": _names("type file_data file_id file_url filename"),
        "input_audio": _names("type", input_audio=_names("data format")),
    }
)
_MESSAGE: Final = _names("type role id status phase", content=_PARTS)
_OUTPUT: Final = _names("type id call_id status name namespace", output=_PARTS)
KNOWN: Final[Mapping[str, Any]] = {
    "input": ByType(
        {
            **dict.fromkeys(("message", "None"), _MESSAGE),
            **dict.fromkeys(_OUTPUTS, _OUTPUT),
            "function_call": _names("type id call_id name namespace arguments status"),
            "custom_tool_call": _names("type id call_id name namespace input status"),
            "local_shell_call": _names("type id call_id action status"),
            "reasoning": _names("type id summary content encrypted_content status"),
        }
    ),
    "tools": ByType({"function": _names("type name description parameters strict")}),
    "text": _names("", format=_names("type name description schema strict")),
    "reasoning": _names("effort summary generate_summary"),
    "stream_options": _names("include_obfuscation"),
}
"""Nested names that are understood below; others are reported as dropped."""


def to_chat(body: Json, draft: Draft) -> Json:
    """The chat body. Raises UpstreamFailed (CALLER_FAULT) for what no other provider can do or look up."""
    _refuse_state(body, draft)
    conversation = _Conversation(draft)
    if body.get("instructions"):
        conversation.say("system", body["instructions"])
    given = body.get("input") or []
    if isinstance(given, str):
        conversation.say("user", given)
    else:
        for place, item in enumerate(given):
            conversation.add(item, f"input[{place}]")
    chat: Json = {"model": body["model"], "messages": conversation.end()}
    for name in _SAME:
        if body.get(name) is not None:
            chat[name] = body[name]
    if body.get("max_output_tokens"):
        chat["max_tokens"] = body["max_output_tokens"]
    if body.get("tools"):
        chat["tools"] = functions_of(body["tools"], draft)
        if body.get("tool_choice"):
            chat["tool_choice"] = choice_of(body["tool_choice"], draft)
        if body.get("parallel_tool_calls") is not None:
            chat["parallel_tool_calls"] = body["parallel_tool_calls"]
    _add_format(chat, (body.get("text") or {}).get("format") or {})
    _add_effort(chat, body.get("reasoning") or {}, draft)
    return chat


def _refuse_state(body: Json, draft: Draft) -> None:
    """What only a provider that keeps answers can do, and small wishes about the answer's form."""
    for name in ("previous_response_id", "conversation", "prompt"):
        if body.get(name):
            raise draft.refuse(f"{name}: refers to what only the account that keeps it can look up")
    if body.get("background"):
        raise draft.refuse("background: the provider this goes to answers at once; leave it out or say false")
    if body.get("store") and tagged(draft.call.target, KEEPS_ANSWERS_TAG):
        # It was chosen because it keeps answers, and turned out to have no such endpoint.
        raise draft.refuse("store: the provider this goes to keeps no answers; leave it out or say false")
    for wish in body.get("include") or ():
        if wish != "reasoning.encrypted_content":
            draft.drop(f"include.{wish}")
    if body.get("truncation") not in (None, "disabled"):
        draft.drop("truncation")


def _add_format(chat: Json, form: Json) -> None:
    match form.get("type"):
        case "json_schema":
            names = ("name", "description", "schema", "strict")
            schema = {name: form[name] for name in names if form.get(name) is not None}
            chat["response_format"] = {"type": "json_schema", "json_schema": schema}
        case "json_object":
            chat["response_format"] = {"type": "json_object"}


def _add_effort(chat: Json, reasoning: Json, draft: Draft) -> None:
    effort = reasoning.get("effort")
    if effort is None:
        return
    if Capability.REASONING not in draft.call.target.offering.capabilities:
        if effort != "none":
            draft.drop("reasoning.effort")
        return
    chat["reasoning_effort"] = effort


class _Conversation:
    """Items in order become messages: what the model said in one turn is one message, its calls included.

    Pictures in the outputs of tools follow as a message of the user's, for only text fits a tool's message.
    """

    __slots__ = ("_draft", "_marks", "_messages", "_seen", "_turn")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._messages: list[Json] = []
        self._turn: Json | None = None
        self._seen: list[Json] = []
        self._marks: dict[str, Json] = {}

    def end(self) -> list[Json]:
        """All messages. Refuses a conversation without any."""
        self._close()
        if not self._messages:
            raise self._draft.refuse("input: at least one message is required")
        return self._messages

    def say(self, role: str, content: Any) -> None:
        self._close()
        if content:
            self._messages.append({"role": role, "content": content})

    def add(self, item: Json, path: str) -> None:
        """Raises UpstreamFailed for an item that stands for something nobody here can look up."""
        kind = item.get("type") or ("message" if "role" in item else "item_reference")
        if kind == "message":
            self._message(item, path)
        elif kind in _TURNED_INTO_CALLS:
            self._call(item)
        elif kind in _OUTPUTS:
            self._result(item, path)
        elif kind == "reasoning":
            self._reasoning(item)
        elif kind in _UNREADABLE:
            raise self._draft.refuse(
                f"{path}: {kind!r} stands for what only the account that made it can read"
            )
        else:
            self._draft.drop(f"input.{kind}")

    def _message(self, item: Json, path: str) -> None:
        role = item.get("role") or "user"
        content = item.get("content")
        parts = content if isinstance(content, str) else [self._part(part, path) for part in content or ()]
        if role == "assistant":
            self._say_as_model(parts)
        else:
            # `developer` is the newer name of `system`, which not every server knows.
            self.say("system" if role == "developer" else role, _simplest(parts))

    def _say_as_model(self, parts: str | list[Json]) -> None:
        if not isinstance(parts, str):
            refusals = [part["refusal"] for part in parts if part["type"] == "refusal"]
            parts = "".join(part.get("text") or "" for part in parts) or "".join(refusals)
        if not parts:
            return
        turn = self._turn
        if turn is not None and turn["content"] and not turn.get("tool_calls"):
            self._close()
            turn = None
        turn = turn or self._open()
        turn["content"] = f"{turn['content']}\n\n{parts}" if turn["content"] else parts

    def _call(self, item: Json) -> None:
        turn = self._turn or self._open()
        name = LOCAL_SHELL if item["type"] == "local_shell_call" else function_name(item)
        call_id = item.get("call_id") or item["id"]
        call: Json = {
            "id": call_id,
            "type": "function",
            "function": {"name": name, "arguments": arguments_of(item)},
        }
        if call_id in self._marks:
            call["extra_content"] = self._marks.pop(call_id)
        turn.setdefault("tool_calls", []).append(call)

    def _result(self, item: Json, path: str) -> None:
        output = item.get("output")
        text = output
        seen: list[Json] = []
        if not isinstance(output, str):
            parts = [self._part(part, path) for part in output or ()]
            seen = [part for part in parts if part["type"] != "text"]
            text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        pending, self._seen = self._seen, []
        self._close()
        self._seen = pending + seen
        call_id = item.get("call_id") or item["id"]
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": text})

    def _reasoning(self, item: Json) -> None:
        """Reasoning with its maker's marks goes back to the maker; any other says nothing to anybody here."""
        text = "\n\n".join(part["text"] for part in item.get("summary") or () if part.get("text"))
        sealed = item.get("encrypted_content") or ""
        thoughts = unseal(sealed) or []
        for thought in thoughts:
            if thought.family == CALL_MARK and self._draft.upstream_dialect == GEMINI_GENERATE:
                self._marks[thought.id] = msgspec.json.decode(thought.signature)
            elif thought.family != CALL_MARK and text in ("", thought.text):
                turn = self._turn or self._open()
                turn.setdefault(FIELD, []).extend(details_of([thought]))
            else:
                self._draft.drop("input.reasoning")
        if not thoughts and (text or sealed):
            self._draft.drop("input.reasoning")

    def _open(self) -> Json:
        self._close()
        self._turn = {"role": "assistant", "content": None}
        return self._turn

    def _close(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            if turn["content"] or turn.get("tool_calls"):
                self._messages.append(turn)
            else:
                # Thinking that led to nothing is no turn of its own anywhere.
                self._draft.drop("input.reasoning")
        seen, self._seen = self._seen, []
        if seen:
            self._messages.append({"role": "user", "content": seen})

    def _part(self, part: Json, path: str) -> Json:
        match part.get("type"):
            case "input_text" | "output_text" | "text":
                return {"type": "text", "text": part["text"]}
            case "refusal":
                return {"type": "refusal", "refusal": part["refusal"]}
            case "input_image":
                return self._image(part, path)
            case "input_file":
                return self._file(part, path)
            case "input_audio":
                return {"type": "input_audio", "input_audio": part["input_audio"]}
        raise self._draft.refuse(f"{path}: this provider takes no content of type {part.get('type')!r}")

    def _image(self, part: Json, path: str) -> Json:
        if not part.get("image_url"):
            raise self._draft.refuse(f"{path}: a picture by id belongs to another account; send its data")
        image: Json = {"url": part["image_url"]}
        if part.get("detail") not in (None, "auto"):
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image}

    def _file(self, part: Json, path: str) -> Json:
        if not part.get("file_data"):
            raise self._draft.refuse(f"{path}: a file by id or address is not looked up here; send its data")
        file: Json = {"file_data": part["file_data"]}
        if part.get("filename"):
            file["filename"] = part["filename"]
        return {"type": "file", "file": file}


def _simplest(parts: str | list[Json]) -> Any:
    """A plain text where the content is one text: more servers understand it."""
    if isinstance(parts, list) and len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return parts


def sealed_call(call_id: str, extra: Json) -> Thought:
    """A vendor's marks on a call, as the stretch that carries them through a reasoning item."""
    return Thought("", CALL_MARK, msgspec.json.encode(extra).decode(), "", call_id)
