"""One walk over every string of a body, whatever its dialect.

A name that is known to hold structure keeps the rules of structure for what is below it; below any other
name everything is text: values, long numbers and names alike. In structure, only what `text_names` lists is
skipped, and only while it looks like what it should be.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import Any, Final
from urllib.parse import quote, unquote

from adapters.wire.text_json import NUMBER_DIGITS_MIN, is_json, whole_json
from adapters.wire.text_names import FREE, MEDIA, OPAQUE, STRUCTURE, WORDS
from application.ports.text_fields import TextWork
from domain.privacy.policy import Where

FREE_IN: Final = {"tool_use": "input", "server_tool_use": "input", "mcp_tool_use": "input"}
_CALLS: Final = frozenset({"functionCall", "function_call", "tool_calls"})
_CALL_TYPES: Final = frozenset(
    {"tool_use", "server_tool_use", "mcp_tool_use", "function_call", "custom_tool_call", "mcp_call"}
    | {"code_interpreter_call", "web_search_call", "file_search_call", "computer_call", "local_shell_call"}
    | {"shell_call", "apply_patch_call", "mcp_approval_request"}
)
_LOGPROBS: Final = frozenset({"logprobs", "logprobsResult", "top_logprobs"})
_RESULTS: Final = frozenset({"functionResponse", "function_response"})
_WORD: Final = re.compile(r"[\w.:/+=,~\-\[\]*]{0,512}", re.ASCII)
_NUMBER: Final = re.compile(r"(?:[0-9][^0-9]{0,3}){6}")
"""People and their telephones have names too."""
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=_\-\r\n]{64,}")
_SEALED_BYTES: Final = re.compile(r"[A-Za-z0-9+/=_\-.:|\r\n]*")
_TEXTS: Final = re.compile(
    r"\s*(?:text/|application/(?:x-)?(?:json|xml|yaml|ndjson|jsonl|javascript|sql|sh)\b|[\w.-]+/[\w.-]+\+(?:xml|json)\b)",
    re.IGNORECASE,
)
_ONE_ALPHABET: Final = str.maketrans("-_", "+/", "\r\n \t")
_DATA_URL: Final = re.compile(r"data:([\w.+/-]*)((?:;[\w=.\-\"]+)*?)(;base64)?,", re.IGNORECASE)


class TextWalk:
    """One body. `keys` counts the names of all objects, to compare with those of the bytes."""

    def __init__(self, work: TextWork, *, answer: bool) -> None:
        self.keys = 0
        self.changed = False
        self._work = work
        self._answer = answer

    def body(self, top: dict[str, Any]) -> None:
        """Changes the decoded body in place."""
        self._object(top, Where.ANSWERS if self._answer else Where.PROMPTS, "", free=False)

    def everything(self, top: dict[str, Any], where: Where) -> None:
        """The same for a body of which nobody knows any names: all of it is text."""
        self._object(top, where, "", free=True)

    def value(self, value: Any, key: str, where: Where, path: str, *, free: bool) -> Any:
        """The value as it goes on; containers are changed in place."""
        kind = type(value)
        if kind is str:
            return self._text(value, key, where, path) if free else self._string(value, key, where, path)
        if kind is dict:
            self._object(value, where, path, free=free)
        elif kind is list:
            self._array(value, key, where, path, free=free)
        elif free and kind in (int, float):
            return self._figure(value, key, where, path)
        return value

    def _object(self, node: dict[str, Any], where: Where, path: str, *, free: bool) -> None:
        self.keys += len(node)
        kind = node.get("type") if not free else None
        if not free:
            where = _where(node, kind, where)
            if kind in ("thinking", "redacted_thinking"):
                self._thinking(node, where, path)
                return
        for key, value in list(node.items()):
            place = f"{path}.{key}" if path else key
            said = self._member(node, key, value, kind, where, place, free=free)
            if said is not value:
                node[key] = said
                self.changed = True
        if free or not self._known_names(node):
            self._names(node, where, path)

    def _member(
        self, node: dict[str, Any], key: str, value: Any, kind: Any, where: Where, place: str, *, free: bool
    ) -> Any:
        if free:
            return self.value(value, key, where, place, free=True)
        if type(value) is str:
            return self._named(node, key, value, kind, where, place)
        if self._answer and key in _LOGPROBS and self._work.hides_logprobs and value:
            return [] if type(value) is list and kind == "output_text" else None
        if key in _CALLS:
            where = Where.TOOL_ARGUMENTS
        elif key in _RESULTS:
            where = Where.TOOL_RESULTS
        open_ = key not in STRUCTURE or key in FREE or FREE_IN.get(str(kind)) == key
        if key == "response" and where is Where.TOOL_RESULTS:
            open_ = True
        if type(value) is list and value and type(value[0]) in (int, list) and key in ("input", "prompt"):
            self._tokens(value, where, place)
            return value
        if key == "logit_bias":
            return value
        return self.value(value, key, where, place, free=open_)

    def _array(self, items: list[Any], key: str, where: Where, path: str, *, free: bool) -> None:
        for index, item in enumerate(items):
            said = self.value(item, key, where, f"{path}[{index}]", free=free)
            if said is not item:
                items[index] = said
                self.changed = True

    def _named(self, node: dict[str, Any], key: str, value: str, kind: Any, where: Where, place: str) -> str:
        if key in ("arguments", "partial_json"):
            return whole_json(value, self._work, Where.TOOL_ARGUMENTS, place)
        if key in MEDIA:
            media = node.get("media_type") or node.get("mimeType") or node.get("mime_type") or ""
            if kind == "text":
                return self._text(value, "", where, place)
            return self._media(value, str(media), key, where, place)
        return self._string(value, key, where, place)

    def _string(self, value: str, key: str, where: Where, place: str) -> str:
        if key == "model" and place == key:
            return value  # whatever it is called: it was looked up already
        if key in OPAQUE and _SEALED_BYTES.fullmatch(value):
            return value
        if key in WORDS and _WORD.fullmatch(value) and not (key == "name" and _NUMBER.search(value)):
            return value
        if key in MEDIA:
            return self._media(value, "", key, where, place)
        return self._text(value, "" if key in STRUCTURE else key, where, place)

    def _text(self, value: str, key: str, where: Where, path: str) -> str:
        if where is Where.TOOL_RESULTS and is_json(value):
            return whole_json(value, self._work, where, path)
        return self._work.whole(value, where, path, f"{key}: " if key else "")

    def _media(self, value: str, media_type: str, key: str, where: Where, place: str) -> str:
        url = _DATA_URL.match(value)
        if url is not None:
            if not url[3]:
                return self._quoted(value, url.end(), where, place)
            return self._encoded(value, url.end(), where, place) if _is_text(url[1]) else value
        if key in ("url", "image_url", "fileUri", "file_uri"):
            return self._text(value, "", where, place)
        if _is_text(media_type):
            return self._encoded(value, 0, where, place)
        return value if _BASE64.fullmatch(value) else self._text(value, "", where, place)

    def _encoded(self, value: str, start: int, where: Where, place: str) -> str:
        """A text in base64, of either alphabet, behind `start`; what is none is read as it stands."""
        coded = value[start:].translate(_ONE_ALPHABET)
        try:
            text = b64decode(coded + "=" * (-len(coded) % 4), validate=True).decode()
        except (NotBase64, UnicodeDecodeError, ValueError):
            return self._text(value, "", where, place)
        said = self._text(text, "", where, place)
        return value if said is text else value[:start] + b64encode(said.encode()).decode()

    def _quoted(self, value: str, start: int, where: Where, place: str) -> str:
        """A text with percent signs, behind `start`."""
        text = unquote(value[start:])
        said = self._text(text, "", where, place)
        return value if said is text else value[:start] + quote(said)

    def _figure(self, value: float, key: str, where: Where, path: str) -> Any:
        if -(10 ** (NUMBER_DIGITS_MIN - 1)) < value < 10 ** (NUMBER_DIGITS_MIN - 1):
            return value
        text = str(value)
        said = self._work.whole(text, where, path, f"{key}: " if key else "")
        return value if said == text else said

    def _thinking(self, node: dict[str, Any], where: Where, path: str) -> None:
        """Signed thoughts are never rewritten: their maker would refuse them."""
        text = node.get("thinking")
        if type(text) is not str:
            return
        if node.get("signature") or self._answer:
            self._work.sealed(text, where, f"{path}.thinking")
            return
        said = self._work.whole(text, where, f"{path}.thinking")
        if said is not text:
            node["thinking"] = said
            self.changed = True

    def _tokens(self, value: list[Any], where: Where, path: str) -> None:
        first = value[0]
        if type(first) is int or (type(first) is list and first and type(first[0]) is int):
            self._work.unreadable(where, path)
            return
        self._array(value, "", where, path, free=False)

    @staticmethod
    def _known_names(node: dict[str, Any]) -> bool:
        return all(_WORD.fullmatch(name) is not None and len(name) <= 64 for name in node)

    def _names(self, node: dict[str, Any], where: Where, path: str) -> None:
        """Names of members say something too."""
        renamed = {name: self._work.whole(name, where, path) for name in node}
        if any(said is not name for name, said in renamed.items()):
            members = {renamed[name]: value for name, value in node.items()}
            node.clear()
            node.update(members)
            self.changed = True


def _where(node: dict[str, Any], kind: Any, where: Where) -> Where:
    role = node.get("role")
    if role in ("tool", "function"):
        return Where.TOOL_RESULTS
    if type(kind) is not str:
        return where
    if kind.endswith(("_output", "tool_result")):
        return Where.TOOL_RESULTS
    return Where.TOOL_ARGUMENTS if kind in _CALL_TYPES else where


def is_word(value: str) -> bool:
    """Whether it looks like an id or a word of an enumeration."""
    return _WORD.fullmatch(value) is not None


def _is_text(media_type: str) -> bool:
    return _TEXTS.match(media_type) is not None
