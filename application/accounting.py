"""Turning an attempt's outcome into its row: usage known or counted, priced by the offering it used."""

from math import trunc

from application.hold import Hold
from application.job import Job
from application.ports.llm import CALLER
from application.ports.wire import OPENAI_CHAT, OPENAI_COMPLETIONS
from domain.analytics.event import AttemptEvent, new_tuple
from domain.catalog.prices import bill
from domain.catalog.prompt_cache_saving import prompt_cache_saving
from domain.llm.failures import Failure
from domain.llm.request import LlmRequest, Operation
from domain.llm.units import shown_units
from domain.llm.usage import NO_USAGE, Usage, estimated_usage
from domain.money import NanoUsd
from domain.routing.effective_price import RESERVED, billed_variant, carries, charge
from domain.routing.target import Target, UsageCost

MESSAGE_CHARS_MAX = 300
BATCH = "batch"
"""`AttemptEvent.billed_as` of what a provider's batch API answered."""
_USAGE_ON_DEMAND = frozenset({OPENAI_CHAT, OPENAI_COMPLETIONS})
"""Dialects whose streams carry usage only for callers who ask for it."""
_WRITES_TEXT = frozenset({Operation.CHAT, Operation.COMPLETION})
_READS_TEXT = _WRITES_TEXT | {Operation.EMBEDDINGS}


def shows_cost_in_usage(job: Job) -> bool:
    """Whether the answer's `usage` gets a `cost`; otherwise an answer of the same family keeps its bytes."""
    wish, request = job.plan.route.usage_cost, job.request
    if wish is UsageCost.ASKED:
        return request.stream and request.include_usage and request.dialect in _USAGE_ON_DEMAND
    return wish is UsageCost.ALWAYS


def charged(
    job: Job, target: Target, usage: Usage, now: float, *, claim: bool = False
) -> tuple[NanoUsd | None, str]:
    """What an attempt with this usage costs, and which prices apply (`AttemptEvent.billed_as`).

    `claim` counts it against reserved capacity; without it, this only tells what the bill would be.
    """
    prices = target.offering.prices
    asked = "" if "service_tier" in job.dropped else job.request.service_tier
    variant = billed_variant(prices, asked, usage.variant) if prices.variants else ""
    reserved = None if target.contract is None else target.contract.reserved
    if reserved is None or job.live is None or not carries(reserved, target.model) or not usage.total_tokens:
        return bill(prices, usage, variant=variant or None), variant
    meter = job.live.targets[target.index].provider.reserved
    room = meter.claim(reserved, usage.total_tokens, now) if claim else meter.room(reserved, now)
    return charge(prices, usage, variant, carried=room), RESERVED if room else variant


def attempt_id(job: Job) -> str:
    """The id of the attempt that begins now, or that is noted next: a request makes one after the other."""
    return f"{job.request_id}.{len(job.attempts)}"


def note_attempt(
    job: Job,
    target: Target,
    *,
    via: str,
    outcome: str,
    started: float,
    ended: float,
    usage: Usage | None,
    first_token_s: float | None = None,
    failure: Failure | None = None,
    answer_chars: int = 0,
    may_be_billed: bool = True,
    credential: str = "",
    batch: bool = False,
    hold: Hold | None = None,
) -> AttemptEvent:
    """Appends this attempt's row to the job and returns it. `batch`: at the provider's batch prices.

    Without a count from the provider, an attempt that may have been billed is counted by us and flagged
    `estimated`; one that certainly was not (refused before or by the provider) costs nothing. Its `hold` is
    settled likewise; an answer made in the background is billed later, and held until then.
    """
    usage = None if outcome == "ok" and _counts_nothing(job.request, usage) else usage
    told, billed = _bill_is_told(job, usage), usage is not None or may_be_billed or job.request.background
    usage = (usage or _expected(job.request, answer_chars, billed=may_be_billed)).repaired()
    if credential == CALLER:
        # Its provider bills the caller, and whatever is counted here is no estimate of a bill of ours.
        usage = usage._replace(estimated=False)
    cost, billed_as = _price(job, target, usage, ended, credential, billed=billed, batch=batch)
    retry_after_s, ordinal = failure.retry_after_s if failure is not None else None, len(job.attempts)
    values = (
        attempt_id(job),
        job.request_id,
        ordinal,
        target.provider,
        target.model,
        via,
        outcome,
        failure.status if failure is not None else None,
        job.started_at_us + trunc((started - job.started) * 1e6),
        trunc((ended - started) * 1e6),
        None if first_token_s is None else trunc(first_token_s * 1e6),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_read_tokens,
        usage.cache_write_tokens,
        usage.cache_write_long_tokens,
        usage.reasoning_tokens,
        usage.input_audio_tokens + usage.output_audio_tokens,
        usage.input_image_tokens + usage.output_image_tokens,
        cost,
        usage.estimated,
        target.offering.prices.source,
        None if retry_after_s is None else trunc(retry_after_s * 1e6),
        failure.message[:MESSAGE_CHARS_MAX] if failure is not None else "",
        credential,
        billed_as,
        shown_units(usage.units) if usage.units else "",
        "" if hold is None else hold.settle(cost, known=told, billed=billed),
        _prompt_cache_saved(target, usage, billed_as),
    )
    event = new_tuple(AttemptEvent, values)
    job.attempts.append(event)
    return event


def _price(
    job: Job, target: Target, usage: Usage, ended: float, credential: str, *, billed: bool, batch: bool
) -> tuple[NanoUsd | None, str]:
    """What it costs, and which prices apply."""
    if credential == CALLER:
        return NanoUsd(0), CALLER
    if not billed:
        return NanoUsd(0), ""
    if batch:
        return bill(target.offering.prices, usage, batch=True), BATCH
    return charged(job, target, usage, ended, claim=True)


def _bill_is_told(job: Job, usage: Usage | None) -> bool:
    """Whether the provider said what it bills; of an answer made in the background it says so at its end."""
    return usage is not None and (not job.request.background or usage.total_tokens > 0)


def _counts_nothing(request: LlmRequest, usage: Usage | None) -> bool:
    """Whether a count cannot be one: servers that do not count say 0, and no prompt is shorter than a token.

    What is made in the background is counted at its end.
    """
    if usage is None or request.background:
        return False
    return usage.input_tokens <= 0 and request.operation in _READS_TEXT


def _prompt_cache_saved(target: Target, usage: Usage, billed_as: str) -> int | None:
    """What the provider's prompt cache saved on this bill; None: it had a part, and nobody knows.

    Nothing where this bill would have been 0 without it, too.
    """
    if billed_as in (CALLER, RESERVED):
        return 0
    variant = None if billed_as == BATCH else billed_as or None
    return prompt_cache_saving(target.offering.prices, usage, batch=billed_as == BATCH, variant=variant)


def _expected(request: LlmRequest, answer_chars: int, *, billed: bool) -> Usage:
    """What we count where the provider gave no count; flagged as ours. Nothing, where nothing is billed.

    What answers are measured in is not always text: a file's size says nothing about its sound.
    """
    if not billed:
        return NO_USAGE
    if request.units:
        tokens = request.input_tokens_typical if request.operation is Operation.RERANK else 0
        return Usage(tokens, units=request.units, estimated=True)
    written = answer_chars if request.operation in _WRITES_TEXT else 0
    return estimated_usage(request.input_tokens_typical, written)
