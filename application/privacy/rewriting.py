"""Doing to texts what a policy says, and undoing it for the caller who sent them."""

from collections.abc import Set
from threading import Event
from typing import Final, NamedTuple

from application.ports.pii_detector import PiiDetector
from application.ports.text_fields import RunningText, TextWork
from domain.errors import PiiBlocked, PrivacyUnavailable
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind
from domain.privacy.placeholders import Placeholders, certain_until, is_placeholder, redaction
from domain.privacy.policy import Act, EffectivePolicy, RouteDemand, Where

NOTED_MAX: Final = 10_000
"""Findings of one body that are noted with their places; later ones are acted on all the same."""
PIECE_CHARS: Final = 16 * 1024
"""Longer texts are read in pieces: a search in one text lets no other thread run."""
NAMED_MAX: Final = 20
"""Places that an error names."""


class Noted(NamedTuple):
    """One finding, without its value."""

    kind: PiiKind
    where: Where
    path: str
    act: Act


class PolicyWork(TextWork):
    """What an effective policy does to the texts of one request or of one answer. Not for several threads
    at once."""

    def __init__(
        self,
        policy: EffectivePolicy,
        detector: PiiDetector,
        placeholders: Placeholders,
        *,
        answer: bool = False,
        dry: bool = False,
    ) -> None:
        """`dry`: nothing is raised, `noted` and the demands say what would be."""
        self.policy = policy
        self.detector = detector
        self.placeholders = placeholders
        self.noted: list[Noted] = []
        self.blocked: list[Noted] = []
        self.demands: dict[RouteDemand, None] = {}
        self.routed = False
        self.nobody_waits: Event | None = None
        """Set from outside when the work is in vain."""
        self.hides_logprobs = answer and bool(policy.enforced[Where.ANSWERS])
        self._answer = answer
        self._dry = dry
        self._sought = policy.sought

    def whole(self, text: str, where: Where, path: str, before: str = "") -> str:
        kinds = self._sought[where]
        if not kinds or not text:
            return text
        self.check_wanted()
        if len(text) > PIECE_CHARS:
            said = self._in_pieces(text, where, path, before)
        else:
            start = len(before)
            read = before + text if before else text
            found = self.detector.find(read, kinds, start)
            if not found:
                return text
            said = self.replaced(read, found, start, len(read), where, path)
        return text if said == text else said

    def check_wanted(self) -> None:
        """Raises PrivacyUnavailable once nobody waits for what is done here."""
        if self.nobody_waits is not None and self.nobody_waits.is_set():
            raise PrivacyUnavailable("nobody waits for it to be read any more")

    def _in_pieces(self, text: str, where: Where, path: str, before: str) -> str:
        """A long text, so that nobody else waits for the whole of it."""
        running = self.running(where, path, before)
        said = []
        for at in range(0, len(text), PIECE_CHARS):
            self.check_wanted()
            said.append(running.feed(text[at : at + PIECE_CHARS]))
        said.append(running.end())
        return "".join(said)

    def running(self, where: Where, path: str, before: str = "") -> RunningText:
        kinds = self._sought[where]
        return _Running(self, kinds, where, path, before) if kinds else _AsItCame()

    def sealed(self, text: str, where: Where, path: str) -> None:
        kinds = self.policy.blocked[where]
        if kinds:
            for finding in self.detector.find(text, kinds):
                self.stood_for(finding, text, where, path)

    def running_seal(self, where: Where, path: str) -> RunningText | None:
        kinds = self.policy.blocked[where]
        return _Running(self, kinds, where, path, "") if kinds else None

    def unreadable(self, where: Where, path: str) -> None:
        if self._sought[where] and not self._dry:
            raise PiiBlocked(
                f"{path}: it cannot be read for personal data, which the privacy policy "
                f"{self.policy.name!r} demands; send it as text",
                param=path,
                details={"policy": self.policy.name, "kinds": [], "fields": [path]},
            )

    def replaced(self, text: str, found: list[Finding], start: int, end: int, where: Where, path: str) -> str:
        """`text[start:end]` with what stands for its findings."""
        pieces: list[str] = []
        at = start
        for finding in found:
            said = self.stood_for(finding, text, where, path)
            if said is not None:
                pieces += (text[at : finding.start], said)
                at = finding.end
        if not pieces:
            return text[start:end]
        pieces.append(text[at:end])
        return "".join(pieces)

    def stood_for(self, finding: Finding, text: str, where: Where, path: str) -> str | None:
        """What stands for a finding; None where it stays. Raises PiiBlocked at once in an answer."""
        value = text[finding.start : finding.end]
        if is_placeholder(value):
            return None
        act = self.policy.act(finding.kind, where, value)
        noted = Noted(finding.kind, where, path, act)
        if len(self.noted) < NOTED_MAX:
            self.noted.append(noted)
        if act is Act.REDACT:
            return redaction(finding.kind)
        if act in (Act.TOKENISE, Act.HASH):
            return self.placeholders.stand_for(finding.kind, value, reversible=act is Act.TOKENISE)
        if act is Act.ROUTE:
            self.routed = True
            for demand in self.policy.demands(finding.kind, where):
                self.demands[demand] = None
        elif act is Act.BLOCK:
            self.blocked.append(noted)
            if self._answer and not self._dry:
                self.refuse()
        return None

    def refuse(self) -> None:
        """Raises PiiBlocked where something is blocked."""
        if not self.blocked:
            return
        kinds = sorted({noted.kind.value for noted in self.blocked})
        fields = list(dict.fromkeys(noted.path for noted in self.blocked))[:NAMED_MAX]
        what = "the answer holds" if self._answer else f"{', '.join(fields)}: it holds"
        raise PiiBlocked(
            f"{what} what the privacy policy {self.policy.name!r} blocks: {', '.join(kinds)}",
            param=None if self._answer else fields[0],
            details={"policy": self.policy.name, "kinds": kinds, "fields": fields},
        )


class _Running(RunningText):
    """The way of reading a stream that `PiiDetector` describes."""

    __slots__ = ("_held", "_kept", "_kinds", "_path", "_where", "_work")

    def __init__(self, work: PolicyWork, kinds: Set[PiiKind], where: Where, path: str, before: str) -> None:
        self._work = work
        self._kinds = kinds
        self._where = where
        self._path = path
        self._kept = before
        self._held = ""

    def feed(self, piece: str) -> str:
        start = len(self._kept)
        text = self._kept + self._held + piece
        detector = self._work.detector
        found, closed = detector.scan(text, self._kinds, start)
        said = self._work.replaced(text, found, start, closed, self._where, self._path)
        keep = detector.context_chars
        self._kept = text[max(0, closed - keep) : closed] if keep else ""
        self._held = text[closed:]
        return said

    def end(self) -> str:
        if not self._held:
            return ""
        start = len(self._kept)
        text = self._kept + self._held
        found = self._work.detector.find(text, self._kinds, start)
        self._held = ""
        return self._work.replaced(text, found, start, len(text), self._where, self._path)


class _AsItCame(RunningText):
    __slots__ = ()

    def feed(self, piece: str) -> str:
        return piece

    def end(self) -> str:
        return ""


class RestoringWork(TextWork):
    """Puts the values of a request's placeholders back. What is signed stays as it is."""

    hides_logprobs = False

    def __init__(self, placeholders: Placeholders) -> None:
        self._placeholders = placeholders

    def whole(self, text: str, where: Where, path: str, before: str = "") -> str:  # noqa: ARG002
        said = self._placeholders.restored(text)
        return text if said == text else said

    def running(self, where: Where, path: str, before: str = "") -> RunningText:  # noqa: ARG002
        return _Restoring(self._placeholders)

    def sealed(self, text: str, where: Where, path: str) -> None:
        """Let through."""

    def running_seal(self, where: Where, path: str) -> RunningText | None:  # noqa: ARG002
        return None

    def unreadable(self, where: Where, path: str) -> None:
        """Let through."""


class MaskingWork(RestoringWork):
    """Undoes what `RestoringWork` did, in whole texts."""

    def whole(self, text: str, where: Where, path: str, before: str = "") -> str:  # noqa: ARG002
        said = self._placeholders.masked(text)
        return text if said == text else said

    def running(self, where: Where, path: str, before: str = "") -> RunningText:
        return _Gathered(self, where, path, before)


class _Gathered(RunningText):
    """A text that is only looked at whole."""

    def __init__(self, work: TextWork, where: Where, path: str, before: str) -> None:
        self._work = work
        self._place = (where, path, before)
        self._pieces: list[str] = []

    def feed(self, piece: str) -> str:
        self._pieces.append(piece)
        return ""

    def end(self) -> str:
        where, path, before = self._place
        return self._work.whole("".join(self._pieces), where, path, before)


class _Restoring(RunningText):
    __slots__ = ("_held", "_placeholders")

    def __init__(self, placeholders: Placeholders) -> None:
        self._placeholders = placeholders
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        certain = certain_until(text)
        self._held = text[certain:]
        return self._placeholders.restored(text[:certain])

    def end(self) -> str:
        text, self._held = self._held, ""
        return self._placeholders.restored(text)
