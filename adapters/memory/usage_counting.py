"""Which requests a filter keeps, what they are grouped by, and their sums, over events in memory."""

from collections.abc import Callable, Iterable

from application.ports.usage_query import (
    TIME_DIMENSIONS,
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageTotals,
    shown_value,
)
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.analytics.rollup import DAY_US, HOUR_US, month_of, prompt_saving_unknown
from domain.caching.effect import HITS, LOOKUPS

VALUES: dict[UsageDimension, Callable[[RequestEvent], object]] = {
    UsageDimension.TENANT: lambda event: event.tenant_id,
    UsageDimension.KEY: lambda event: event.key_id,
    UsageDimension.TEAM: lambda event: event.team,
    UsageDimension.PROJECT: lambda event: event.project,
    UsageDimension.COST_CENTER: lambda event: event.cost_center,
    UsageDimension.AGENT: lambda event: event.agent_id,
    UsageDimension.USER: lambda event: event.user_id,
    UsageDimension.SESSION: lambda event: event.session_id,
    UsageDimension.WORKFLOW: lambda event: event.workflow_id,
    UsageDimension.EXPERIMENT: lambda event: event.experiment,
    UsageDimension.ARM: lambda event: event.arm,
    UsageDimension.ROUTE: lambda event: event.route,
    UsageDimension.OPERATION: lambda event: event.operation,
    UsageDimension.PROVIDER: lambda event: event.provider,
    UsageDimension.MODEL: lambda event: event.model,
    UsageDimension.CREDENTIAL: lambda event: event.attempts[-1].credential if event.attempts else "",
    UsageDimension.TASK: lambda event: event.task,
    UsageDimension.OUTCOME: lambda event: event.outcome,
    UsageDimension.CACHE: lambda event: event.cache,
    UsageDimension.MONTH: lambda event: month_of(event.started_at_us // DAY_US),
    UsageDimension.DAY: lambda event: event.started_at_us // DAY_US,
    UsageDimension.HOUR: lambda event: event.started_at_us // HOUR_US,
}


def key_of(event: RequestEvent, by: tuple[UsageDimension, ...]) -> tuple[str, ...]:
    """The group this request belongs to."""
    return tuple(shown_value(dimension, VALUES[dimension](event)) for dimension in by)


def counts(where: UsageFilter, event: RequestEvent) -> bool:
    """Whether this request is one of those asked for."""
    assert not any(dimension in TIME_DIMENSIONS for dimension, _ in where.only), (
        "times are chosen by from and to"
    )
    return (
        (where.from_us is None or event.started_at_us >= where.from_us)
        and (where.to_us is None or event.started_at_us < where.to_us)
        and all(VALUES[dimension](event) in values for dimension, values in where.demands())
    )


def summed(
    key: tuple[str, ...], events: list[RequestEvent], attempts: dict[str, list[AttemptEvent]]
) -> UsageTotals:
    """One group's sums."""
    mine = [attempt for event in events for attempt in attempts.get(event.request_id, ())]
    return UsageTotals(
        key=key,
        requests=len(events),
        ok_requests=sum(event.outcome == "ok" for event in events),
        attempts=len(mine),
        input_tokens=sum(event.input_tokens for event in events),
        output_tokens=sum(event.output_tokens for event in events),
        cached_read_tokens=sum(event.cached_read_tokens for event in events),
        cache_write_tokens=sum(event.cache_write_tokens for event in events),
        reasoning_tokens=sum(event.reasoning_tokens for event in events),
        cost_nano_usd=_known(event.cost_nano_usd for event in events),
        attempt_cost_nano_usd=_known(attempt.cost_nano_usd for attempt in mine),
        unpriced_requests=sum(event.cost_nano_usd is None for event in events),
        estimated_requests=sum(event.estimated for event in events),
        duration_us=sum(event.duration_us for event in events),
        upstream_us=sum(event.upstream_us for event in events),
        first_token_us=_known(event.first_token_us for event in events),
        first_token_requests=sum(event.first_token_us is not None for event in events),
        cache_lookups=sum(event.cache in LOOKUPS for event in events),
        cache_hits=sum(event.cache in HITS for event in events),
        saved_nano_usd=_known(event.saved_nano_usd for event in events),
        unpriced_hits=sum(event.cache in HITS and event.saved_nano_usd is None for event in events),
        prompt_cache_saved_nano_usd=_known(attempt.prompt_cache_saved_nano_usd for attempt in mine),
        unpriced_prompt_cache_attempts=sum(map(prompt_saving_unknown, mine)),
    )


def place_in(order: UsageOrder, row: UsageTotals) -> tuple[object, ...]:
    """What to sort groups by."""
    if order is UsageOrder.KEY:
        return row.key
    amounts = (-row.cost_nano_usd, -row.requests)
    return (*(reversed(amounts) if order is UsageOrder.REQUESTS else amounts), *row.key)


def _known(amounts: Iterable[int | None]) -> int:
    return sum(amount for amount in amounts if amount is not None)
