"""Advice to let another model answer: what it would have cost there, and whether it could.

Only where the whole interval saves. A target that the route has already is one its operator trusts with the
route's work; any other has to be at least what the present one is: as capable, as large, in the same place,
under the same rules, and not worse.

Where all of it cannot be moved, the requests of one kind of task may: at that task it has to be learned of
both models that the other one is not worse.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from domain.analytics.baseline import COUNTED, NOBODYS, Group, cost_elsewhere, priced_part
from domain.analytics.estimate import Estimate
from domain.analytics.event import RequestEvent
from domain.analytics.facts import REQUESTS_MIN, WORTH_NANO_USD, Facts, QualityFact
from domain.analytics.monthly import looked_at, per_month
from domain.analytics.recommendation import Advice, Kind, amounts, saves, subject_of
from domain.analytics.rollup import RollupSums
from domain.analytics.token_ratios import Tokens
from domain.caching.effect import HITS
from domain.catalog.prices import rates_for
from domain.llm.capabilities import Capability
from domain.money import format_usd
from domain.routing.target import Route, Target

_BY_TASK: Final = {
    "vision": Capability.VISION,
    "tools": Capability.FUNCTION_CALLING,
    "tool_call": Capability.FUNCTION_CALLING,
    "extraction": Capability.STRUCTURED_OUTPUT,
}


class Needs(NamedTuple):
    """What requests of one route, answered by one model, used of it, as far as the sample tells."""

    capabilities: Capability
    window_tokens: int
    """Of the longest request with its answer."""
    demanded: bool
    """Whether any caller demanded a place, a rule or a quality."""


class Work(NamedTuple):
    """What one model answered on one route; `task` is empty for all of it."""

    route: Route
    present: Target
    sums: RollupSums
    needs: Needs
    task: str = ""


class Choice(NamedTuple):
    """One that could do it, with what the period's work would have cost there."""

    target: Target
    in_route: bool
    tokens: Tokens
    cost: Estimate


def moves(facts: Facts) -> Iterator[Advice]:
    """For each route and model: to move all of it, or else the tasks that can be moved."""
    by_task = {task: _answered(groups) for task, groups in sorted(facts.task_groups.items()) if task}
    for place, sums in sorted(_answered(facts.groups).items()):
        route, present = facts.routes.get(place[0]), facts.target(*place[1:])
        if route is None or present is None or sums.requests < REQUESTS_MIN:
            continue
        whole = _advised(facts, Work(route, present, sums, needs_of(facts.sample, route.name, present)))
        if whole is not None:
            yield whole
            continue
        for task, answered in by_task.items():
            part = answered.get(place)
            if part is None or not REQUESTS_MIN <= part.requests < sums.requests:
                continue
            sample = [one for one in facts.sample if one.task == task]
            needs = needs_of(sample, route.name, present)
            advice = _advised(facts, Work(route, present, part, needs, task))
            if advice is not None:
                yield advice


def _advised(facts: Facts, work: Work) -> Advice | None:
    best = _best(_choices(facts, work), work.sums.cost_nano_usd)
    return None if best is None else _advice(facts, work, best)


def _answered(groups: Iterable[Group]) -> dict[tuple[str, str, str], RollupSums]:
    """Priced sums of what models answered, by route, provider and model."""
    found: dict[tuple[str, str, str], RollupSums] = {}
    for group in groups:
        if group.operation not in COUNTED or group.cache in HITS or group.cache in NOBODYS:
            continue
        if not group.provider or not group.sums.requests:
            continue
        place, sums = (group.route, group.provider, group.model), priced_part(group.sums)
        known = found.get(place)
        found[place] = (
            sums if known is None else RollupSums(*(a + b for a, b in zip(known, sums, strict=True)))
        )
    return found


def needs_of(sample: Iterable[RequestEvent], route: str, present: Target) -> Needs:
    """From single requests; what none of them used is not needed."""
    capabilities, window, demanded = Capability.TEXT, 0, False
    for one in sample:
        if (one.route, one.provider, one.model) != (route, present.provider, present.model):
            continue
        if one.streamed:
            capabilities |= Capability.STREAMING
        capabilities |= _BY_TASK.get(one.task, Capability.TEXT)
        window = max(window, one.input_tokens + one.output_tokens)
        demanded = demanded or any(
            word in one.demands for word in ("residency=", "compliance=", "quality_floor=")
        )
    return Needs(capabilities, window, demanded)


def _choices(facts: Facts, work: Work) -> Iterator[Choice]:
    route, present, sums, needs, _ = work
    members = {member.target.id for member in route.targets}
    for target in facts.targets:
        if target.id == present.id or not target.offering.prices.known:
            continue
        in_route = target.id in members
        if not (suits_route(present, target, needs) if in_route else replaces(present, target, needs)):
            continue
        if not good_enough(facts, work, target, trusted=in_route):
            continue
        tokens = facts.ratio_of(
            route.name, (present.provider, present.model), (target.provider, target.model)
        )
        cost = cost_elsewhere(target.offering.prices, sums, tokens)
        if cost is not None:
            yield Choice(target, in_route, tokens, cost)


def suits_route(present: Target, other: Target, needs: Needs) -> bool:
    """Whether one of the route's own targets could do what was asked of the present one."""
    window = other.offering.context_tokens
    return (
        not needs.capabilities & ~other.offering.capabilities
        and (window is None or needs.window_tokens <= window)
        and (not needs.demanded or (_same_place(present, other) and present.compliance <= other.compliance))
        and other.simulated == present.simulated
    )


def replaces(present: Target, other: Target, needs: Needs) -> bool:
    """Whether a target the route does not have is all that the present one is."""
    mine, theirs = present.offering, other.offering
    window = max(needs.window_tokens, mine.context_tokens or 0)
    return (
        not (mine.capabilities | needs.capabilities) & ~theirs.capabilities
        and theirs.context_tokens is not None
        and window <= theirs.context_tokens
        and _same_place(present, other)
        and present.compliance <= other.compliance
        and present.tags <= other.tags
        and other.simulated == present.simulated
        and theirs.deprecated_on is None
    )


def _same_place(present: Target, other: Target) -> bool:
    return present.region == other.region


def good_enough(facts: Facts, work: Work, other: Target, *, trusted: bool) -> bool:
    """By what was learned of both, else by what is declared of both; where neither tells, only `trusted`.

    Of one task nothing counts but what was learned of both at it. All of the work is good enough only where
    the other model is shown to be worse at no task of it.
    """
    route, present, drop = work.route, work.present, facts.wishes.quality_drop_max
    if work.task:
        at = [facts.quality_at(work.task, one.provider, one.model) for one in (present, other)]
        return at[0] is not None and at[1] is not None and at[1].low >= at[0].mean - drop
    if any(theirs.high < mine.mean - drop for mine, theirs in _by_task(facts, work, other).values()):
        return False
    mine = facts.quality_of(route.name, present.provider, present.model)
    theirs = facts.quality_of(route.name, other.provider, other.model)
    if mine is not None and theirs is not None:
        return theirs.low >= mine.mean - drop
    if present.offering.quality is not None and other.offering.quality is not None:
        return other.offering.quality >= present.offering.quality - drop
    return trusted


def _by_task(facts: Facts, work: Work, other: Target) -> dict[str, tuple[QualityFact, QualityFact]]:
    """What was learned of both at each task of this work, where something was learned of both."""
    present, found = work.present, {}
    place = (work.route.name, present.provider, present.model)
    for task, groups in facts.task_groups.items():
        if not any((one.route, one.provider, one.model) == place for one in groups):
            continue
        mine = facts.quality_at(task, present.provider, present.model)
        theirs = facts.quality_at(task, other.provider, other.model)
        if mine is not None and theirs is not None:
            found[task] = mine, theirs
    return found


def _best(choices: Iterable[Choice], cost_nano_usd: int) -> Choice | None:
    """The cheapest whose whole interval saves; the route's own before others."""
    saving = [one for one in choices if one.cost.high < cost_nano_usd]
    own = [one for one in saving if one.in_route]
    return min(own or saving, key=lambda one: (one.cost.expected, one.target.id), default=None)


def _advice(facts: Facts, work: Work, best: Choice) -> Advice | None:
    route, present, sums, needs, task = work
    spent, there = sums.cost_nano_usd, best.cost
    period = Estimate(spent - there.high, spent - there.expected, spent - there.low)
    by_day = facts.group_days.get((route.name, present.provider, present.model), ())
    saving = per_month(period, facts.days, by_day)
    if saving.expected < WORTH_NANO_USD:
        return None
    learned = [_learned(facts, work, one) for one in (present, best.target)]
    sentence = f"On route {route.name}, move {present.own_id} to {best.target.own_id}: {saves(saving)}."
    if task:
        sentence = (
            f"On route {route.name}, let {best.target.own_id} answer the {task} requests of "
            f"{present.own_id}, by a route of their own: it is no worse at them, and {saves(saving)}."
        )
    evidence = {
        **looked_at(facts, sums.requests),
        "route": route.name,
        **({"task": task} if task else {}),
        "from": present.own_id,
        "to": best.target.own_id,
        "in_route": best.in_route,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "spent_usd": format_usd(spent),
        "would_have_cost": amounts(there),
        "saved_in_period": amounts(period),
        "prices": {one.own_id: prices_of(one, sums) for one in (present, best.target)},
        "tokens": {"input": best.tokens.input._asdict(), "output": best.tokens.output._asdict()},
        "capabilities_used": sorted(
            each.name.lower() for each in Capability if each.name and each in needs.capabilities
        ),
        "longest_request_tokens": needs.window_tokens,
        "quality": {
            one.own_id: {
                "declared": one.offering.quality,
                "learned": None if fact is None else fact._asdict(),
            }
            for one, fact in zip((present, best.target), learned, strict=True)
        },
        "quality_by_task": {
            each: {one.own_id: fact._asdict() for one, fact in zip((present, best.target), both, strict=True)}
            for each, both in sorted(_by_task(facts, work, best.target).items())
            if task in ("", each)
        },
        "assumed": _assumed(facts, best, learned_both=None not in learned),
    }
    return Advice(
        kind=Kind.MOVE,
        subject=subject_of(route=route.name, move=present.own_id, **({"task": task} if task else {})),
        sentence=sentence,
        evidence=evidence,
        saving=saving,
        integration_id=present.provider,
    )


def _learned(facts: Facts, work: Work, target: Target) -> QualityFact | None:
    if work.task:
        return facts.quality_at(work.task, target.provider, target.model)
    return facts.quality_of(work.route.name, target.provider, target.model)


def prices_of(target: Target, sums: RollupSums) -> dict[str, int | None]:
    """Nano-dollars per million tokens, of a request of the mean size."""
    rates = rates_for(target.offering.prices, sums.input_tokens // max(1, sums.requests))
    return {
        "input_nano_usd_per_mtok": rates.input,
        "output_nano_usd_per_mtok": rates.output,
        "per_request_nano_usd": target.offering.prices.per_request,
    }


def _assumed(facts: Facts, best: Choice, *, learned_both: bool) -> list[str]:
    said = ["nothing is read from the other provider's prompt cache"]
    if not best.tokens.input.observed:
        share = facts.wishes.token_uncertainty
        said.append(f"the other model counts as many tokens, give or take {share:.0%}")
    if not best.tokens.output.observed:
        said.append("its answers are as long, give or take the same share")
    if not learned_both:
        said.append("quality is as declared; where nothing is, the route's own targets are trusted")
    if not facts.sample_complete:
        said.append("the sample shows the longest requests and everything that they used")
    return said
