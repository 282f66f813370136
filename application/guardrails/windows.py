"""Answers in frames that are read along: they go on as far as no match can reach back."""

from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

from application.answer_stream import AnswerStream
from application.guardrails.checking import blocked
from application.guardrails.streams import UNREAD
from application.guardrails.texts import Gathering
from application.ports.llm import Block
from application.ports.pii_detector import PiiDetector
from application.ports.text_fields import FrameTexts, RunningText
from application.privacy.protecting import retold
from domain.errors import GuardrailUnavailable, StoreUnavailable
from domain.guardrails.checks import denied, too_much, words
from domain.guardrails.terms import Action, Guardrail, PatternRule, SecretRule, SizeRule, Verdict
from domain.privacy.kinds import PiiKind
from domain.privacy.policy import Where

_SEARCHED_FACTOR = 4
"""So many times its longest match is searched: characters that are not seen make a match longer."""

Object = Callable[[str], NoReturn]


class _Follower(Protocol):
    """One check along one text. Objects as soon as it can."""

    def feed(self, piece: str) -> int:
        """How many characters of the whole text are certain by now."""
        ...

    def end(self) -> None: ...


class WindowWork(Gathering):
    """What it lets go no match can reach back into. Raises GuardrailBlocked."""

    hides_logprobs = True

    def __init__(
        self, guardrails: Sequence[Guardrail], detector: PiiDetector, note: Callable[[str, str], None]
    ) -> None:
        super().__init__()
        self._guardrails = tuple(guardrails)
        self._detector = detector
        self._note = note
        self.chars = 0
        self.words = 0

    def running(self, where: Where, path: str, before: str = "") -> RunningText:  # noqa: ARG002
        return _Window(self.followers(where, path))

    def running_seal(self, where: Where, path: str) -> RunningText | None:
        return _Window(self.followers(where, path))

    def whole(self, text: str, where: Where, path: str, before: str = "") -> str:  # noqa: ARG002
        # Such a text repeats what came in pieces, so that it does not count for the size.
        for follower in self.followers(where, path):
            if not isinstance(follower, _Counted):
                follower.feed(text)
                follower.end()
        return text

    def sealed(self, text: str, where: Where, path: str) -> None:
        self.whole(text, where, path)

    def unreadable(self, where: Where, path: str) -> None:
        for guardrail in self._guardrails:
            if where in guardrail.where:
                self._block(guardrail, "cannot be read as text", where, path)

    def followers(self, where: Where, path: str) -> list[_Follower]:
        """What reads one text."""
        found: list[_Follower] = []
        for guardrail in self._guardrails:
            if where not in guardrail.where:
                continue
            rule = guardrail.rule
            told = _Objection(self._block, guardrail, where, path)
            if isinstance(rule, PatternRule):
                found.append(_Searched(rule, told))
            elif isinstance(rule, SecretRule):
                found.append(_Scanned(rule.kinds, self._detector, told))
            elif isinstance(rule, SizeRule):
                found.append(_Counted(rule, self, told))
        return found

    def _block(self, guardrail: Guardrail, reason: str, where: Where, path: str) -> NoReturn:
        self._note(guardrail.name, "block")
        raise blocked([Verdict(guardrail.name, Action.BLOCK, reason, where.value, path)], answer=True)


class _Objection:
    __slots__ = ("_block", "_guardrail", "_path", "_where")

    def __init__(
        self,
        block: Callable[[Guardrail, str, Where, str], NoReturn],
        guardrail: Guardrail,
        where: Where,
        path: str,
    ) -> None:
        self._block = block
        self._guardrail = guardrail
        self._where = where
        self._path = path

    def __call__(self, reason: str) -> NoReturn:
        self._block(self._guardrail, reason, self._where, self._path)


class _Window(RunningText):
    """Lets go as much as everybody is certain of."""

    __slots__ = ("_followers", "_gone", "_held")

    def __init__(self, followers: Sequence[_Follower]) -> None:
        self._followers = tuple(followers)
        self._held = ""
        self._gone = 0

    def feed(self, piece: str) -> str:
        self._held += piece
        all_of_it = self._gone + len(self._held)
        certain = min((each.feed(piece) for each in self._followers), default=all_of_it)
        said = self._held[: max(0, certain - self._gone)]
        self._held = self._held[len(said) :]
        self._gone += len(said)
        return said

    def end(self) -> str:
        for each in self._followers:
            each.end()
        said, self._held = self._held, ""
        return said


class _Searched:
    """Patterns: certain is what the longest match, and one character behind it, do not reach."""

    def __init__(self, rule: PatternRule, told: Object) -> None:
        self._rule = rule
        self._told = told
        self._reach = max((each.width for each in rule.deny), default=0) + 1
        self._text = ""
        self._length = 0

    def feed(self, piece: str) -> int:
        self._length += len(piece)
        self._text += piece
        self._look(open_end=True)
        self._text = self._text[-self._reach * _SEARCHED_FACTOR :]
        return max(0, self._length - self._reach)

    def end(self) -> None:
        self._look(open_end=False)

    def _look(self, *, open_end: bool) -> None:
        reason = denied(self._rule, self._text, open_end=open_end)
        if reason:
            self._told(reason)


class _Scanned:
    """Secrets: in the way of reading a stream that `PiiDetector` describes."""

    def __init__(self, kinds: frozenset[PiiKind], detector: PiiDetector, told: Object) -> None:
        self._kinds = kinds
        self._detector = detector
        self._told = told
        self._kept = ""
        self._held = ""
        self._length = 0

    def feed(self, piece: str) -> int:
        start = len(self._kept)
        text = self._kept + self._held + piece
        self._length += len(piece)
        try:
            found, closed = self._detector.scan(text, self._kinds, start)
        except StoreUnavailable:
            self._told("could not be asked (unavailable)")
        if found:
            self._told(_holds({each.kind for each in found}))
        keep = self._detector.context_chars
        self._kept, self._held = (text[max(0, closed - keep) : closed] if keep else ""), text[closed:]
        return self._length - len(self._held)

    def end(self) -> None:
        if self._held:
            try:
                found = self._detector.find(self._kept + self._held, self._kinds, len(self._kept))
            except StoreUnavailable:
                self._told("could not be asked (unavailable)")
            if found:
                self._told(_holds({each.kind for each in found}))


class _Counted:
    """Sizes: of all texts of the answer together."""

    def __init__(self, rule: SizeRule, work: WindowWork, told: Object) -> None:
        self._rule = rule
        self._work = work
        self._told = told
        self._length = 0
        self._in_word = False

    def feed(self, piece: str) -> int:
        self._length += len(piece)
        work = self._work
        work.chars += len(piece)
        work.words += words(piece) - (self._in_word and bool(piece) and not piece[0].isspace())
        self._in_word = not piece[-1:].isspace() if piece else self._in_word
        reason = too_much(self._rule, work.chars, work.words)
        if reason:
            self._told(reason)
        return self._length

    def end(self) -> None:
        """Nothing is held."""


def _holds(kinds: set[PiiKind]) -> str:
    return f"holds {', '.join(sorted(kind.value for kind in kinds))}"


class WindowStream:
    """A stream read along. A match ends it with an error; what was let go before stays with the caller."""

    def __init__(self, stream: AnswerStream, frames: FrameTexts) -> None:
        self.headers = stream.headers
        self._stream = stream
        self._frames = frames
        self._ended = False

    async def next_block(self) -> Block | None:
        """Raises GuardrailBlocked, GuardrailUnavailable, and what the stream it is made from raises."""
        while not self._ended:
            block = await self._stream.next_block()
            try:
                if block is None:
                    self._ended = True
                    said = self._frames.end()
                else:
                    said = self._frames.feed(block.raw)
            except ValueError:
                raise GuardrailUnavailable(UNREAD) from None
            events = () if block is None else block.events
            if said.raw or events:
                return Block(said.raw, retold(events, said.texts))
        return None

    def close(self) -> None:
        self._stream.close()
