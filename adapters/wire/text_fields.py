"""The texts of every dialect's requests and answers; those of streams are in `text_frames`."""

import re
from typing import Any, Final

import msgspec

from adapters.wire.media_forms import is_form, read_parts
from adapters.wire.text_frames import frames_of
from adapters.wire.text_walk import TextWalk, is_word
from application.ports.text_fields import FrameTexts, TextFields, TextWork
from application.ports.wire import GEMINI_EMBEDDINGS, OPENAI_EMBEDDINGS, TOOLS
from domain.errors import InvalidRequest
from domain.privacy.policy import Where

_DECODER: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.encode
_NAME: Final = re.compile(rb'(?<!\\)(?:\\\\)*"[ \t\r\n]*:')
"""The end of a member's name: inside a string its quote would be escaped."""
_NUMBERS: Final = frozenset({OPENAI_EMBEDDINGS, GEMINI_EMBEDDINGS})
"""Dialects whose answers hold nothing but numbers."""
_FORM_WORDS: Final = frozenset({"response_format", "size", "quality", "n", "stream", "background"})
_SPOKEN: Final = ("text/", "application/x-subrip")


class DialectTexts(TextFields):
    """Stateless; one serves everybody."""

    def request(self, dialect: str, body: bytes, content_type: str, work: TextWork) -> bytes:
        if is_form(content_type):
            return _form(body, content_type, work)
        try:
            top = _object(body)
        except ValueError:
            raise InvalidRequest("the body is not a JSON object", param="body") from None
        return _rewritten(dialect, body, top, work, answer=False)

    def answer(self, dialect: str, body: bytes, content_type: str, work: TextWork) -> bytes:
        if dialect in _NUMBERS or not body:
            return body
        if content_type.startswith("application/json"):
            return _rewritten(dialect, body, _object(body), work, answer=True)
        if content_type.startswith(_SPOKEN):
            text = body.decode()
            said = work.whole(text, Where.ANSWERS, "body")
            return body if said is text else said.encode()
        return body  # sound and pictures

    def stream(self, dialect: str, work: TextWork) -> FrameTexts:
        return frames_of(dialect, work)


def _object(body: bytes) -> dict[str, Any]:
    """Raises ValueError for what is none."""
    try:
        top = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ValueError("no JSON") from None
    if type(top) is not dict:
        raise ValueError("no object")
    return top


def _rewritten(dialect: str, body: bytes, top: dict[str, Any], work: TextWork, *, answer: bool) -> bytes:
    walk = TextWalk(work, answer=answer)
    if dialect == TOOLS:
        walk.everything(top, Where.TOOL_RESULTS if answer else Where.TOOL_ARGUMENTS)
    else:
        walk.body(top)
    # A name that stands twice in an object was read once. Whoever reads the other one shall not get it.
    if walk.changed or (not answer and walk.keys != sum(1 for _ in _NAME.finditer(body))):
        return _encode(top)
    return body


def _form(body: bytes, content_type: str, work: TextWork) -> bytes:
    """Fields that are no files, and files that are texts by their type are left to what reads sound."""
    pieces: list[bytes | memoryview] = []
    view, at = memoryview(body), 0
    for part in read_parts(body, content_type):
        if part.filename is not None:
            said = work.whole(part.filename, Where.PROMPTS, f"{part.name}.filename")
            if said is not part.filename:
                work.unreadable(Where.PROMPTS, f"{part.name}.filename")
            continue
        if part.name == "model":
            continue
        try:
            text = body[part.start : part.end].decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"{part.name} is not valid UTF-8", param=part.name) from None
        if part.name in _FORM_WORDS and is_word(text):
            continue
        said = work.whole(text, Where.PROMPTS, part.name)
        if said is not text:
            pieces += [view[at : part.start], said.encode()]
            at = part.end
    return b"".join((*pieces, view[at:])) if pieces else body
