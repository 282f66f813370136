"""An answer that is looked at after it was given, and how it is caught on its way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Generic, Protocol, TypeVar

from application.answer_stream import AnswerStream
from application.job import Job
from application.ports.llm import Block, UpstreamAnswer
from application.protection import Protection
from domain.llm.request import LlmRequest
from domain.llm.stream import ContentKind, Delta
from domain.quality.policy import QualityPolicy

TEXT_CHARS_MAX: Final = 64 * 1024
"""Of a stream; the rest is not looked at."""
ANSWER_BYTES_MAX: Final = 128 * 1024
"""Longer whole answers are not looked at."""


@dataclass(slots=True, kw_only=True)
class SeenAnswer:
    """`body` is a whole answer in the caller's dialect; None: `text` is what a stream said."""

    job: Job
    policy: QualityPolicy
    checked: bool
    """Whether it is among the sample for checks."""
    judged: bool
    """Whether it is among the sample for the judge."""
    request: LlmRequest
    """As policies left it; the job's own may change when it is sent."""
    body: bytes | None = None
    text: str = ""
    calls_tools: bool = False
    whole: bool = True

    @property
    def size_bytes(self) -> int:
        """What it keeps in memory, roughly."""
        return self.request.size_bytes + len(self.body or b"") + len(self.text)


Take = Callable[[SeenAnswer], None]


class Words(Protocol):
    """What the words of a stream are put into."""

    text: str
    calls_tools: bool
    whole: bool


_Seen = TypeVar("_Seen", bound=Words)


class SeenOnItsWay(Protection):
    """Hands the answer over as it goes to the caller, before the caller's own values are put back into it."""

    def __init__(self, take: Take, job: Job, policy: QualityPolicy, checked: bool, judged: bool) -> None:
        self._take = take
        self._seen = SeenAnswer(
            job=job, policy=policy, checked=checked, judged=judged, request=replace(job.request)
        )

    async def answer(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        return answer

    def stream(self, stream: AnswerStream) -> AnswerStream:
        return stream

    def deliver(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        if len(answer.body) <= ANSWER_BYTES_MAX:
            self._seen.body = bytes(answer.body)
            self._take(self._seen)
        return answer

    def deliver_stream(self, stream: AnswerStream) -> AnswerStream:
        return SeenStream(stream, self._seen, self._take)


class SeenStream(Generic[_Seen]):
    """A stream whose words are kept as far as they are looked at; `take` gets them once, at the end."""

    def __init__(self, stream: AnswerStream, seen: _Seen, take: Callable[[_Seen], None]) -> None:
        self.headers = stream.headers
        self._stream = stream
        self._seen = seen
        self._take: Callable[[_Seen], None] | None = take
        self._texts: list[str] = []
        self._left_chars = TEXT_CHARS_MAX

    async def next_block(self) -> Block | None:
        """Raises what the stream it is made from raises."""
        block = await self._stream.next_block()
        if block is None:
            self._tell()
            return None
        for event in block.events:
            if type(event) is Delta:
                self._note(event)
        return block

    def close(self) -> None:
        self._stream.close()
        self._take = None  # it was left, or broke: nobody knows what else it would have said
        self._texts.clear()

    def _note(self, delta: Delta) -> None:
        if delta.kind is ContentKind.TOOL_CALL:
            self._seen.calls_tools = True
        elif delta.kind in (ContentKind.TEXT, ContentKind.REFUSAL) and delta.text:
            said = delta.text[: self._left_chars]
            self._seen.whole = self._seen.whole and len(said) == len(delta.text)
            self._left_chars -= len(said)
            if said:
                self._texts.append(said)

    def _tell(self) -> None:
        take, self._take = self._take, None
        if take is not None:
            self._seen.text = "".join(self._texts)
            self._texts.clear()
            take(self._seen)
