"""What of a body is billed otherwise than as its own text: pictures, sound, what it only refers to, and tools
that the provider runs.

Kinds that are not known here count as `outside`: nobody could say how much they are. Plain conversations are
not looked into: what is told apart here always stands in an object with a `type`, or in Gemini's parts.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.head_parts import BRACKET_ARRAY
from adapters.wire.responses_head import RUN_BY_CALLER
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_IMAGE_EDITS,
    OPENAI_MODERATIONS,
    OPENAI_RESPONSES,
)
from domain.llm.contents import PLAIN, Contents

EDITED_IMAGES_MAX: Final = 16
"""Pictures that one request to edit may name."""
_BRACE: Final = 0x7B
_NULL: Final = Raw(b"null")
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])
_TEXT: Final = msgspec.json.Decoder(Any)

_CHAT_TEXT: Final = frozenset({"text", "refusal"})
_MESSAGE_TEXT: Final = frozenset(
    {
        "text",
        "tool_use",
        "thinking",
        "redacted_thinking",
        "search_result",
        "server_tool_use",
        "tool_reference",
    }
    | {"web_search_tool_result", "web_search_result", "mcp_tool_use", "char_location", "page_location"}
)
_ITEM_TEXT: Final = frozenset(
    {"input_text", "output_text", "refusal", "text", "summary_text", "reasoning_text", "function_call"}
    | {"reasoning", "custom_tool_call", "local_shell_call", "local_shell_call_output", "compaction"}
    | {"web_search_call", "file_search_call", "mcp_call", "mcp_list_tools", "shell_call", "apply_patch_call"}
    | {"mcp_approval_request", "mcp_approval_response", "code_interpreter_call", "shell_call_output"}
    | {"apply_patch_call_output", "computer_call"}
)
_ITEM_PICTURES: Final = frozenset({"image_generation_call", "computer_call_output"})
_GEMINI_TEXT: Final = frozenset(
    {"text", "functionCall", "function_call", "functionResponse", "function_response", "thought"}
    | {"thoughtSignature", "thought_signature", "executableCode", "executable_code"}
    | {"codeExecutionResult", "code_execution_result"}
)
_GEMINI_MEDIA: Final = frozenset({"inlineData", "inline_data", "fileData", "file_data"})
_GEMINI_FUNCTIONS: Final = frozenset({"functionDeclarations", "function_declarations"})
_CLIENT_TOOLS: Final = ("bash_", "text_editor_", "computer_", "memory_")
_TOOLS_OF_CHAT: Final = frozenset({"function", "custom"})
_COMPUTER_TOOLS: Final = frozenset({"computer", "computer_use_preview", "apply_patch"})

_OUTSIDE_FIELDS: Final = ("previous_response_id", "conversation", "prompt", "cachedContent", "cached_content")
_PROVIDERS_FIELDS: Final = (
    "web_search_options",
    "search_parameters",
    "enable_search",
    "plugins",
    "models",
    "mcp_servers",
    "container",
)
"""Top-level fields by which a provider searches, runs things, or chooses a model itself."""
_COMPACTION: Final = b"compact"


class Tally:
    """Collects over one body; `said` is the result."""

    __slots__ = ("image_bytes", "images", "outside", "predicted_bytes", "run_by_provider", "sounds")

    def __init__(self) -> None:
        self.images = self.image_bytes = self.sounds = self.predicted_bytes = 0
        self.outside = self.run_by_provider = ""

    def picture(self, raw: Raw) -> None:
        self.images += 1
        self.image_bytes += len(memoryview(raw))

    def note_outside(self, what: str) -> None:
        self.outside = self.outside or what

    def note_provider(self, what: str) -> None:
        self.run_by_provider = self.run_by_provider or what

    def said(self, *, usual_tier: bool) -> Contents:
        return Contents(
            self.images,
            self.image_bytes,
            self.sounds,
            self.outside,
            self.run_by_provider,
            0,
            self.predicted_bytes,
            usual_tier,
        )


def contents_of(dialect: str, body: bytes, fields: frozenset[str]) -> Contents:
    """What the body, whose top-level names are `fields`, holds beside text. Never raises for a body that the
    dialect's reader took: what cannot be read counts as of unknown size."""
    usual_tier = "service_tier" in fields and _insists_on_usual_tier(body)
    read = _READERS.get(dialect)
    if read is None or not (read in _ALWAYS or _may_hold_more(body) or fields & SPECIAL_FIELDS):
        return _USUAL_TIER if usual_tier else PLAIN
    tally = Tally()
    try:
        top = _OBJECT.decode(body)
        read(tally, top)
        _note_fields(tally, top, dialect)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        tally.note_outside("a part that cannot be read")
    return tally.said(usual_tier=usual_tier)


def _may_hold_more(body: bytes) -> bool:
    """False: a conversation that is plain. An escape may hide the names that tell."""
    # Looking for one byte is many times as fast as for two, and most texts have no backslash.
    return b'"type"' in body or b'"audio"' in body or (b"\\" in body and b"\\u" in body)


_USUAL_TIER: Final = PLAIN._replace(usual_tier=True)


class _Tier(Struct):
    service_tier: Any = None


_TIER: Final = msgspec.json.Decoder(_Tier)


def _insists_on_usual_tier(body: bytes) -> bool:
    return _TIER.decode(body).service_tier in ("default", "standard_only")


def _note_fields(tally: Tally, top: dict[str, Raw], dialect: str) -> None:
    for name in _OUTSIDE_FIELDS:
        if name in top and not _empty(top[name]):
            tally.note_outside(name)
    for name in _PROVIDERS_FIELDS:
        if name in top and not _empty(top[name]):
            tally.note_provider(name)
    management = top.get("context_management")
    if management is not None and _COMPACTION in bytes(management):
        tally.note_provider("context_management")
    if dialect == OPENAI_CHAT and (prediction := top.get("prediction")) is not None:
        tally.predicted_bytes = len(memoryview(prediction))


def _empty(raw: Raw) -> bool:
    return bytes(raw) in (b"null", b"false", b'""', b"[]")


def _items(raw: Raw | None) -> Iterable[Raw]:
    """The items of an array; none of what is no array, such as a text."""
    if raw is None or memoryview(raw)[0] != BRACKET_ARRAY:
        return ()
    return _LIST.decode(raw)


def _object(raw: Raw) -> dict[str, Raw]:
    return _OBJECT.decode(raw) if memoryview(raw)[0] == _BRACE else {}


def _kind(fields: dict[str, Raw], default: str = "") -> str:
    raw = fields.get("type")
    kind = default if raw is None else _TEXT.decode(raw)
    return kind if isinstance(kind, str) else "?"


def _chat(tally: Tally, top: dict[str, Raw]) -> None:
    for raw in _items(top.get("messages")):
        message = _object(raw)
        if not _empty(message.get("audio", _NULL)):
            tally.note_outside("messages.audio")
        for part in _items(message.get("content")):
            _chat_part(tally, part)
    for tool in _items(top.get("tools")):
        if (kind := _kind(_object(tool), "function")) not in _TOOLS_OF_CHAT:
            tally.note_provider(f"the tool {kind}")


def _chat_part(tally: Tally, part: Raw) -> None:
    kind = _kind(_object(part), "text")
    if kind in ("image_url", "image", "input_image"):
        tally.picture(part)
    elif kind == "input_audio":
        tally.sounds += 1
    elif kind not in _CHAT_TEXT:
        tally.note_outside(f"a part of type {kind}")


def _messages(tally: Tally, top: dict[str, Raw]) -> None:
    for raw in _items(top.get("messages")):
        for part in _items(_object(raw).get("content")):
            _message_part(tally, part)
    for part in _items(top.get("system")):
        _message_part(tally, part)
    for tool in _items(top.get("tools")):
        kind = _kind(_object(tool), "custom")
        if kind != "custom" and not kind.startswith(_CLIENT_TOOLS):
            tally.note_provider(f"the tool {kind}")


def _message_part(tally: Tally, part: Raw) -> None:
    fields = _object(part)
    kind = _kind(fields, "text")
    if kind == "image":
        tally.picture(part)
    elif kind == "tool_result":
        for inner in _items(fields.get("content")):
            _message_part(tally, inner)
    elif kind == "document":
        source = _object(fields.get("source", _NULL))
        if (form := _kind(source)) == "content":
            for inner in _items(source.get("content")):
                _message_part(tally, inner)
        elif form != "text":
            tally.note_outside("a document")
    elif kind not in _MESSAGE_TEXT:
        tally.note_outside(f"a part of type {kind}")


def _responses(tally: Tally, top: dict[str, Raw]) -> None:
    for raw in _items(top.get("input")):
        _response_item(tally, raw)
    for tool in _items(top.get("tools")):
        kind = _kind(_object(tool), "?")
        if kind not in RUN_BY_CALLER and kind not in _COMPUTER_TOOLS:
            tally.note_provider(f"the tool {kind}")


def _response_item(tally: Tally, raw: Raw) -> None:
    fields = _object(raw)
    kind = _kind(fields, "message" if "role" in fields else "?")
    if kind in _ITEM_PICTURES or kind in ("input_image", "computer_screenshot"):
        tally.picture(raw)
    elif kind == "input_audio":
        tally.sounds += 1
    elif kind in ("message", "function_call_output", "custom_tool_call_output"):
        for part in _items(fields.get("content" if kind == "message" else "output")):
            _response_item(tally, part)
    elif kind not in _ITEM_TEXT:
        tally.note_outside(f"an item of type {kind}")


def _gemini(tally: Tally, top: dict[str, Raw]) -> None:
    for raw in _items(top.get("contents")):
        _gemini_content(tally, raw)
    for name in ("systemInstruction", "system_instruction"):
        if name in top:
            _gemini_content(tally, top[name])
    for tool in _items(top.get("tools")):
        for kind in _object(tool).keys() - _GEMINI_FUNCTIONS:
            tally.note_provider(f"the tool {kind}")


def _gemini_content(tally: Tally, raw: Raw) -> None:
    for part in _items(_object(raw).get("parts")):
        for name, value in _object(part).items():
            if name in _GEMINI_MEDIA:
                _gemini_media(tally, part, value)
            elif name not in _GEMINI_TEXT and name not in (
                "videoMetadata",
                "video_metadata",
                "mediaResolution",
            ):
                tally.note_outside(f"a part {name}")
            elif name.startswith("function") and any(mark.encode() in bytes(value) for mark in _GEMINI_MEDIA):
                tally.note_outside("media in a function's response")


def _gemini_media(tally: Tally, part: Raw, value: Raw) -> None:
    media = _object(value)
    raw = media.get("mimeType", media.get("mime_type", _NULL))
    kind = _TEXT.decode(raw)
    if isinstance(kind, str) and kind.lower().startswith("image/"):
        tally.picture(part)
    else:
        tally.note_outside(f"media of type {kind}")


def _gemini_vectors(tally: Tally, top: dict[str, Raw]) -> None:
    if "content" in top:
        _gemini_content(tally, top["content"])
    for raw in _items(top.get("requests")):
        _gemini_content(tally, _object(raw).get("content", _NULL))


def _moderation(tally: Tally, top: dict[str, Raw]) -> None:
    for part in _items(top.get("input")):
        if memoryview(part)[0] == _BRACE:
            _chat_part(tally, part)


def _edits(tally: Tally, top: dict[str, Raw]) -> None:  # noqa: ARG001 - the signature of all of them
    tally.images = EDITED_IMAGES_MAX


_Reader = Callable[[Tally, dict[str, Raw]], None]
_READERS: Final[dict[str, _Reader]] = {
    OPENAI_CHAT: _chat,
    ANTHROPIC_MESSAGES: _messages,
    OPENAI_RESPONSES: _responses,
    GEMINI_GENERATE: _gemini,
    GEMINI_EMBEDDINGS: _gemini_vectors,
    OPENAI_MODERATIONS: _moderation,
    OPENAI_IMAGE_EDITS: _edits,
}
_ALWAYS: Final[frozenset[_Reader]] = frozenset({_gemini, _gemini_vectors, _edits, _responses})
SPECIAL_FIELDS: Final = frozenset((*_OUTSIDE_FIELDS, *_PROVIDERS_FIELDS, "prediction", "context_management"))
"""Top-level fields that may say more than the conversation shows."""
