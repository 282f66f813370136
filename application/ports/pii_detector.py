"""What is personal or secret in a text. Failure policy: closed where a policy enforces; a detector that
cannot work says so, and nothing is passed on unread."""

from abc import abstractmethod
from collections.abc import Set
from typing import NamedTuple, Protocol

from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind


class Scanned(NamedTuple):
    """`findings` lie within `text[start:closed]`, in order, without overlap. Whatever follows the text, no
    finding will reach over `closed`, and none before it will change."""

    findings: list[Finding]
    closed: int


class PiiDetector(Protocol):
    """Synchronous, without I/O and without state between calls; its work is linear in the text's length.

    Positions are indices into the text as given (code points), also where it looks through disguises such as
    full-width digits or zero-width characters.

    A stream is read so: keep `kept`, what was passed on last (its last `context_chars` characters are
    enough), and `held`, what was not passed on yet. For each new piece::

        text = kept + held + piece
        findings, closed = detector.scan(text, kinds, start=len(kept))
        # pass on text[len(kept):closed] with the findings replaced, and then
        kept, held = text[:closed][-detector.context_chars:], text[closed:]

    and at the end `detector.find(text, kinds, start=len(kept))` for all that is held. However a text is cut
    into pieces, the findings are those of `find` on the whole. `kept` is what was written, not what replaced
    it: words before a number say what it is.
    """

    context_chars: int
    """How many characters before a place may say what is there."""
    hold_chars_max: int
    """No more than this is held back by `scan`, not counting characters that are not seen (zero-width ones,
    of which 16 in a row are looked through). Usually it is the last word, or the last number with the 44
    characters behind it."""

    @abstractmethod
    def find(self, text: str, kinds: Set[PiiKind], start: int = 0) -> list[Finding]:
        """The findings of these kinds that begin at `start` or later, in order, without overlap; what is
        before `start` is only read for what it says about them. Kinds it does not know are never found.

        Raises StoreUnavailable: the detector cannot work (an engine that is not there).
        """
        ...

    @abstractmethod
    def scan(self, text: str, kinds: Set[PiiKind], start: int = 0) -> Scanned:
        """As `find`, where more text may follow: the findings that are certain by now, and how far that is.

        `start` is 0 or where an earlier scan of the same text closed. Raises StoreUnavailable, as `find`.
        """
        ...
