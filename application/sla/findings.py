"""What measures of several windows say to each rule. Pure: from sums to findings."""

from collections.abc import Iterator, Mapping
from typing import Final

from application.ports.alerts import Finding
from application.sla.terms import AlertTerms, owner_of
from domain.money import NanoUsd, format_usd
from domain.sla.measure import (
    DAY_US,
    DURATION_MS,
    HOUR_US,
    NOTHING,
    Measure,
    provider_scope,
    quantile_ms,
    scope_of,
)
from domain.sla.objective import BURN_WINDOWS, Objective, burn_rate, can_burn
from domain.sla.rules import (
    BAD_LEAST,
    BURN_FAST,
    BURN_SLOW,
    COST,
    ERRORS,
    HITS,
    LATENCY,
    PROVIDER_FAILURES,
    SCOPED,
    AlertRule,
)
from domain.sla.words import percent

_US: Final = 1_000_000
_PROVIDER: Final = provider_scope("")

Sums = Mapping[int, Mapping[str, Measure]]
"""By the length of a window that ends now, in microseconds: what each scope adds up to."""


def lengths_us(terms: AlertTerms) -> list[int]:
    """Of all windows that end now and have to be asked for, each once."""
    lengths = {round(rule.window_s * _US) for rule in terms.rules.values() if rule.looks_at in SCOPED}
    lengths.add(round(_window_s(terms, PROVIDER_FAILURES) * _US))
    for pair in BURN_WINDOWS:
        lengths |= {pair.long_us, pair.short_us}
    return sorted(lengths - {0})


def day_before(terms: AlertTerms, now_us: int) -> tuple[int, int]:
    """The 24 whole hours that were over when the present window of `cost-per-request` began."""
    until_us = now_us - round(_window_s(terms, COST) * _US)
    until_us -= until_us % HOUR_US
    return until_us - DAY_US, until_us


def _window_s(terms: AlertTerms, name: str) -> float:
    found = terms.rules.get(name)
    return 0.0 if found is None else found.window_s


def findings(terms: AlertTerms, sums: Sums, before: Mapping[str, Measure]) -> Iterator[Finding]:
    """Of all rules that judge requests; a value of None is too little to judge."""
    for rule in terms.rules.values():
        kind = rule.looks_at
        if kind in SCOPED:
            scope = scope_of(rule.tenant_id, rule.route)
            now = sums.get(round(rule.window_s * _US), {}).get(scope, NOTHING)
            read = _OF_REQUESTS.get(kind)
            value, judged, note = read(now) if read else _cost(now, before.get(scope, NOTHING))
            yield Finding(rule.name, scope, owner_of(rule.tenant_id), value, note, judged)
        elif kind == PROVIDER_FAILURES:
            for scope, measure in sums.get(round(rule.window_s * _US), {}).items():
                if scope.startswith(_PROVIDER):
                    yield _provider(rule, scope.removeprefix(_PROVIDER), measure)
        elif kind in (BURN_FAST, BURN_SLOW):
            for objective in terms.objectives:
                yield _burning(rule, objective, sums)


def _provider(rule: AlertRule, provider: str, measure: Measure) -> Finding:
    share = measure.failed / measure.counted if measure.counted else None
    note = f"{percent(share)} of {measure.counted} attempts at {provider} failed"
    return Finding(rule.name, provider, owner_of(""), share, note, measure.counted)


def _burning(rule: AlertRule, objective: Objective, sums: Sums) -> Finding:
    """The worst of the pairs of windows, as a share of the burn rate that each allows."""
    worst, judged, note = None, 0.0, "too little to judge"
    for pair in BURN_WINDOWS:
        if pair.page != (rule.looks_at == BURN_FAST) or not can_burn(objective, pair):
            continue
        long = objective.tally(sums.get(pair.long_us, {}).get(objective.scope, NOTHING))
        short = objective.tally(sums.get(pair.short_us, {}).get(objective.scope, NOTHING))
        rates = (burn_rate(objective, long), burn_rate(objective, short))
        judged = max(judged, long.whole)
        if long.whole < rule.least or rates[0] is None:
            continue
        # Without requests in the short window nothing goes on burning.
        value = 0.0 if long.bad < BAD_LEAST else min(rates[0], rates[1] or 0.0) / pair.rate
        if worst is None or value > worst:
            worst = value
            note = (
                f"{objective.name}: the error budget burns {rates[0]:.1f} times as fast as allowed over "
                f"{pair.name}, {rates[1] or 0.0:.1f} times lately: above "
                f"{pair.rate * rule.threshold:.3g} times is too fast"
            )
    return Finding(rule.name, objective.name, owner_of(objective.tenant_id), worst, note, judged)


def _cost(now: Measure, before: Measure) -> tuple[float | None, float, str]:
    mean, usual = now.cost_per_request_nano_usd(), before.cost_per_request_nano_usd()
    # As much has to be known of the day before as of now: a rise over one request is no rise.
    judged = min(now.priced, before.priced)
    if mean is None or not usual:
        return None, judged, "too little to judge"
    rise = mean / usual - 1
    note = (
        f"a request costs {format_usd(NanoUsd(round(mean)))} USD, {percent(abs(rise))} "
        f"{'more' if rise >= 0 else 'less'} than in the 24 hours before "
        f"({format_usd(NanoUsd(round(usual)))} USD)"
    )
    return rise, judged, note


def _hits(now: Measure) -> tuple[float | None, float, str]:
    share = now.hits / now.lookups if now.lookups else None
    return share, now.lookups, f"{percent(share)} of {now.lookups} look-ups were hits"


def _latency(now: Measure) -> tuple[float | None, float, str]:
    p95_ms = quantile_ms(now.durations, DURATION_MS, 0.95)
    value = None if p95_ms is None else p95_ms / 1000
    if value is None:
        return None, now.counted, "too little to judge"
    return value, now.counted, f"95 % of {now.counted} requests took at most {value:.2f} s"


def _errors(now: Measure) -> tuple[float | None, float, str]:
    whole = now.requests - now.left_out
    share = now.errors / whole if whole else None
    return share, whole, f"{percent(share)} of {whole} requests ended in an error"


_OF_REQUESTS: Final = {HITS: _hits, LATENCY: _latency, ERRORS: _errors}
