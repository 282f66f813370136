"""The wide event: everything worth knowing about one request, as flat tuples.

From these, metrics, usage rows and the explorer are derived; nothing else counts requests. NamedTuples,
because one is made per request on the hot path. Times are UTC epoch microseconds, durations
microseconds, money nano-dollars; None is unknown. No prompt, no answer, no secret ever stands here.
"""

from typing import Final, NamedTuple

PLANNED_MAX: Final = 8
"""Targets of a plan that its event names."""


new_tuple: Final = tuple.__new__
"""Makes an event of its values in their order: several times as quick as calling its class with so many."""


class AttemptEvent(NamedTuple):
    """One call to one target."""

    attempt_id: str
    request_id: str
    ordinal: int
    """0 is the first attempt of the request."""
    provider: str
    model: str
    via: str
    outcome: str
    """`ok`, a failure kind, `cancelled`, or `unresolved`: sent, and nobody knows whether it was billed."""
    status: int | None
    started_at_us: int
    duration_us: int
    first_token_us: int | None
    """From the attempt's start to the first content; None when there was none."""
    input_tokens: int
    output_tokens: int
    cached_read_tokens: int
    cache_write_tokens: int
    cache_write_long_tokens: int
    reasoning_tokens: int
    audio_tokens: int
    image_tokens: int
    cost_nano_usd: int | None
    estimated: bool
    price_source: str
    retry_after_us: int | None
    message: str
    """Short and safe: why it failed; empty when it did not."""
    credential: str
    """Id of the provider key that was used; `caller` for the caller's own; empty: the only one."""
    billed_as: str
    """Which prices applied: empty for the usual ones, a variant's name, `batch`, or `caller` (not billed)."""
    units: str
    """What was counted beside tokens, as `images:1024x1024=2 characters=40`; empty: nothing."""
    ledger: str
    """What it did to budgets (`domain.budgets.posting`); empty: no budget was concerned."""
    prompt_cache_saved_nano_usd: int | None
    """What the provider's prompt cache saved, less what writing it cost more; negative: it was written in
    vain. 0: it had no part; None: nobody knows."""


class RequestEvent(NamedTuple):
    """One request as it was answered, with its attempts."""

    request_id: str
    tenant_id: str
    key_id: str
    agent_id: str
    user_id: str
    session_id: str
    workflow_id: str
    client_request_id: str
    """The caller's own id for this request, as given; not unique, ours is."""
    operation: str
    dialect: str
    model_asked: str
    route: str
    strategy: str
    provider: str
    """Who answered; empty when nobody did."""
    model: str
    via: str
    outcome: str
    """`ok`, `error`, `cut`, `cancelled` or `refused`."""
    status: int
    error_code: str
    streamed: bool
    simulated: bool
    started_at_us: int
    duration_us: int
    upstream_us: int
    """Time spent waiting for providers; duration less this is our own overhead."""
    plan_us: int
    """Making the plan. Until fields of stages were recorded (`entry_us` and on): everything before it too."""
    queue_us: int
    """Waiting for units of a rate limit; a part of `admit_us`."""
    first_token_us: int | None
    request_bytes: int
    response_bytes: int
    input_tokens: int
    output_tokens: int
    cached_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int | None
    estimated: bool
    candidates: int
    attempts_made: int
    fallbacks: int
    continued: bool
    finish_reason: str
    cache: str
    """What the answer cache did (`domain.caching.effect`): `off`, `bypass`, `miss`, `observe` or `hit-…`; or
    why it ran beside callers' requests: `refresh`, `audit` or `shadow`."""
    dropped: str
    metadata: str
    """The caller's `x-interchange-metadata`, JSON, bounded."""
    affinity: str
    """What the conversation's warm prompt cache did to the choice: `kept`, `moved`, `new`, or empty."""
    reason: str
    """One line for people: why this target answered."""
    team: str
    project: str
    cost_center: str
    """Of the key that asked, as they were then; empty: none."""
    saved_nano_usd: int | None
    """What an earlier or shared answer had cost, so what this one did not; None: nobody knows."""
    cache_similarity: float | None
    """Cosine of this question to the one answered before, where it was not the same; None: not compared."""
    entry_us: int
    """From the request's head to `started_at_us`: recognising the caller, reading and parsing the body. Not
    part of `duration_us`."""
    admit_us: int
    """Limits and inspectors before the plan, waiting for them included; without `cache_us`."""
    cache_us: int
    """Looking for the answer in caches, all tiers."""
    hold_us: int
    """Holding money before attempts, all of them together."""
    trace_id: str
    """Of the W3C trace it belongs to, 32 hexadecimal digits; empty: none."""
    parent_span_id: str
    """The caller's span in it, 16 hexadecimal digits; empty: none."""
    planned: str
    """Targets in the order of the plan, `provider/model`, comma separated, the first `PLANNED_MAX`."""
    left_out: str
    """Why other targets of the route were left out, `reason=count` comma separated
    (`domain.routing.filters.DropReason`); empty: none was, or nobody looked."""
    demands: str
    """What the caller demanded, `name=value` comma separated; empty: nothing."""
    privacy: str
    """What privacy policies did, `action:KIND=count` comma separated; empty: nothing was found."""
    guardrails: str
    """Guardrails that objected, comma separated."""
    breaker_skips: int
    """Targets passed over because a breaker was open."""
    chunks: int
    """Blocks of a stream that were delivered; 0 for whole answers."""
    gap_max_us: int | None
    """The longest pause between two of them; None: there were not two."""
    checks: str
    """What automatic checks of the answer found, comma separated: `truncated`, `empty`, `cut`, `refusal`,
    `invalid_json`; empty: nothing."""
    task: str
    """Kind of task, such as `chat`, `code`, `extraction`, `tools`, `vision`, `embedding`; empty: not told."""
    budget_left_nano_usd: int | None
    """What was left of the tightest hard budget, as far as this instance knew; None: none concerns it."""
    experiment: str
    """Id of the experiment it took part in; empty: none."""
    arm: str
    """The experiment's arm that answered it."""
    traced: bool
    """Whether its trace is recorded here, as was decided when it began; who is told of it is told this."""
    propensity: float | None
    """The chance, 0 to 1, that the first of `planned` was chosen, given everything the choice could see; 1:
    it was certain; None: nothing was planned, or nobody can tell."""
    attempts: tuple[AttemptEvent, ...]
