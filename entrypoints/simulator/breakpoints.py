"""A prompt as a provider with marks sees it: what stands before each place, and which places are marked."""

from hashlib import blake2b
from typing import Any

from entrypoints.simulator.conversation import Breakpoint, Place, Prefix, Rejected

MARKS_MAX = 4
_UNMARKABLE = frozenset({"thinking", "redacted_thinking"})


class PrefixReader:
    """Takes a prompt part by part, in the order providers read it: tools, instructions, messages."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)
        self._size = 0
        self._places: list[Place] = []
        self._marks: list[Breakpoint] = []

    def add(self, text: str) -> None:
        """The next part."""
        part = text.encode("utf-8", "surrogatepass")
        self._hash.update(b"%d:" % len(part) + part)
        self._size += len(part)
        self._places.append(Place(self._size, self._hash.copy().digest()))

    def mark(self, block: dict[str, Any]) -> None:
        """Whether the part just added is marked.

        Raises:
            Rejected: it may not be, or there are too many.
        """
        control = block.get("cache_control")
        if not isinstance(control, dict):
            return
        if block.get("type") in _UNMARKABLE:
            raise _bad("thinking blocks cannot have cache_control")
        if block.get("type") == "text" and not str(block.get("text", "")).strip():
            raise _bad("cache_control cannot be set for empty text blocks")
        if control.get("type") != "ephemeral" or control.get("ttl", "5m") not in ("5m", "1h"):
            raise _bad("cache_control: Input should be ephemeral, for 5m or 1h")
        if self._places:
            self._marks.append(Breakpoint(len(self._places) - 1, control.get("ttl") == "1h"))
        if len(self._marks) > MARKS_MAX:
            raise _bad(f"A maximum of {MARKS_MAX} blocks with cache_control may be provided.")

    def read(self) -> Prefix:
        """The whole prompt."""
        return Prefix(tuple(self._places), tuple(self._marks))


def _bad(message: str) -> Rejected:
    return Rejected(400, message, kind="invalid_request_error")
