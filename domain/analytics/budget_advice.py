"""Advice about budgets that bound nothing, and about those that are used up long before their period ends.

What counts are whole periods under the limit that is in force now, so that whoever changed a limit is told
nothing before enough periods under the new one are over. Sliding windows and budgets without an end have no
periods to compare.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

from domain.analytics.facts import BudgetPeriod, Facts
from domain.analytics.recommendation import Advice, Kind, subject_of, usd
from domain.analytics.rollup import DAY_US
from domain.money import format_usd

PERIODS_MIN: Final = 3
"""Whole periods with spending that have to be over."""
PERIODS_MAX: Final = 30
"""The newest that are looked at."""
LOOSE_DAYS_MIN: Final = 14
"""From the first of them to the end of the last, before a budget is called too wide."""
LOOSE_SHARE_MAX: Final = 0.25
"""Of the limit, in the period that used most of it."""
ROOM: Final = 2
"""What is proposed in place of a limit that bounds nothing: so many times the most that was used."""
USED_UP_SHARE: Final = 0.98
"""Of a hard limit: what is left is too little for most requests."""
TIGHT_SHARE_MIN: Final = 0.5
"""Of the periods that were used up."""
EARLY_SHARE_MAX: Final = 0.9
"""Of a period, when its last charge came, in the middle one: used up in its last tenth is a good fit."""
EVIDENCE_PERIODS_MAX: Final = 12
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def budgets(facts: Facts) -> Iterator[Advice]:
    """At most one for each budget."""
    by_budget: dict[str, list[BudgetPeriod]] = defaultdict(list)
    for one in facts.budget_periods:
        by_budget[one.budget_id].append(one)
    for _, found in sorted(by_budget.items()):
        newest = max(found, key=lambda one: one.start_us)
        if newest.end_us + (newest.end_us - newest.start_us) <= facts.to_us:
            continue  # nothing was spent under it lately, or it is gone
        same = [
            one for one in found if one.limit_nano_usd == newest.limit_nano_usd and one.unit == newest.unit
        ]
        over = [one for one in same if one.end_us <= facts.to_us and one.hard == newest.hard]
        starts = sorted({one.start_us for one in over}, reverse=True)[:PERIODS_MAX]
        if len(starts) < PERIODS_MIN or newest.limit_nano_usd <= 0:
            continue
        over = [one for one in over if one.start_us >= starts[-1]]
        yield from _tight(newest, over, len(starts)) or _loose(newest, over, len(starts))


def _tight(budget: BudgetPeriod, over: Sequence[BudgetPeriod], periods: int) -> list[Advice]:
    least = round(budget.limit_nano_usd * (USED_UP_SHARE if budget.hard else 1))
    used_up = [one for one in over if one.used_nano_usd >= max(1, least)]
    count = len({one.start_us for one in used_up})
    if not used_up or count < TIGHT_SHARE_MIN * periods:
        return []
    passed = max(one.used_nano_usd for one in used_up)
    subject, _ = Counter(one.subject for one in used_up).most_common(1)[0]
    often = f"{count} of {periods} {budget.unit}s"
    told: dict[str, Any] = {"periods_used_up": count, "most_often_used_up_by": subject[:256]}
    if budget.hard:
        when = median(_elapsed(one) for one in used_up)
        if when > EARLY_SHARE_MAX:
            return []
        told |= {"last_charge_after_share_of_period": round(when, 4), "used_up_from_share": USED_UP_SHARE}
        sentence = (
            f"Budget {budget.name} ({usd(budget.limit_nano_usd)} a {budget.unit}) was used up in {often}, "
            f"in the middle one after {when:.0%} of the {budget.unit}; what came later was refused. Raise "
            f"it, or look at what uses it up{_named(subject)}."
        )
    else:
        told |= {"most_passed_usd": format_usd(passed - budget.limit_nano_usd)}
        sentence = (
            f"Budget {budget.name} ({usd(budget.limit_nano_usd)} a {budget.unit}) was passed in {often}, by "
            f"up to {usd(passed - budget.limit_nano_usd)}, and refuses nothing. Raise it to what is meant, "
            f"or make it hard; look at what uses it up{_named(subject)}."
        )
    return [_advice(Kind.TIGHT_BUDGET, budget, sentence, over, periods, told)]


def _loose(budget: BudgetPeriod, over: Sequence[BudgetPeriod], periods: int) -> list[Advice]:
    most = max(one.used_nano_usd for one in over)
    span_us = max(one.end_us for one in over) - min(one.start_us for one in over)
    if most > LOOSE_SHARE_MAX * budget.limit_nano_usd or span_us < LOOSE_DAYS_MIN * DAY_US:
        return []
    proposed = _round_up(ROOM * most)
    if not 0 < proposed < budget.limit_nano_usd:
        return []
    share = most / budget.limit_nano_usd
    sentence = (
        f"Budget {budget.name} ({usd(budget.limit_nano_usd)} a {budget.unit}) bounds nothing: of {periods} "
        f"{budget.unit}s none used more than {usd(most)} ({share:.1%}) of it. At {usd(proposed)} it would "
        "have stopped none of them, and would stop a mistake sooner."
    )
    told = {"proposed_limit_usd": format_usd(proposed), "most_used_share": round(share, 4)}
    return [_advice(Kind.LOOSE_BUDGET, budget, sentence, over, periods, told)]


def _advice(
    kind: Kind,
    budget: BudgetPeriod,
    sentence: str,
    over: Sequence[BudgetPeriod],
    periods: int,
    told: dict[str, Any],
) -> Advice:
    newest = sorted(over, key=lambda one: (-one.start_us, -one.used_nano_usd, one.subject))
    return Advice(
        kind=kind,
        subject=subject_of(budget=budget.budget_id),
        sentence=sentence,
        evidence={
            "budget_id": budget.budget_id,
            "budget": budget.name,
            "hard": budget.hard,
            "period": budget.unit,
            "limit_usd": format_usd(budget.limit_nano_usd),
            "periods": periods,
            "from_us": min(one.start_us for one in over),
            "to_us": max(one.end_us for one in over),
            "most_used_usd": format_usd(max(one.used_nano_usd for one in over)),
            **told,
            "newest_periods": [_line(one) for one in newest[:EVIDENCE_PERIODS_MAX]],
        },
    )


def _line(one: BudgetPeriod) -> str:
    began = _EPOCH + timedelta(microseconds=one.start_us)
    share = one.used_nano_usd / one.limit_nano_usd
    of = f", {one.subject[:80]}" if one.subject else ""
    return f"{began:%Y-%m-%d %H:%M} UTC{of}: {usd(one.used_nano_usd)} ({share:.1%})"


def _elapsed(one: BudgetPeriod) -> float:
    """How much of the period was over at its last charge."""
    return min(1.0, max(0.0, (one.last_us - one.start_us) / (one.end_us - one.start_us)))


def _named(subject: str) -> str:
    return f" (most often {subject[:80]})" if subject else ""


def _round_up(amount: int) -> int:
    """To two digits, so that it reads like a limit somebody chose."""
    unit: int = 10 ** max(0, len(str(amount)) - 2)
    return -(-amount // unit) * unit
