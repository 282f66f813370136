"""An attempt's stream up to its first content: until then nothing exists for the caller, so that the attempt
loop may still fail over."""

import asyncio
from typing import NamedTuple

from application.accounting import note_attempt
from application.attempt import Attempt, upstream_call
from application.job import Job
from application.ports.llm import Block, UpstreamFailed, UpstreamStream
from application.ports.system import Clock
from domain.llm.failures import Failure, FailureKind
from domain.llm.stream import StreamMachine
from domain.routing.target import StreamRecovery


class Opened(NamedTuple):
    """An attempt's stream that has shown its first content."""

    attempt: Attempt
    stream: UpstreamStream
    machine: StreamMachine
    held: list[Block]
    first_token_s: float


async def open_attempt(
    clock: Clock, job: Job, attempt: Attempt, *, continue_from: str | None = None
) -> Opened:
    """Waits for the first content of one attempt, bounded by the route's first-token timeout.

    Raises:
        UpstreamFailed: whatever ended it before; the upstream call is closed then.
    """
    timeouts = job.plan.route.timeouts
    keep_text = job.request.plain_text and job.plan.route.stream_recovery is StreamRecovery.CONTINUE
    machine = StreamMachine(keep_text=keep_text)
    held: list[Block] = []
    stream: UpstreamStream | None = None
    attempt.state.in_flight += 1
    outcome = "cancelled"
    call = upstream_call(job, attempt, continue_from)
    limit_s = min(timeouts.first_token_s, call.total_timeout_s)
    try:
        async with asyncio.timeout(limit_s):
            stream = await attempt.provider.open_stream(call)
            while not (machine.committed or machine.complete):
                block = await stream.next_block()
                if block is None:
                    raise UpstreamFailed(cut_off("the stream ended before it said anything"))
                for event in block.events:
                    machine.feed(event)
                if machine.failure is not None and machine.may_fail_over:
                    raise UpstreamFailed(machine.failure)
                held.append(block)
        outcome = "ok"
    except UpstreamFailed:
        outcome = "failed"
        raise
    except TimeoutError:
        outcome = "failed"
        message = f"no first token within {limit_s:g} s"
        raise UpstreamFailed(Failure(kind=FailureKind.TIMEOUT, message=message)) from None
    finally:
        ended = clock.monotonic()
        first_token_s = ended - attempt.started
        if outcome != "ok":
            job.upstream_s += first_token_s
            attempt.state.in_flight -= 1
            attempt.key.settle()
            if stream is not None:
                stream.close()
        if outcome == "cancelled":
            note_attempt(
                job, attempt.target, via=attempt.way.value, outcome=outcome, started=attempt.started,
                ended=ended, usage=None, credential=attempt.credential, hold=attempt.hold,
            )  # fmt: skip
    job.upstream_s += first_token_s
    return Opened(attempt, stream, machine, held, first_token_s)


def cut_off(message: str, kind: FailureKind = FailureKind.NETWORK) -> Failure:
    """The failure of a stream that broke."""
    return Failure(kind=kind, message=message)
