"""Advice about how and by whom money is spent: batches, commitments, and spenders unlike the others."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from domain.analytics.estimate import Estimate
from domain.analytics.facts import REQUESTS_MIN, WORTH_NANO_USD, Facts, HourUse, SpenderFact
from domain.analytics.monthly import looked_at, per_month
from domain.analytics.recommendation import MONTH_DAYS, Advice, Kind, amounts, saves, subject_of, usd
from domain.catalog.prices import BATCH
from domain.money import format_usd
from domain.routing.target import Target

BATCH_REQUESTS_MIN: Final = 100
BATCH_SHARE_MIN: Final = 0.5
"""Of the sampled requests that nobody waited for as they were written."""
STEADY_DAYS_MIN: Final = 14
STEADY_PERCENTILE: Final = 0.1
COMMITMENT_NANO_USD_MIN: Final = 100_000_000_000
"""A hundred dollars a month: nobody negotiates about less."""
SPENDERS_MIN: Final = 5
OUTLIER_FACTOR: Final = 5.0
OUTLIER_SHARE_MIN: Final = 0.05
"""Of all that is spent."""
OUTLIERS_MAX: Final = 5
MAD_TO_SIGMA: Final = 1.4826
OUTLIER_SIGMAS: Final = 5.0


def batches(facts: Facts) -> Iterator[Advice]:
    """For routes whose requests mostly do not stream and name an agent or a workflow: nobody may wait."""
    sampled: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for one in facts.sample:
        if one.provider and not one.cache.startswith("hit-"):
            waits = one.streamed or not (one.agent_id or one.workflow_id)
            sampled[one.route, one.provider, one.model].append(not waits)
    for (route, provider, model), patient in sorted(sampled.items()):
        target = facts.target(provider, model)
        share = sum(patient) / len(patient)
        if target is None or len(patient) < BATCH_REQUESTS_MIN or share < BATCH_SHARE_MIN:
            continue
        off = batch_discount(target)
        by_day = facts.group_days.get((route, provider, model), ())
        if off is None or not off or not target.batch_api:
            continue
        most = round(sum(by_day) * share * off)
        # How many of them could wait for a day nobody knows but their owners: from none to all.
        saving = per_month(Estimate(0, most // 2, most), facts.days, by_day)
        if saving.expected < WORTH_NANO_USD:
            continue
        yield Advice(
            kind=Kind.BATCH,
            subject=subject_of(route=route, batch=target.own_id),
            sentence=f"On route {route}, {share:.0%} of what {target.own_id} answers is not streamed and "
            f"comes from agents; what can wait a day is {off:.0%} cheaper as a batch: {saves(saving)}.",
            evidence={
                **looked_at(facts, len(patient)),
                "route": route,
                "target": target.own_id,
                "share_not_streamed": round(share, 4),
                "batch_discount": round(off, 4),
                "spent_usd": format_usd(sum(by_day)),
                "saving": amounts(saving),
                "assumed": ["between none and all of these requests can wait; half is expected"],
            },
            saving=saving,
            integration_id=provider,
        )


def batch_discount(target: Target) -> float | None:
    """Of the plain price of input and output together; None: there are no batch prices."""
    prices = target.offering.prices
    exact = prices.variant(BATCH)
    if exact is not None:
        plain = (prices.base.input or 0) + (prices.base.output or 0)
        batch = (exact.base.input or 0) + (exact.base.output or 0)
        return max(0.0, 1 - batch / plain) if plain else None
    if prices.batch_multiplier_percent is None:
        return None
    return max(0.0, 1 - prices.batch_multiplier_percent / 100)


def commitments(facts: Facts) -> Iterator[Advice]:
    """What a provider is paid on nine days of ten could be committed to, for a volume discount."""
    days: dict[str, list[int]] = defaultdict(list)
    for one in facts.provider_days:
        days[one.provider].append(one.cost_nano_usd)
    count = round(facts.days)
    if count < STEADY_DAYS_MIN:
        return
    contracts = {one.provider for one in facts.targets if one.contract is not None}
    for provider, spent in sorted(days.items()):
        floor = _floor([*spent, *[0] * (count - len(spent))])
        month = floor * MONTH_DAYS
        if not provider or provider in contracts or month < COMMITMENT_NANO_USD_MIN:
            continue
        discount = facts.wishes.commitment_discount
        saving = Estimate(0, round(month * discount / 2), round(month * discount))
        steady = min(1.0, floor * count / max(1, sum(spent)))
        yield Advice(
            kind=Kind.COMMITMENT,
            subject=subject_of(commitment=provider),
            sentence=f"{provider} is paid at least {usd(floor)} on nine days of ten ({steady:.0%} of all it "
            f"gets). Ask for a volume discount for {usd(month)} per month: at up to {discount:.0%} off, "
            f"{saves(saving)}.",
            evidence={
                **looked_at(facts, 0),
                "provider": provider,
                "daily_floor_usd": format_usd(floor),
                "percentile": STEADY_PERCENTILE,
                "steady_share": round(steady, 4),
                "spent_usd": format_usd(sum(spent)),
                "saving": amounts(saving),
                "assumed": [f"a discount between none and {discount:.0%}; half of it is expected"],
            },
            saving=saving,
            integration_id=provider,
        )


def reserved_capacity(facts: Facts) -> Iterator[Advice]:
    """For models that are busy on nine hours of ten. What capacity costs, its provider alone knows, so the
    price is told below which it pays for itself: what the same hour costs by the token."""
    count = round(facts.days * 24)
    if round(facts.days) < STEADY_DAYS_MIN:
        return
    hours: dict[tuple[str, str], list[HourUse]] = defaultdict(list)
    for one in facts.hours:
        hours[one.provider, one.model].append(one)
    discount = facts.wishes.commitment_discount
    for (provider, model), used in sorted(hours.items()):
        target = facts.target(provider, model)
        if target is None or target.contract is not None or target.simulated:
            continue
        idle = [0] * max(0, count - len(used))
        floor = _floor([*(one.cost_nano_usd for one in used), *idle])
        tokens = _floor([*(one.tokens for one in used), *idle])
        month = floor * 24 * MONTH_DAYS
        if month < COMMITMENT_NANO_USD_MIN:
            continue
        spent = sum(one.cost_nano_usd for one in used)
        steady = min(1.0, floor * count / max(1, spent))
        saving = Estimate(0, round(month * discount / 2), round(month * discount))
        yield Advice(
            kind=Kind.RESERVED_CAPACITY,
            subject=subject_of(reserve=target.own_id),
            sentence=f"On nine hours of ten, {target.own_id} takes at least {tokens // 60:,} tokens a "
            f"minute, for {usd(floor)} an hour ({steady:.0%} of all it gets). Reserved capacity for that "
            f"pays for itself below {usd(floor)} an hour: at up to {discount:.0%} less, {saves(saving)}.",
            evidence={
                **looked_at(facts, 0),
                "target": target.own_id,
                "hours": count,
                "hours_with_use": len(used),
                "hourly_floor_usd": format_usd(floor),
                "floor_tokens_per_minute": tokens // 60,
                "percentile": STEADY_PERCENTILE,
                "steady_share": round(steady, 4),
                "spent_usd": format_usd(spent),
                "saving": amounts(saving),
                "assumed": [
                    f"a price between none and {discount:.0%} below what the same tokens cost; half of it is "
                    "expected",
                    f"not on top of a volume discount of {provider} for the same requests",
                ],
            },
            saving=saving,
            integration_id=provider,
        )


def _floor(amounts: Sequence[int]) -> int:
    """What is reached nine times of ten."""
    return sorted(amounts)[int(STEADY_PERCENTILE * len(amounts))] if amounts else 0


def outliers(facts: Facts) -> Iterator[Advice]:
    """Keys and agents whose requests cost many times what others' do, and that matter for the whole."""
    for kind in ("key", "agent"):
        spenders = [
            one
            for one in facts.spenders
            if one.kind == kind and one.name and one.requests >= REQUESTS_MIN and one.cost_nano_usd > 0
        ]
        if len(spenders) < SPENDERS_MIN:
            continue
        costs = [one.cost_nano_usd / one.requests for one in spenders]
        usual = median(costs)
        sigma = MAD_TO_SIGMA * median(abs(cost - usual) for cost in costs)
        least = max(usual * OUTLIER_FACTOR, usual + OUTLIER_SIGMAS * sigma)
        whole = sum(one.cost_nano_usd for one in spenders)
        strange = [
            one
            for one, cost in zip(spenders, costs, strict=True)
            if cost > least and one.cost_nano_usd >= OUTLIER_SHARE_MIN * whole
        ]
        strange.sort(key=lambda one: (-one.cost_nano_usd, one.name))
        for one in strange[:OUTLIERS_MAX]:
            yield _outlier(one, round(usual), whole, len(spenders))


def _outlier(one: SpenderFact, usual: int, whole: int, others: int) -> Advice:
    each = one.cost_nano_usd // one.requests
    return Advice(
        kind=Kind.OUTLIER,
        subject=subject_of(**{one.kind: one.name}),
        sentence=f"A request of {one.kind} {one.name[:80]} costs {usd(each)}, the usual one {usd(usual)}; "
        f"it makes {one.cost_nano_usd / whole:.0%} of the bill. Look at what it asks for, or give it a "
        "budget.",
        evidence={
            "days": one.days,
            "requests": one.requests,
            one.kind: one.name[:256],
            "cost_per_request_usd": format_usd(each),
            "usual_cost_per_request_usd": format_usd(usual),
            "spent_usd": format_usd(one.cost_nano_usd),
            "compared_with": others,
            "rule": f"over {OUTLIER_FACTOR:g} times the median and {OUTLIER_SIGMAS:g} robust deviations",
        },
    )
