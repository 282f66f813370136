"""What a privacy policy does to the answer of one request."""

from threading import Event

from application.answer_stream import AnswerStream
from application.job import Job
from application.ports.llm import Block, UpstreamAnswer
from application.ports.text_fields import FrameTexts, TextFields
from application.ports.wire import TOOLS
from application.privacy.counting import PrivacyCounts
from application.privacy.offloading import Offloading
from application.privacy.rewriting import MaskingWork, Noted, PolicyWork, RestoringWork
from application.privacy.watching import DetectionWatch, Seen
from application.protection import Protection
from application.recording import RecordedAnswer
from domain.errors import PrivacyUnavailable
from domain.llm.stream import ContentKind, Delta, StreamEvent
from domain.privacy.placeholders import Placeholders
from domain.privacy.policy import EffectivePolicy


class EnforcedAnswer(Protection):
    """Rewrites what a provider says as its policy has it, and gives this caller its own values back."""

    def __init__(
        self,
        dialect: str,
        policy: EffectivePolicy,
        placeholders: Placeholders,
        *,
        texts: TextFields,
        work: PolicyWork,
        counts: PrivacyCounts,
        offloading: Offloading,
        tenant_id: str,
        found: dict[str, int] | None = None,
    ) -> None:
        self._dialect = dialect
        self._enforces = policy.enforces_results if dialect == TOOLS else policy.enforces_answers
        self._placeholders = placeholders
        self._texts = texts
        self._work = work
        self._counts = counts
        self._offloading = offloading
        self._tenant_id = tenant_id
        self._found = found

    async def answer(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        if not self._enforces:
            return answer

        def rewritten(nobody_waits: Event) -> bytes:
            self._work.nobody_waits = nobody_waits
            return self._texts.answer(self._dialect, answer.body, answer.content_type, self._work)

        try:
            body = await self._offloading(self._tenant_id, answer.body, rewritten)
        finally:
            self._counts.note(self._work.noted, self._found)
            self._work.noted.clear()
        return answer if body is answer.body else answer._replace(body=body)

    def stream(self, stream: AnswerStream) -> AnswerStream:
        if not self._enforces:
            return stream
        frames = self._texts.stream(self._dialect, self._work)
        return RewrittenStream(stream, frames, self._work.noted, self._counts, self._found)

    def kept(self, body: bytes) -> bytes:
        """A delivered answer as it may be stored: with placeholders."""
        if not self._placeholders.values:
            return body
        return self._texts.answer(self._dialect, body, "application/json", MaskingWork(self._placeholders))

    def deliver(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        if not self._placeholders.values:
            return answer
        work = RestoringWork(self._placeholders)
        try:
            body = self._texts.answer(self._dialect, answer.body, answer.content_type, work)
        except ValueError:
            return answer  # what it holds was never to be seen, so nothing is told too much
        return answer if body is answer.body else answer._replace(body=body)

    def deliver_stream(self, stream: AnswerStream) -> AnswerStream:
        if not self._placeholders.values and not self._enforces:
            return stream
        return RewrittenStream(stream, self._texts.stream(self._dialect, RestoringWork(self._placeholders)))


def keepable(job: Job, body: bytes) -> bytes:
    """A whole delivered answer as it may be stored. Raises ValueError for what is no JSON object."""
    for protection in job.protections:
        if isinstance(protection, EnforcedAnswer):
            body = protection.kept(body)
    return body


def enforced(job: Job) -> bool:
    """Whether somebody may change the answer of a request, so that it has to come through here."""
    return any(not isinstance(protection, CountedAnswer | RecordedAnswer) for protection in job.protections)


class CountedAnswer(Protection):
    """Has whole answers looked at beside requests; changes nothing."""

    def __init__(self, watch: DetectionWatch, policy: EffectivePolicy, dialect: str) -> None:
        self._watch = watch
        self._policy = policy
        self._dialect = dialect

    async def answer(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        self._watch.note(Seen(self._policy, self._dialect, answer.body, answer.content_type, True))
        return answer

    def stream(self, stream: AnswerStream) -> AnswerStream:
        return stream

    def deliver(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        return answer

    def deliver_stream(self, stream: AnswerStream) -> AnswerStream:
        return stream


class RewrittenStream:
    """A stream whose frames went through a rewriter. Only the open end of a text is held back."""

    def __init__(
        self,
        stream: AnswerStream,
        frames: FrameTexts,
        noted: list[Noted] | None = None,
        counts: PrivacyCounts | None = None,
        found: dict[str, int] | None = None,
    ) -> None:
        self.headers = stream.headers
        self._stream = stream
        self._frames = frames
        self._noted = noted
        self._counts = counts
        self._found = found
        self._ended = False

    async def next_block(self) -> Block | None:
        """The next frames that say something; None at the end.

        Raises PiiBlocked, PrivacyUnavailable, and what the stream it is made from raises.
        """
        while not self._ended:
            block = await self._stream.next_block()
            try:
                if block is None:
                    self._ended = True
                    said = self._frames.end()
                    events: tuple[StreamEvent, ...] = ()
                else:
                    said = self._frames.feed(block.raw)
                    events = block.events
            except ValueError:
                raise PrivacyUnavailable("the answer cannot be read for personal data") from None
            finally:
                self._count()
            if said.raw or events:
                return Block(said.raw, retold(events, said.texts))
        return None

    def close(self) -> None:
        self._stream.close()

    def _count(self) -> None:
        if self._counts is not None and self._noted:
            self._counts.note(self._noted, self._found)
            self._noted.clear()


def retold(
    events: tuple[StreamEvent, ...], texts: tuple[tuple[ContentKind, str], ...]
) -> tuple[StreamEvent, ...]:
    """The events with the pieces that frames now say; a piece that is held back counts as an empty one."""
    said = [Delta(kind, text) for kind, text in texts]
    kinds = {kind for kind, _ in texts}
    told = [
        Delta(event.kind, "") if type(event) is Delta else event
        for event in events
        if type(event) is not Delta or (event.kind not in kinds and event.kind is not ContentKind.TEXT)
    ]
    return (*said, *told)
