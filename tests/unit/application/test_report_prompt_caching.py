"""How well prompt caches are used, and where they could be used better."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.memory.system import START, SteppingClock
from adapters.memory.usage import InMemoryUsageLog
from application.ports.usage_query import UsageFilter
from application.runtime import Runtime
from application.use_cases.report_prompt_caching import PromptCachingReport, ReportPromptCaching
from contracts.ports.usage import attempt, usage_event
from domain.analytics.prompt_caching import PromptCachingAdvice, PromptCachingSums, advice_for
from domain.errors import Forbidden
from domain.routing.prompt_cache import CacheHabit, PromptCaching, PromptCachingPolicy
from domain.tenancy.role import local_operator
from tests.unit.application.test_report_usage import principal
from tests.unit.routing._world import live_of, table_of, target

NOW_US = (START - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
MARKED = CacheHabit(by_mark=True, marks_max=4)
AUTO = PromptCachingPolicy(mode=PromptCaching.AUTO)
LONG_PROMPTS = PromptCachingSums(30, 30, 30 * 2_000, 0, 0, 0, 0)


def report(*events: dict[str, Any]) -> ReportPromptCaching:
    log = InMemoryUsageLog()
    for number, changes in enumerate(events):
        saved = changes.pop("prompt_saved", 0)
        row = attempt(f"req_{number:012d}", 0, prompt_cache_saved_nano_usd=saved)
        changes = {"route": "auto", "started_at_us": NOW_US, "attempts": (row,), **changes}
        log.record(usage_event(number, **changes))
    table = table_of(replace(target("acme/small"), prompt_cache=MARKED), target("acme/large"))
    return ReportPromptCaching(log, Runtime(table, live_of(table)), SteppingClock())


async def asked(*events: dict[str, Any], by: str = "") -> PromptCachingReport:
    who = principal(by) if by else local_operator()
    return await report(*events)(who, UsageFilter())


async def test_lines_are_by_model_and_route_with_the_most_input_first() -> None:
    found = await asked(
        {"input_tokens": 1_000, "cached_read_tokens": 250, "prompt_saved": 70},
        {"input_tokens": 9_000, "cache_write_tokens": 500, "prompt_saved": -20, "model": "large"},
    )

    assert [(line.provider, line.model, line.route) for line in found.lines] == [
        ("acme", "large", "auto"),
        ("acme", "small", "auto"),
    ]
    assert found.lines[1].sums == PromptCachingSums(1, 1, 1_000, 250, 0, 70, 0)
    assert found.lines[1].sums.hit_share == 0.25
    assert (found.totals.saved_nano_usd, found.totals.cache_write_tokens) == (50, 500)
    assert (found.lines[1].caching, found.lines[1].tokens_min) == ("off", 1024)
    assert found.complete


async def test_a_route_with_long_prompts_and_hardly_a_hit_is_a_candidate() -> None:
    found = await asked(*({"input_tokens": 2_000} for _ in range(20)))

    assert found.lines[0].advice is PromptCachingAdvice.SWITCH_ON


async def test_what_is_gone_from_the_configuration_is_shown_without_advice() -> None:
    found = await asked(*({"input_tokens": 2_000, "route": "gone"} for _ in range(20)))

    assert (found.lines[0].caching, found.lines[0].advice) == ("", None)


async def test_unanswered_requests_are_no_line() -> None:
    found = await asked({"provider": "", "model": ""})

    assert found.lines == () and found.totals.hit_share is None


async def test_a_month_is_looked_at_and_only_the_own_tenant() -> None:
    day_us = 86_400 * 1_000_000
    events: list[dict[str, Any]] = [{}, {"started_at_us": NOW_US - 40 * day_us}, {"tenant_id": "other"}]

    mine, everybodys = await asked(*map(dict, events), by="viewer"), await asked(*map(dict, events))

    assert (mine.totals.requests, everybodys.totals.requests) == (1, 2)
    with pytest.raises(Forbidden):
        await report()(principal("viewer"), UsageFilter(tenant_id="other"))


@pytest.mark.parametrize(
    ("sums", "habit", "policy", "advice"),
    [
        (LONG_PROMPTS, MARKED, PromptCachingPolicy(), PromptCachingAdvice.SWITCH_ON),
        (LONG_PROMPTS, CacheHabit(takes_key=True), PromptCachingPolicy(), PromptCachingAdvice.SWITCH_ON),
        (LONG_PROMPTS, CacheHabit(), PromptCachingPolicy(), None),
        (LONG_PROMPTS, MARKED, AUTO, None),
        (LONG_PROMPTS._replace(attempts=19), MARKED, PromptCachingPolicy(), None),
        (LONG_PROMPTS._replace(input_tokens=30 * 1_000), MARKED, PromptCachingPolicy(), None),
        (LONG_PROMPTS._replace(cached_read_tokens=6_000), MARKED, PromptCachingPolicy(), None),
        (LONG_PROMPTS._replace(saved_nano_usd=-1), MARKED, AUTO, PromptCachingAdvice.WRITTEN_IN_VAIN),
    ],
)
def test_advice_follows_from_what_is_known(
    sums: PromptCachingSums,
    habit: CacheHabit,
    policy: PromptCachingPolicy,
    advice: PromptCachingAdvice | None,
) -> None:
    assert advice_for(sums, habit, policy) is advice
