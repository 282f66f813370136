"""Who may follow when a target cannot finish: after an over-long prompt, and after a cut text."""

from application.job import Job
from application.privacy.protecting import enforced
from domain.llm.continuation import ContinuationMode
from domain.routing.target import Target


def continuations(job: Job, broken: Target) -> list[tuple[Target, ContinuationMode]]:
    """How a cut plain text may be finished, most promising first.

    Others that take a prefill; then the broken target itself and the same model elsewhere, which may say
    the same again; then anyone from the start, which is accepted only when it repeats what was sent.
    """
    others = [target for target in job.plan.targets if target is not broken]
    same = [target for target in others if target.offering.model == broken.offering.model]
    ways = [(target, ContinuationMode.PREFILL) for target in others if target.offering.prefill]
    if broken.offering.prefill:
        ways.append((broken, ContinuationMode.PREFILL))
    ways += [(target, ContinuationMode.RESTART) for target in (*same, broken)]
    ways += [(target, ContinuationMode.RESTART) for target in others if target not in same]
    if enforced(job):
        # What one said is not to be another's prompt unread, and nobody could read half a sentence.
        ways = [way for way in ways if way[1] is ContinuationMode.RESTART or way[0] is broken]
    return ways[: 1 + 2 * max(1, job.plan.route.max_fallbacks)]


def larger_windows(job: Job, target: Target) -> list[Target]:
    """The targets that may follow an over-long prompt: planned or spare, with a larger window only."""
    window = target.offering.context_tokens or 0
    tried = {attempt.provider + "/" + attempt.model for attempt in job.attempts}
    return [
        other
        for other in (*job.plan.targets, *job.plan.spares)
        if (other.offering.context_tokens or 0) > window and other.provider + "/" + other.model not in tried
    ]
