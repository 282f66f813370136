"""Bodies of the Responses API, as far as they speak of things that are kept."""

from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.contents import contents_of
from adapters.wire.head_parts import invalid
from adapters.wire.responses_usage import ResponsesUsage, usage_of
from adapters.wire.seals import SEAL
from adapters.wire.sse import SseSplitter
from application.ports.answer_reading import (
    SEALED_PREFIX,
    AnswerReading,
    AnswerWatch,
    References,
    SeenAnswer,
)
from application.ports.wire import OPENAI_RESPONSES
from domain.llm.contents import Contents

_DIGEST_CHARS: Final = 32
_ITEMS_MAX: Final = 128
"""Output items of one answer that are remembered; nobody refers to more."""
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_ITEMS = msgspec.json.Decoder(list[Raw])
_encode = msgspec.json.encode
_WHOLE: Final = tuple(
    b'"response.%b"' % name
    for name in (b"created", b"queued", b"in_progress", b"completed", b"incomplete", b"failed", b"cancelled")
)
"""Events that hold a whole response object."""


_JSON_NULL: Final = Raw(b"null")


class _Item(Struct):
    type: str | None = None
    id: str | None = None
    role: str | None = None
    encrypted_content: str | None = None
    result: Raw = _JSON_NULL


class _Head(Struct):
    input: Raw = Raw(b"null")
    conversation: Raw = Raw(b"null")


class _Error(Struct):
    code: str | None = None


class _Response(Struct):
    id: str
    object: str = "response"
    store: bool | None = None
    status: str | None = None
    output: list[_Item] | None = None
    usage: ResponsesUsage | None = None
    error: _Error | None = None


class _Event(Struct):
    type: str = ""
    response: Raw = Raw(b"null")


class _Kept(Struct):
    """A kept exchange: what was said before it, what it was asked, what it answered."""

    history: list[Raw]
    input: list[Raw]
    response: Raw


_HEAD = msgspec.json.Decoder(_Head)
_ITEM = msgspec.json.Decoder(_Item)
_TYPED_ITEMS = msgspec.json.Decoder(list[_Item])
_RESPONSE = msgspec.json.Decoder(_Response)
_EVENT = msgspec.json.Decoder(_Event)
_KEPT = msgspec.json.Decoder(_Kept)


class ResponsesReading(AnswerReading):
    """Stateless. Undecodable parts count as saying nothing: who reads them for real will tell."""

    def references(self, body: bytes) -> References:
        # Read as the provider would, never searched: an escaped or spaced spelling must not slip through.
        try:
            head = _HEAD.decode(body)
            given = _TYPED_ITEMS.decode(head.input) if bytes(head.input)[:1] == b"[" else []
        except msgspec.ValidationError as error:
            raise invalid(error, "input") from None
        items: list[str] = []
        reasoning: list[str] = []
        sealed: list[str] = []
        for item in given:
            if item.type == "item_reference" or _stands_for_kept(item):
                items.append(item.id or "")
            elif item.type == "reasoning":
                if item.encrypted_content and not item.encrypted_content.startswith(SEAL):
                    sealed.append(_digest(item.encrypted_content))
                elif not item.encrypted_content and item.id:
                    reasoning.append(item.id)
        return References(
            tuple(items),
            tuple(reasoning),
            tuple(sealed),
            bytes(head.conversation) != b"null",
        )

    def without(self, body: bytes, ids: Collection[str]) -> bytes:
        fields: dict[str, Any] = _FIELDS.decode(body)
        fields["input"] = [raw for raw in _items_of(fields.get("input")) if not _is_one_of(raw, ids)]
        return _encode(fields)

    def contents(self, body: bytes, fields: frozenset[str]) -> Contents:
        return contents_of(OPENAI_RESPONSES, body, fields)

    def seen(self, body: bytes) -> SeenAnswer | None:
        try:
            response = _RESPONSE.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        items = (response.output or [])[:_ITEMS_MAX]
        return SeenAnswer(
            response.id,
            response.store is not False,
            response.status or "",
            tuple(item.id for item in items if item.id),
            tuple(
                _digest(item.encrypted_content)
                for item in items
                if item.encrypted_content and not item.encrypted_content.startswith(SEAL)
            ),
            usage_of(response.usage),
            (response.error.code or "error") if response.error is not None else "",
            body,
        )

    def watch(self) -> AnswerWatch:
        return _Watch(self.seen)

    def as_kept(self, raw: bytes) -> bytes:
        if raw.lstrip()[:1] == b"{":
            return _with_store(raw) or raw
        if not any(mark in raw for mark in _WHOLE):
            return raw
        splitter = SseSplitter()
        frames = splitter.feed(raw)
        if sum(len(frame.raw) for frame in frames) != len(raw):
            return raw  # not whole frames: better unmarked than with a byte missing
        return b"".join(_frame_as_kept(frame.raw, frame.event, frame.data) for frame in frames)

    def content(self, request_body: bytes, history: bytes | None, answer: bytes) -> bytes:
        fields: dict[str, Raw] = _FIELDS.decode(request_body)
        before = [] if history is None else _said_in(history)
        return _encode(_Kept(before, _items_of(fields.get("input")), Raw(answer)))

    def expanded(self, body: bytes, content: bytes) -> bytes:
        fields: dict[str, Any] = _FIELDS.decode(body)
        fields.pop("previous_response_id", None)
        fields["input"] = [*_said_in(content), *_items_of(fields.get("input"))]
        return _encode(fields)

    def answer_of(self, content: bytes) -> bytes:
        return bytes(_KEPT.decode(content).response)

    def input_page(self, content: bytes, *, order: str, limit: int, after: str) -> bytes:
        kept = _KEPT.decode(content)
        items = [_listed(raw, place) for place, raw in enumerate([*kept.history, *kept.input])]
        if order != "asc":
            items.reverse()
        ids = [item["id"] for item in items]
        start = ids.index(after) + 1 if after in ids else 0
        page = items[start : start + limit]
        return _encode(
            {
                "object": "list",
                "data": page,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
                "has_more": start + limit < len(items),
            }
        )


def _stands_for_kept(item: _Item) -> bool:
    """Whether an item's id stands for what its account keeps, by no name or as an image without its data."""
    if not item.id:
        return False
    if item.type == "image_generation_call":
        return bytes(memoryview(item.result)[:4]) in (b"null", b'""')
    return item.type is None and item.role is None


class _Watch(AnswerWatch):
    def __init__(self, seen: Callable[[bytes], SeenAnswer | None]) -> None:
        self._splitter = SseSplitter()
        self._seen = seen

    def feed(self, raw: bytes) -> SeenAnswer | None:
        newest: SeenAnswer | None = None
        for frame in self._splitter.feed(raw):
            if frame.data is None or not any(mark in frame.data for mark in _WHOLE):
                continue
            try:
                event = _EVENT.decode(frame.data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            newest = self._seen(bytes(event.response)) or newest
        return newest


def _digest(encrypted: str) -> str:
    return SEALED_PREFIX + sha256(encrypted.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]


def _items_of(given: Raw | None) -> list[Raw]:
    """The input as items; a bare text is a message of the user."""
    if given is None:
        return []
    first = bytes(given)[:1]
    if first == b'"':
        return [Raw(b'{"type":"message","role":"user","content":' + bytes(given) + b"}")]
    return _ITEMS.decode(given) if first == b"[" else []


def _item(raw: Raw) -> _Item | None:
    try:
        return _ITEM.decode(raw)
    except msgspec.DecodeError:
        return None


def _is_one_of(raw: Raw, ids: Collection[str]) -> bool:
    item = _item(raw)
    if item is None or item.type != "reasoning":
        return False
    if item.encrypted_content:
        return _digest(item.encrypted_content) in ids
    return item.id in ids


def _said_in(content: bytes) -> list[Raw]:
    """Everything said up to and with a kept answer, as input items."""
    kept = _KEPT.decode(content)
    response: dict[str, Raw] = _FIELDS.decode(kept.response)
    output = _items_of(response.get("output"))
    return [*kept.history, *kept.input, *(_as_input(raw) for raw in output)]


def _as_input(raw: Raw) -> Raw:
    """An output item as a later input: ids mean nothing to whoever has not made them."""
    fields: dict[str, Any] = _FIELDS.decode(raw)
    for name in ("id", "status"):
        fields.pop(name, None)
    return Raw(_encode(fields))


def _listed(raw: Raw, place: int) -> dict[str, Any]:
    item: dict[str, Any] = msgspec.json.decode(raw)
    item.setdefault("type", "message")
    item.setdefault("id", f"item_{place}")
    if isinstance(item.get("content"), str):
        kind = "output_text" if item.get("role") == "assistant" else "input_text"
        part: dict[str, Any] = {"type": kind, "text": item["content"]}
        item["content"] = [part | {"annotations": []} if kind == "output_text" else part]
    return item


def _with_store(body: bytes) -> bytes | None:
    try:
        fields: dict[str, Any] = _FIELDS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    fields["store"] = True
    return _encode(fields)


def _frame_as_kept(raw: bytes, event: str | None, data: bytes | None) -> bytes:
    if data is None or not any(mark in data for mark in _WHOLE):
        return raw
    try:
        fields: dict[str, Any] = _FIELDS.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw
    response = _with_store(bytes(fields.get("response", b"")))
    if response is None:
        return raw
    fields["response"] = Raw(response)
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    return head + b"data: " + _encode(fields) + b"\n\n"
