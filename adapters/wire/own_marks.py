"""Vendor marks that Interchange itself left in a chat, and how they come out again.

Translated answers carry other families' marks to chat callers (`reasoning_details`, `extra_content`), who
send them back. A provider that speaks OpenAI's shape would refuse those; its own fields of the same names
must reach it untouched, so ours say whose they are.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw

BY: Final = "interchange-mark"
BY_BYTES: Final = BY.encode()
_MARKED: Final = ("reasoning_details", "extra_content")


def marked(value: dict[str, Any]) -> dict[str, Any]:
    """The object, saying that it is ours."""
    return {**value, "by": BY}


def without_own_marks(messages: Raw) -> Raw:
    """The same messages without what `marked` made; everything else keeps its meaning and order."""
    kept = msgspec.json.decode(messages)
    for message in kept:
        if not isinstance(message, dict):
            continue
        _clean(message)
        for call in message.get("tool_calls") or ():
            if isinstance(call, dict):
                _clean(call)
    return Raw(msgspec.json.encode(kept))


def _clean(holder: dict[str, Any]) -> None:
    for name in _MARKED:
        value = holder.get(name)
        if isinstance(value, list):
            left = [item for item in value if not _is_ours(item)]
            if left:
                holder[name] = left
            elif value:
                del holder[name]
        elif _is_ours(value):
            del holder[name]


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and value.get("by") == BY
