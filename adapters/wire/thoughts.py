"""Marked reasoning in pivot bodies: `reasoning_details` of an assistant message, one object per stretch.

The shape is the one OpenRouter made common: `reasoning.text` with a `signature`, `reasoning.encrypted` with
`data`, both with the `format` that names whose they are. Chat callers may send and get it; every family
takes its own stretches back out of it and leaves the others.
"""

from collections.abc import Iterable
from typing import Any, Final

from adapters.wire.pivot import Thought

FIELD: Final = "reasoning_details"
_FORMATS: Final[dict[str, str]] = {
    "anthropic": "anthropic-claude-v1",
    "openai": "openai-responses-v1",
    "gemini": "google-gemini-v1",
}
_FAMILIES: Final[dict[str, str]] = {name: family for family, name in _FORMATS.items()}


def details_of(thoughts: Iterable[Thought]) -> list[dict[str, Any]]:
    """The stretches as a message carries them."""
    return [_detail(thought, place) for place, thought in enumerate(thoughts)]


def _detail(thought: Thought, place: int) -> dict[str, Any]:
    detail: dict[str, Any] = {"format": _FORMATS.get(thought.family, "unknown"), "index": place}
    if thought.id:
        detail["id"] = thought.id
    if thought.sealed:
        detail |= {"type": "reasoning.encrypted", "data": thought.sealed}
        if thought.text:
            detail["summary"] = thought.text
    else:
        detail |= {"type": "reasoning.text", "text": thought.text}
        if thought.signature:
            detail["signature"] = thought.signature
    return detail


def thoughts_of(message: dict[str, Any]) -> list[Thought]:
    """The marked stretches of an assistant message, in order. Objects of other kinds are left out.

    Raises AttributeError or TypeError for a field of another type, as every reader of a body does.
    """
    found: list[Thought] = []
    for detail in message.get(FIELD) or ():
        family = _FAMILIES.get(detail.get("format") or "", "")
        own_id = detail.get("id") or ""
        match detail.get("type"):
            case "reasoning.text":
                text, signature = detail.get("text") or "", detail.get("signature") or ""
                found.append(Thought(text, family, signature, "", own_id))
            case "reasoning.encrypted":
                found.append(Thought(detail.get("summary") or "", family, "", detail["data"], own_id))
    return found
