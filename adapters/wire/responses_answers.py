"""Whole answers in the Responses API's shape, and the items both they and streams are made of."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire import openai_pivot
from adapters.wire.pivot import Answer, Choice, Thought, ToolCall
from adapters.wire.responses_to_chat import sealed_call
from adapters.wire.responses_tools import Called, called_names, custom_input, shell_action
from adapters.wire.responses_usage import usage_object
from adapters.wire.seals import seal
from application.ports.llm import UpstreamCall
from domain.llm.usage import Usage

Json = dict[str, Any]

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
_FOREIGN_PREFIX: Final = re.compile(r"^(?:req_|resp_|chatcmpl-|msg_|gen-)")
_encode = msgspec.json.encode


class _Echo(Struct):
    """What a response repeats of its request. Items are skipped, however many there are."""

    instructions: Any = None
    max_output_tokens: Any = None
    max_tool_calls: Any = None
    metadata: Any = None
    parallel_tool_calls: Any = None
    prompt_cache_key: Any = None
    reasoning: Any = None
    safety_identifier: Any = None
    temperature: Any = None
    text: Any = None
    tool_choice: Any = None
    tools: list[Any] | None = None
    top_p: Any = None
    user: Any = None


_ECHO = msgspec.json.Decoder(_Echo)
_NOTHING: Final = _Echo()


class Sheet:
    """One response in the making: its id, what it repeats of the request, and how it names items."""

    __slots__ = ("_echo", "_items", "_previous", "base", "created", "model", "names")

    def __init__(self, call: UpstreamCall | None, answer_id: str = "", model: str = "") -> None:
        self._echo = _NOTHING if call is None else _ECHO.decode(call.request.body)
        self._previous = None if call is None else call.request.previous_response_id or None
        self._items = 0
        self.base = ""
        self.be_named((call.request_id if call else "") or answer_id)
        self.model = model or (call.target.model if call else "")
        self.created = 0
        self.names: Mapping[str, Called] = called_names(self._echo.tools or [])

    def be_named(self, known_as: str) -> None:
        """Takes its name from this id, unless it has one: our own request's before the provider's."""
        self.base = self.base or _FOREIGN_PREFIX.sub("", known_as)

    def response(
        self, status: str, output: list[Json], usage: Usage | None = None, reason: str | None = None
    ) -> Json:
        """The response object. `reason` says why it is incomplete."""
        echo = self._echo
        self.created = self.created or int(openai_pivot.wall_clock())
        return {
            "id": f"resp_{self.base}",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None if reason is None else {"reason": reason},
            "instructions": echo.instructions,
            "max_output_tokens": echo.max_output_tokens,
            "max_tool_calls": echo.max_tool_calls,
            "metadata": echo.metadata or {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": echo.parallel_tool_calls is not False,
            "previous_response_id": self._previous,
            "prompt_cache_key": echo.prompt_cache_key,
            "reasoning": echo.reasoning or {"effort": None, "summary": None},
            "safety_identifier": echo.safety_identifier,
            "service_tier": "default",
            # A provider reached by translation keeps nothing.
            "store": False,
            "temperature": echo.temperature,
            "text": echo.text or {"format": {"type": "text"}},
            "tool_choice": echo.tool_choice or "auto",
            "tools": echo.tools or [],
            "top_logprobs": 0,
            "top_p": echo.top_p,
            "truncation": "disabled",
            "usage": None if usage is None else usage_object(usage),
            "user": echo.user,
        }

    def item_id(self, prefix: str) -> str:
        """A new item's id; its prefix tells what it is, as OpenAI's do."""
        self._items += 1
        return f"{prefix}_{self.base}_{self._items}"

    def message(self, status: str, content: list[Json]) -> Json:
        """A message item, to be filled."""
        return {
            "id": self.item_id("msg"),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def reasoning(self, text: str, thought: Thought | None) -> Json:
        """A reasoning item: the text to show as its summary, its maker's marks sealed."""
        summary = [{"type": "summary_text", "text": text}] if text else []
        item: Json = {"id": self.item_id("rs"), "type": "reasoning", "summary": summary}
        if thought is not None:
            item["encrypted_content"] = seal([thought._replace(text=text)])
        return item

    def call_mark(self, call_id: str, extra: Json) -> Json:
        """The reasoning item that carries a vendor's marks on the call after it."""
        return self.reasoning("", None) | {"encrypted_content": seal([sealed_call(call_id, extra)])}

    def call(self, call: ToolCall, status: str) -> Json:
        """A call's item, of the kind of the tool that is called."""
        called = self.names.get(call.name)
        if called is not None and called.kind == "custom":
            item: Json = {
                "id": self.item_id("ctc"),
                "type": "custom_tool_call",
                "status": status,
                "call_id": call.id,
                "name": called.name,
                "input": custom_input(call.arguments) if call.arguments else "",
            }
        elif called is not None and called.kind == "local_shell":
            action = shell_action(call.arguments)
            return {
                "id": self.item_id("lsh"),
                "type": "local_shell_call",
                "status": status,
                "call_id": call.id,
                "action": action,
            }
        else:
            item = {
                "id": self.item_id("fc"),
                "type": "function_call",
                "status": status,
                "call_id": call.id,
                "name": call.name if called is None else called.name,
                "arguments": call.arguments,
            }
        if called is not None and called.namespace:
            item["namespace"] = called.namespace
        return item


def text_part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def refusal_part(text: str) -> Json:
    return {"type": "refusal", "refusal": text}


def status_of(reason: str) -> tuple[str, str | None]:
    """(status, why it is incomplete) of an answer that ended for this reason of the pivot."""
    why = _INCOMPLETE.get(reason)
    return ("completed", None) if why is None else ("incomplete", why)


def write_answer(answer: Answer) -> bytes:
    """A response to a request that is not known."""
    return _written(answer, None)


def answer_to(answer: Answer, call: UpstreamCall) -> bytes:
    """A response; only the first choice, because the shape has no more."""
    return _written(answer, call)


def _written(answer: Answer, call: UpstreamCall | None) -> bytes:
    sheet = Sheet(call, answer.id, answer.model)
    sheet.created = answer.created
    choice = answer.choices[0]
    status, why = status_of(choice.finish_reason)
    return _encode(sheet.response(status, _items(sheet, choice, status), answer.usage, why))


def _items(sheet: Sheet, choice: Choice, status: str) -> list[Json]:
    items = [sheet.reasoning(thought.text, thought) for thought in choice.thoughts]
    if choice.reasoning and not any(thought.text for thought in choice.thoughts):
        items.insert(0, sheet.reasoning(choice.reasoning, None))
    content = [text_part(choice.text)] if choice.text else []
    if choice.refusal:
        content.append(refusal_part(choice.refusal))
    if content or not choice.tool_calls:
        items.append(sheet.message(status, content or [text_part("")]))
    for call in choice.tool_calls:
        if call.extra:
            items.append(sheet.call_mark(call.id, call.extra))
        items.append(sheet.call(call, status))
    return items
