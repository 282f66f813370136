"""The fields policies need of a `/v1/responses` body. Items of kinds not known here pass unread."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from adapters.wire.head_parts import BRACKET_ARRAY, capabilities, invalid, part_needs
from application.ports.wire import OPENAI_RESPONSES
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest, Operation

_JSON_NULL: Final = Raw(b"null")
_NULL_BYTE: Final = 0x6E
_QUOTE: Final = 0x22


class _Typed(Struct):
    type: str | None = None


class _Tool(Struct):
    type: str


class _Text(Struct):
    format: _Typed | None = None


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None


class _Item(Struct):
    type: str | None = None
    role: str | None = None
    content: Raw = _JSON_NULL
    output: Raw = _JSON_NULL


class _Head(Struct):
    model: Annotated[str, Meta(min_length=1, max_length=512)]
    input: Raw = _JSON_NULL
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None
    tools: list[_Tool] | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    previous_response_id: str | None = None
    conversation: Raw = _JSON_NULL
    prompt: Raw = _JSON_NULL
    store: bool | None = None
    background: bool | None = None
    service_tier: str | None = None


_HEAD = msgspec.json.Decoder(_Head)
_ITEMS = msgspec.json.Decoder(list[_Item])
_TEXT: Final = int(Capability.TEXT)
_STREAMING: Final = int(Capability.STREAMING)
_FUNCTION_CALLING: Final = int(Capability.FUNCTION_CALLING)
_STRUCTURED_OUTPUT: Final = int(Capability.STRUCTURED_OUTPUT)
_REASONING: Final = int(Capability.REASONING)
RUN_BY_CALLER: Final = frozenset({"function", "custom", "local_shell", "namespace"})
"""Kinds of tools that the caller runs itself; all others are run by a provider of this dialect."""
_MESSAGE: Final = frozenset({None, "message"})
_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})
_NO_EFFORT: Final = frozenset({None, "none"})
_USUAL_TIERS: Final = frozenset({None, "auto", "default"})


def read_responses(body: bytes, fields: frozenset[str]) -> LlmRequest:
    """The request in a `/v1/responses` body whose top-level names are `fields`.

    Raises InvalidRequest, or msgspec.ValidationError for a top-level field of a wrong type.
    """
    head = _HEAD.decode(body)
    needs = _TEXT | _input_needs(head)
    if head.tools:
        needs |= _FUNCTION_CALLING
    if head.text is not None and head.text.format is not None and head.text.format.type not in (None, "text"):
        needs |= _STRUCTURED_OUTPUT
    if head.reasoning is not None and head.reasoning.effort not in _NO_EFFORT:
        needs |= _REASONING
    if head.stream:
        needs |= _STREAMING
    if head.background and head.store is False:
        raise InvalidRequest("background: an answer to fetch later has to be stored", param="background")
    return LlmRequest(
        operation=Operation.CHAT,
        dialect=OPENAI_RESPONSES,
        model=head.model,
        body=body,
        stream=bool(head.stream),
        include_usage=True,
        max_output_tokens=head.max_output_tokens,
        needs=capabilities(needs),
        fields=fields,
        native_only=_native_only(head),
        # Events carry numbers and ids of what went before, which another answer cannot carry on.
        plain_text=False,
        previous_response_id=head.previous_response_id or "",
        store=head.store,
        background=bool(head.background),
        service_tier="" if head.service_tier in _USUAL_TIERS else head.service_tier or "",
    )


def _native_only(head: _Head) -> tuple[str, str] | None:
    """The first thing in it that no other provider could do, or look up.

    An agent with tools of its own can do without a provider's: it gets along with any target, and is told.
    """
    tools = head.tools or ()
    if not any(tool.type in RUN_BY_CALLER for tool in tools):
        for place, tool in enumerate(tools):
            return f"tools[{place}].type", tool.type
    if _given(head.prompt):
        return "prompt", "prompt"
    return ("conversation", "conversation") if _given(head.conversation) else None


def _given(raw: Raw) -> bool:
    return memoryview(raw)[0] != _NULL_BYTE


def _input_needs(head: _Head) -> int:
    """What the input items show. Raises InvalidRequest for no input, and for what is no list of items."""
    first = memoryview(head.input)[0]
    elsewhere = bool(head.previous_response_id) or _given(head.conversation) or _given(head.prompt)
    if first == _QUOTE:
        return 0
    if first != BRACKET_ARRAY:
        if first == _NULL_BYTE and (elsewhere or head.instructions):
            return 0
        what = "is required" if first == _NULL_BYTE else "a text or a list of items is expected"
        raise InvalidRequest(f"input: {what}", param="input")
    try:
        items = _ITEMS.decode(head.input)
    except msgspec.ValidationError as error:
        raise invalid(error, "input") from None
    if not items and not elsewhere:
        raise InvalidRequest("input: at least one item is required", param="input")
    needs = 0
    for place, item in enumerate(items):
        if item.type in _MESSAGE and item.role is not None:
            name, raw = "content", item.content
        elif item.type in _OUTPUTS:
            name, raw = "output", item.output
        else:
            continue  # of a kind whose inside is no business of ours
        if memoryview(raw)[0] == BRACKET_ARRAY:
            needs |= _part_needs(raw, f"input[{place}].{name}")
    return needs


def _part_needs(raw: Any, path: str) -> int:
    try:
        return part_needs(raw)
    except msgspec.ValidationError as error:
        raise invalid(error, path) from None
