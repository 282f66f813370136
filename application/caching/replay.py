"""A kept answer as its caller would have got it from a provider."""

from application.accounting import shows_cost_in_usage
from application.job import Job
from application.ports.llm import Block, UpstreamAnswer
from application.ports.wire import FrameWriter
from domain.caching.entry import CachedAnswer
from domain.llm.stream import ContentKind, Delta, Finished, UsageReported
from domain.money import usd_float


def free_of_cost(frames: FrameWriter, job: Job, raw: bytes) -> bytes:
    """The same bytes, saying that this answer cost nothing where they say what it cost."""
    if not shows_cost_in_usage(job):
        return raw
    return frames.with_cost(job.request.dialect, raw, usd_float(0))


def replayed_answer(kept: CachedAnswer) -> UpstreamAnswer:
    """A unary answer; its cost is told by whoever tells it of fresh ones."""
    return UpstreamAnswer(kept.body, kept.content_type, None, kept.finish_reason, dropped=kept.dropped)


def retelling(frames: FrameWriter, job: Job, block: Block) -> Block:
    """A block of somebody else's stream, for a reader who pays nothing."""
    if not any(type(event) is UsageReported for event in block.events):
        return block
    return Block(free_of_cost(frames, job, block.raw), block.events)


class ReplayedStream:
    """All frames at once: whoever waits for an answer that is there should not wait for its parts."""

    __slots__ = ("_block", "headers")

    def __init__(self, kept: CachedAnswer, frames: FrameWriter, job: Job) -> None:
        self.headers: tuple[tuple[str, str], ...] = ()
        told = (Delta(ContentKind.TEXT, kept.text),) if kept.text else ()
        self._block: Block | None = Block(
            free_of_cost(frames, job, kept.body), (*told, Finished(kept.finish_reason))
        )

    async def next_block(self) -> Block | None:
        """The whole answer, then None."""
        block, self._block = self._block, None
        return block

    def close(self) -> None:
        self._block = None
