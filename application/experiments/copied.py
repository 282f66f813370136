"""A request that shadows get a copy of, and control's answer to it as far as it is compared."""

from collections.abc import Callable
from dataclasses import replace

from application.answer_stream import AnswerStream
from application.copied_request import Copies
from application.job import Job
from application.ports.llm import UpstreamAnswer
from application.protection import Protection
from application.quality.seen import ANSWER_BYTES_MAX, SeenStream
from domain.analytics.event import RequestEvent
from domain.experiments.experiment import Experiment, Shadow


class CopiedRequest(Copies, Protection):
    """`request`, demands and attribution are as the caller gave them: a copy takes the whole way once more.
    `over` gets it with its event, once, unless it is dropped.

    The answer is caught as its caller is given it, which is how the shadow's is seen too. It is the first of
    the job's protections, and so the last to deliver.
    """

    def __init__(
        self,
        job: Job,
        experiment: Experiment,
        shadows: tuple[Shadow, ...],
        over: Callable[["CopiedRequest", RequestEvent], None],
    ) -> None:
        self.job = job
        self.experiment = experiment
        self.shadows = shadows
        self.request = replace(job.request, own_credential=None, idempotency_key="")
        self.requirements = replace(job.requirements)
        # A trace of the caller's is about what the caller waits for.
        self.attribution = replace(job.attribution, trace=None)
        self.body: bytes | None = None
        """A whole answer in the caller's dialect; None: `text` is what a stream said."""
        self.text = ""
        self.calls_tools = False
        self.whole = True
        self.caught = False
        """Whether there is an answer at all."""
        self._over: Callable[[CopiedRequest, RequestEvent], None] | None = over

    @property
    def size_bytes(self) -> int:
        """What it keeps in memory, roughly."""
        return self.request.size_bytes + len(self.body or b"") + len(self.text)

    def ended(self, event: RequestEvent) -> None:
        over, self._over = self._over, None
        if over is not None:
            over(self, event)

    def drop(self) -> None:
        self._over = None
        self.job.copies = None

    async def answer(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        return answer

    def stream(self, stream: AnswerStream) -> AnswerStream:
        return stream

    def deliver(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        if self._over is not None:
            self.caught = True
            self.whole = len(answer.body) <= ANSWER_BYTES_MAX
            self.body = bytes(answer.body) if self.whole else b""
        return answer

    def deliver_stream(self, stream: AnswerStream) -> AnswerStream:
        return stream if self._over is None else SeenStream(stream, self, _caught)


def _caught(copied: CopiedRequest) -> None:
    copied.caught = True
