"""A stream from its first content to its end: relay, settle once, and finish elsewhere where allowed.

Up to the first content nothing here exists for the caller (`open_attempt`), so the attempt loop may still
fail over. From then on a break is either finished exactly by another attempt (`continue`) or becomes a
`StreamCut`, never a quiet end.
"""

from dataclasses import replace
from typing import NamedTuple, Protocol

from application.accounting import charged, note_attempt, shows_cost_in_usage
from application.attempt import not_sent, vote
from application.job import Job
from application.patience import Patience
from application.ports.llm import Block, UpstreamFailed
from application.ports.system import Clock
from application.ports.wire import FrameWriter
from application.stream_opening import Opened, cut_off
from domain.errors import StreamCut
from domain.llm.continuation import Aligner, ContinuationMode, Misaligned
from domain.llm.failures import Failure, FailureKind
from domain.llm.stream import ContentKind, Delta, UsageReported
from domain.llm.usage import Usage
from domain.money import usd_float
from domain.resilience.breaker import Permit
from domain.routing.live import LiveState
from domain.routing.target import StreamRecovery, Target

TRAILER_WAIT_S = 5.0
"""How long usage and the end marker may trail the finish reason before the stream is taken as over."""
CONTINUABLE_CHARS_MAX = 1_000_000
"""Text kept for a possible continuation; a longer answer can no longer be continued."""
_NEVER_CONTINUED = (ContentKind.TOOL_CALL, ContentKind.REFUSAL, ContentKind.MEDIA)
_SPENT_PERMIT = Permit(-1, False)
"""Of a probe that has been answered: whatever follows says nothing to the breaker any more."""


class Recovery(NamedTuple):
    """A further attempt that may finish a cut answer; `number` is how many were tried up to it."""

    opened: Opened
    mode: ContinuationMode
    number: int


class Resumer(Protocol):
    """What a broken stream asks for help; the attempt loop."""

    async def resume(
        self, job: Job, live: LiveState, broken: Target, sent: str, *, skip: int
    ) -> Recovery | None: ...


class OpenedStream:
    """A committed answer stream. Read blocks until None, then it is complete; close it in any case.

    Exactly one attempt row is written per upstream call, whatever happens: end, cut, or the caller leaving.
    """

    def __init__(
        self,
        clock: Clock,
        frames: FrameWriter,
        job: Job,
        live: LiveState,
        first: Opened,
        resumer: Resumer,
    ) -> None:
        self._clock = clock
        self._frames = frames
        self._job = job
        self._live = live
        self._resumer = resumer
        self._current: Opened | None = first
        self._aligner: Aligner | None = None
        self._recoveries = 0
        self._sent: list[str] = []
        self._sent_chars = 0
        self._continuable = (
            job.plan.route.stream_recovery is StreamRecovery.CONTINUE and job.request.plain_text
        )
        self._idle_s = job.plan.route.timeouts.idle_s
        self._came_at = clock.monotonic()
        self._patience = Patience()
        self._broken: Target = first.attempt.target
        self.headers = first.stream.headers
        job.answered_by = first.attempt.target
        job.via = first.attempt.way.value
        job.credential = first.attempt.credential
        job.dropped = first.stream.dropped + not_sent(job, first.attempt)
        job.first_token_s = self._came_at - job.started
        self._note_probe()

    async def next_block(self) -> Block | None:
        """Frames for the caller, terminator excluded; None when the answer is complete.

        Raises:
            StreamCut: the answer broke and cannot be finished; the attempt is settled.
        """
        while self._current is not None:
            opened = self._current
            try:
                block = await self._read(opened)
            except UpstreamFailed as error:
                if not opened.machine.complete:
                    await self._recover(error.failure)
                    continue
                block = None  # what breaks after the finish reason takes nothing away
            if block is None:
                last = await self._finish(opened)
                if last is None and self._current is not None:
                    continue  # the continuation did not fit and another one took its place
                return last
            if self._aligner is not None:
                aligned = await self._align(opened, self._aligner, block)
                if aligned is not None:
                    return aligned
                continue
            self._keep(block)
            if opened.machine.complete and self._reports_usage(block):
                return Block(self._priced(block.raw, opened), block.events)
            if block.raw or block.events:
                return block
        return None

    async def _read(self, opened: Opened) -> Block | None:
        """The next block of the current attempt; None after a complete end. Raises UpstreamFailed."""
        machine = opened.machine
        if opened.held:
            held = _joined(opened.held)
            opened.held.clear()
            return held
        if machine.failure is not None and not machine.complete:
            raise UpstreamFailed(machine.failure)
        if machine.terminated:
            return None
        waiting_since = self._clock.monotonic()
        try:
            limit_s = TRAILER_WAIT_S if machine.complete else self._idle_s
            block = await self._patience.wait(opened.stream.next_block(), limit_s)
        except TimeoutError:
            if machine.complete:
                return None
            message = f"the stream was silent for {self._idle_s:g} s"
            raise UpstreamFailed(Failure(kind=FailureKind.TIMEOUT, message=message)) from None
        finally:
            now = self._clock.monotonic()
            self._job.upstream_s += now - waiting_since
        if block is None:
            if machine.complete:
                return None
            raise UpstreamFailed(cut_off("the stream ended without a finish reason"))
        if now - self._came_at > self._job.gap_max_s:
            self._job.gap_max_s = now - self._came_at
        self._came_at = now
        for event in block.events:
            machine.feed(event)
        return block

    def _keep(self, block: Block) -> None:
        for event in block.events:
            if type(event) is Delta:
                self._sent_chars += len(event.text)
                if event.kind is ContentKind.TEXT:
                    if self._may_continue():
                        self._sent.append(event.text)
                elif event.kind in _NEVER_CONTINUED:
                    self._continuable = False

    def _may_continue(self) -> bool:
        return self._continuable and self._sent_chars <= CONTINUABLE_CHARS_MAX

    @staticmethod
    def _reports_usage(block: Block) -> bool:
        return any(type(event) is UsageReported for event in block.events)

    def _priced(self, raw: bytes, opened: Opened) -> bytes:
        if not shows_cost_in_usage(self._job):
            return raw
        cost = self._cost_with(opened, opened.machine.usage)
        return (
            raw if cost is None else self._frames.with_cost(self._job.request.dialect, raw, usd_float(cost))
        )

    def _cost_with(self, opened: Opened, usage: Usage | None) -> int | None:
        earlier = self._job.cost_nano_usd
        if usage is None or earlier is None:
            return None
        if opened.attempt.key.is_callers:
            return earlier
        this, _ = charged(self._job, opened.attempt.target, usage.repaired(), self._clock.monotonic())
        return None if this is None else earlier + this

    async def _align(self, opened: Opened, aligner: Aligner, block: Block) -> Block | None:
        """A continuation's block as frames of ours; None when it has nothing new to say yet."""
        texts: list[str] = []
        for event in block.events:
            if type(event) is Delta and event.kind is ContentKind.TEXT:
                outcome = aligner.feed(event.text)
                if isinstance(outcome, Misaligned):
                    await self._recover(cut_off(outcome.reason, FailureKind.BAD_RESPONSE), blameless=True)
                    return None
                texts.append(outcome.text)
        return self._text_block("".join(texts), opened)

    def _text_block(self, text: str, opened: Opened) -> Block | None:
        if not text:
            return None
        self._sent.append(text)
        self._sent_chars += len(text)
        raw = self._frames.text_frame(
            self._job.request.dialect,
            text,
            request_id=self._job.request_id,
            model=opened.attempt.target.model,
        )
        return Block(raw, (Delta(ContentKind.TEXT, text),))

    async def _finish(self, opened: Opened) -> Block | None:
        """The end of a complete answer: None, or for a continued one what is left to say."""
        aligner = self._aligner
        if aligner is None:
            last = opened.stream.conclude()
            for event in last.events:
                opened.machine.feed(event)
            raw = self._priced(last.raw, opened) if last.raw else b""
            self._settle("ok", None)
            return Block(raw, last.events) if raw else None
        outcome = aligner.end()
        if isinstance(outcome, Misaligned):
            await self._recover(cut_off(outcome.reason, FailureKind.BAD_RESPONSE), blameless=True)
            return None
        rest = self._text_block(outcome.text, opened)
        machine, job = opened.machine, self._job
        raw = self._frames.finish_frames(
            job.request.dialect,
            machine.finish_reason or "stop",
            machine.usage,
            request_id=job.request_id,
            model=opened.attempt.target.model,
            include_usage=job.request.include_usage,
        )
        raw = self._priced(raw, opened)
        self._settle("ok", None)
        return Block((rest.raw if rest else b"") + raw, rest.events if rest else ())

    async def _recover(self, failure: Failure, *, blameless: bool = False) -> None:
        """Settles the broken attempt and puts another in its place, or raises StreamCut."""
        self._settle(failure.kind.value, failure, blameless=blameless)
        sent = "".join(self._sent) if self._may_continue() else ""
        if sent:
            recovery = await self._resumer.resume(
                self._job, self._live, self._broken, sent, skip=self._recoveries
            )
            if recovery is not None:
                self._recoveries = recovery.number
                self._aligner = Aligner(sent, recovery.mode)
                self._current = recovery.opened
                self._job.continued = True
                self._job.answered_by = recovery.opened.attempt.target
                self._job.via = recovery.opened.attempt.way.value
                self._job.credential = recovery.opened.attempt.credential
                self._note_probe()
                return
        raise StreamCut(
            f"the answer was interrupted: {failure.message}", details={"kind": failure.kind.value}
        )

    def _note_probe(self) -> None:
        # A probe is answered by the first content: a long stream must not keep the breaker half open.
        opened = self._current
        if opened is not None and opened.attempt.permit.probe:
            attempt = opened.attempt
            attempt.state.breaker.record(attempt.permit, ok=True, now=self._clock.monotonic())
            self._current = opened._replace(attempt=replace(attempt, permit=_SPENT_PERMIT))

    def _settle(self, outcome: str, failure: Failure | None, *, blameless: bool = False) -> None:
        """Ends the current upstream call and writes its row; the one place where a stream is billed.

        `blameless`: the provider did nothing wrong, its answer is just of no use here.
        """
        opened, self._current = self._current, None
        if opened is None:
            return
        self._patience.close()
        attempt, machine, job = opened.attempt, opened.machine, self._job
        opened.stream.close()
        state = attempt.state
        state.in_flight -= 1
        attempt.key.settle(None if machine.usage is None else machine.usage.total_tokens)
        now = self._clock.monotonic()
        took_s = now - attempt.started
        if outcome == "ok":
            attempt.key.answered(now, opened.stream.headroom)
            # How long the whole takes is up to the answer and the caller; slow is a late first token.
            slow = state.breaker.policy.is_slow(opened.first_token_s)
            state.breaker.record(attempt.permit, ok=True, now=now, slow=slow)
            state.ttft.observe(opened.first_token_s, now)
            state.latency.observe(took_s, now)
            self._live.providers[attempt.target.provider].health.record(True, took_s, now)
            job.finish_reason = machine.finish_reason or "stop"
        elif failure is not None and not blameless:
            vote(self._live, attempt, failure, now)
        else:
            state.breaker.forget(attempt.permit)
        note_attempt(
            job,
            attempt.target,
            via=attempt.way.value,
            credential=attempt.credential,
            outcome=outcome,
            started=attempt.started,
            ended=now,
            usage=machine.usage if machine.complete else None,
            first_token_s=opened.first_token_s,
            failure=failure,
            answer_chars=machine.content_chars,
            # What goes on in the background is billed when it is done, to its end.
            may_be_billed=not job.request.background,
            hold=attempt.hold,
        )

    def close(self) -> None:
        """Ends whatever still runs; the caller left if the answer was not complete. Idempotent."""
        if self._current is not None:
            complete = self._current.machine.complete and not self._current.held
            self._settle("ok" if complete else "cancelled", None)


def _joined(blocks: list[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    return Block(
        b"".join(block.raw for block in blocks),
        tuple(event for block in blocks for event in block.events),
    )
