"""What a request takes over from the one whose call it waited for."""

from application.caching.shared_call import SharedCall
from application.job import Job
from domain.caching.effect import HIT_COALESCED
from domain.llm.failures import Failure


def takes_after(job: Job, call: SharedCall) -> None:
    """It is answered by whoever answers the one that leads."""
    leader = call.job
    job.answered_by, job.via, job.credential = leader.answered_by, leader.via, leader.credential
    job.dropped = leader.dropped
    job.cache = HIT_COALESCED


def saved_by(job: Job, call: SharedCall) -> None:
    """What it did not have to pay, once that is known."""
    leader = call.job
    job.finish_reason = leader.finish_reason
    job.saved_nano_usd = leader.cost_nano_usd
    job.reused_tokens = (
        sum(attempt.input_tokens for attempt in leader.attempts),
        sum(attempt.output_tokens for attempt in leader.attempts),
    )


def fails_alike(job: Job, leader: Job, failure: Failure) -> bool:
    """Whether it would fail as well: nobody takes it as it is, or it may ask nobody else than the other did.

    What a caller wants to pay or to wait is no part of its key, so their plans may differ.
    """
    asked = {target.id for target in leader.plan.targets}
    nobody_else = all(target.id in asked for target in job.plan.targets)
    return nobody_else or not failure.disposition.try_next
