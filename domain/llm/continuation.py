"""Finishing a cut answer with another model, without repeating or losing a character.

Two ways: *prefill* (the fallback continues a trailing assistant message) and *restart* (the fallback
answers again from the beginning and its text must begin with what was already delivered). Whatever cannot
be aligned exactly is refused, so that the caller gets an explicit error instead of a wrong text.
"""

from enum import Enum
from typing import NamedTuple

ECHO_CHARS_MIN = 16
"""A prefill provider that repeats the prefix is recognised only when the prefix is at least this long."""

REPEATED_CHARS_MIN = 8
"""A prefill provider that says so many of the last characters again has lost its place, or the text really
repeats itself; nobody can tell which, so it is refused."""
REPEATED_CHARS_MAX = 4096
"""How far back such a repetition is looked for."""


class ContinuationMode(Enum):
    PREFILL = "prefill"
    RESTART = "restart"


class Emit(NamedTuple):
    """Text to deliver now; may be empty while undecided."""

    text: str


class Misaligned(NamedTuple):
    """The fallback's text is not a continuation of what was delivered."""

    reason: str


class Aligner:
    """Turns a fallback's text into exactly what the caller has not yet seen. Feed it in order.

    `sent` is everything delivered so far. For prefill, `prefix` is what the fallback was given: `sent`
    without trailing white space, which some providers refuse; white space the fallback produces again is
    swallowed once. A fallback that says the whole prefix again first is cut free of it; one that says only
    the end of it again is misaligned.
    """

    __slots__ = ("_aligned", "_buffer", "_mode", "_owed_space", "_sent", "prefix")

    def __init__(self, sent: str, mode: ContinuationMode) -> None:
        self._sent = sent
        self._mode = mode
        self._buffer = ""
        self._aligned = not sent
        self.prefix = sent.rstrip() if mode is ContinuationMode.PREFILL else sent
        self._owed_space = sent[len(self.prefix) :]

    def feed(self, text: str) -> Emit | Misaligned:
        """The part of `text` (and of what was held back) that is new to the caller."""
        if self._aligned and not self._owed_space:
            return Emit(text)
        self._buffer += text
        if self._mode is ContinuationMode.RESTART:
            return self._restart()
        return self._prefill()

    def end(self) -> Emit | Misaligned:
        """The fallback finished: what was held back is decided now."""
        if self._mode is ContinuationMode.RESTART and not self._aligned:
            return Misaligned("the fallback's answer is shorter than what was already delivered")
        held, self._buffer = self._buffer, ""
        if len(held) >= len(self.prefix) and self._is_echo_so_far(held):
            held = held[len(self.prefix) :]
        # A shorter likeness of the prefix is no echo: an echo is whole before the answer ends.
        return Emit(self._without_owed_space(held))

    def _restart(self) -> Emit | Misaligned:
        if len(self._buffer) < len(self._sent):
            if self._sent.startswith(self._buffer):
                return Emit("")
            return Misaligned("the fallback answers with a different text")
        if not self._buffer.startswith(self._sent):
            return Misaligned("the fallback answers with a different text")
        self._aligned = True
        new, self._buffer = self._buffer[len(self._sent) :], ""
        return Emit(new)

    def _prefill(self) -> Emit | Misaligned:
        held = self._buffer
        if self._is_echo_so_far(held):
            if len(held) < len(self.prefix):
                return Emit("")
            held = held[len(self.prefix) :]
            if not held:
                return Emit("")
        elif not self._aligned:
            repeats = self._repeats_the_end(held)
            if repeats is None:
                return Emit("")
            if repeats:
                return Misaligned("the fallback says the end of what was delivered again")
        if self._owed_space and self._owed_space.startswith(held):
            # Everything so far is white space the caller has: more may come.
            return Emit("")
        self._buffer = ""
        self._aligned = True
        return Emit(self._without_owed_space(held))

    def _is_echo_so_far(self, held: str) -> bool:
        if self._aligned or len(self.prefix) < ECHO_CHARS_MIN:
            return False
        return self.prefix.startswith(held[: len(self.prefix)])

    def _repeats_the_end(self, held: str) -> bool | None:
        """Whether the text begins with the last characters of the prefix; None: too early to tell."""
        tail = self.prefix[-REPEATED_CHARS_MAX:]
        shortest_at = len(tail) - REPEATED_CHARS_MIN
        undecided = False
        begins = held[:REPEATED_CHARS_MIN]
        at = tail.find(begins)
        while 0 <= at <= shortest_at:
            length = len(tail) - at
            if length <= len(held) and tail.startswith(held[:length], at):
                return True
            undecided = undecided or (length > len(held) and tail.startswith(held, at))
            at = tail.find(begins, at + 1)
        return None if undecided else False

    def _without_owed_space(self, text: str) -> str:
        common = 0
        for ours, theirs in zip(self._owed_space, text, strict=False):
            if ours != theirs:
                break
            common += 1
        self._owed_space = ""
        return text[common:]
