"""Panels about money: what is spent and saved, which provider is worth it, and what budgets have left."""

from typing import Final

from contracts.dashboard_panels import (
    NANO_PER_USD,
    PROVIDER,
    RANGE,
    ROUTE,
    TENANT,
    Dashboard,
    Panel,
    Query,
    Section,
    bad_above,
    bad_below,
    grown,
    or_zero,
    per_minute,
    quantile,
    rate,
    seen,
    share,
)
from domain.sla.rules import BUDGET, COST, LEDGER, RULES

_USD: Final = "currencyUSD"
_COST: Final = "interchange_cost_usd_total"
_OPERATIONS: Final = "interchange_operation_cost_nano_usd_total"
_SAVED: Final = "interchange_cache_saved_usd_total"
_SAVED_NANO: Final = "interchange_cache_saved_nano_usd_total"
_MISSED: Final = "interchange_cache_miss_cost_nano_usd_total"
_TENANTS: Final = "interchange_tenant_cost_nano_usd_total"
_OK: Final = 'outcome="ok"'
_PLAIN_TOKENS: Final = 'type=~"input|output"'
_TARGET: Final = "provider, model"
_ACCOUNT: Final = "tenant, budget"
_NAMED: Final = "{{tenant}} · {{budget}}"


def _saved_share() -> str:
    saved = or_zero(grown(_SAVED), grown(_COST))
    return f"{saved} / ({saved} + {grown(_COST)})"


def _efficiency(by: str, over: str) -> str:
    missed = grown(_MISSED, ROUTE, by=by, over=over)
    saved = or_zero(grown(_SAVED_NANO, ROUTE, by=by, over=over), missed)
    return f"{saved} / ({saved} + {missed})"


_LOOK: Final = Section(
    "In one look",
    (
        Panel(
            "Spent",
            (Query(grown(_COST, PROVIDER)),),
            _USD,
            "The bill of all attempts with a known price in the time shown. "
            "Who spent it is on the page *Cost & savings*.",
            kind="stat", page="costs", width=4, height=4,
        ),
        Panel(
            "Saved by answers given again",
            (Query(grown(_SAVED, ROUTE)),),
            _USD,
            "What hits of the answer cache would have cost, in the time shown; hits of unknown price are "
            "not in it. Nothing saved: no route caches, or questions do not repeat.",
            kind="stat", page="costs", width=4, height=4,
        ),
        Panel(
            "Saved share",
            (Query(_saved_share()),),
            "percentunit",
            "Of what everything would have cost without answer caches. Savings by routing are on the page "
            "*Cost & savings*, against a baseline that you declare.",
            kind="stat", page="costs", width=4, height=4,
        ),
        Panel(
            "Optimization efficiency",
            (Query(_efficiency("", RANGE)),),
            "percentunit",
            "Saved ÷ saveable on routes that cache. No workload reaches 100 %, because new questions have "
            "to be answered once: compare it with itself. When it falls, look at what stopped repeating.",
            kind="stat", page="cache", width=4, height=4,
        ),
        Panel(
            "Cost per good answer",
            (Query(f"{grown(_OPERATIONS)} / {NANO_PER_USD} / {grown('interchange_requests_total', _OK)}"),),
            _USD,
            "All costs over requests that ended well. Dearer than the day before: a fallback answers "
            "instead of the cheap target, prompts grew, or a cache answers less.",
            kind="stat", page="costs", alert=COST, width=4, height=4,
        ),
        Panel(
            "Spending now, per hour",
            (Query(seen("interchange_spend_rate_usd_per_hour", PROVIDER, across="sum")),),
            _USD,
            "At the pace of the last five minutes. The page *Forecast* says where the month ends.",
            kind="stat", page="forecast", width=4, height=4,
        ),
    ),
)  # fmt: skip

_SAVINGS: Final = Section(
    "Savings as they are made",
    (
        Panel(
            "Saved per hour, by what made the call unnecessary",
            (Query(f"{rate(_SAVED, ROUTE, by='kind')} * 3600", "{{kind}}"),),
            _USD,
            "exact: the same question; semantic: a similar one; coalesced: it was being answered already; "
            "stale: an older answer. Semantic savings are worth their error rate only: see *Cache "
            "Performance*.",
            page="costs", width=12, stacked=True,
        ),
        Panel(
            "Spent per hour, and what it would be without answer caches",
            (
                Query(f"{rate(_COST)} * 3600", "spent"),
                Query(f"({rate(_COST)} + {or_zero(rate(_SAVED), rate(_COST))}) * 3600", "without caches"),
            ),
            _USD,
            "The gap is what caches save. When it closes while requests stay, look at the hit ratio.",
            page="costs", width=12,
        ),
        Panel(
            "Optimization efficiency by route",
            (Query(_efficiency("route", "30m"), "{{route}}"),),
            "percentunit",
            "Saved ÷ saveable over half an hour. A route near 0 pays for look-ups that find nothing: "
            "`interchange recommendations` says whether its cache is worth having.",
            page="recommendations", bounds=(0, 1),
        ),
        Panel(
            "Prompt caches of providers, since the start",
            (Query(seen("interchange_prompt_cache_saved_usd", PROVIDER, by=_TARGET, across="sum"),
                   "{{provider}}/{{model}}"),),
            _USD,
            "Saved by reading a provider's prompt cache, less the surcharge for writing it. Below zero, "
            "caches are written and not read: put what stays the same at the beginning of prompts.",
            page="cache", bounds=(None, None),
        ),
        Panel(
            "Without a price, per minute",
            (
                Query(per_minute("interchange_unpriced_attempts_total", PROVIDER, by=_TARGET),
                      "attempts {{provider}}/{{model}}"),
                Query(per_minute("interchange_cache_unpriced_hits_total", ROUTE, by="route"),
                      "hits {{route}}"),
            ),
            "short",
            "Attempts and hits whose price nobody knows: they are in no sum here. Give the model a price "
            "in the configuration, or synchronise prices.",
            page="models", steps=bad_above(0.001, 1),
        ),
    ),
)  # fmt: skip

_PROVIDERS: Final = Section(
    "Providers compared",
    (
        Panel(
            "Spent per hour by provider",
            (Query(f"{rate(_COST, PROVIDER, by='provider')} * 3600", "{{provider}}"),),
            _USD,
            "A provider that suddenly costs more: look whether another failed over to it.",
            page="providers", stacked=True,
        ),
        Panel(
            "Cost of a million tokens",
            (Query(f"{rate(_COST, PROVIDER, by=_TARGET)} / "
                   f"{rate('interchange_tokens_total', PROVIDER, _PLAIN_TOKENS, by=_TARGET)} * 1e6",
                   "{{provider}}/{{model}}"),),
            _USD,
            "Paid for input and output together, as they were mixed. Prompt caches lower it, reasoning "
            "raises it.",
            page="models",
        ),
        Panel(
            "Share of requests by model",
            (Query(f"{rate('interchange_requests_total', PROVIDER, ROUTE, by=_TARGET)} / on () group_left () "
                   f"{rate('interchange_requests_total', PROVIDER, ROUTE)}", "{{provider}}/{{model}}"),),
            "percentunit",
            "Who answers. Requests that nobody answered have no provider. Move work with weights or "
            "targets of the route.",
            page="routes", stacked=True, bounds=(0, 1),
        ),
        Panel(
            "Providers and models",
            (
                Query(grown("interchange_attempts_total", PROVIDER, by=_TARGET), "Attempts", "short"),
                Query(grown(_COST, PROVIDER, by=_TARGET), "Cost", _USD),
                Query(f"{grown(_COST, PROVIDER, by=_TARGET)} / "
                      f"{grown('interchange_attempts_total', PROVIDER, _OK, by=_TARGET)}",
                      "Per good answer", _USD),
                Query(share(grown("interchange_attempts_total", PROVIDER, _OK, by=_TARGET),
                            grown("interchange_attempts_total", PROVIDER, by=_TARGET)),
                      "Answered well", "percentunit"),
                Query(f"{grown('interchange_generated_tokens_total', PROVIDER, by=_TARGET)} / "
                      f"{grown('interchange_generating_seconds_total', PROVIDER, by=_TARGET)}",
                      "Tokens per second", "short"),
                Query(seen("interchange_quality_score", PROVIDER, by=_TARGET, across="avg"),
                      "Quality, measured", "percentunit"),
                Query(seen("interchange_routing_quality_score", PROVIDER, by=_TARGET),
                      "Quality, for routing", "percentunit"),
            ),
            "short",
            "In the time shown. Cheap and good belongs first in a route; dear and not better is what "
            "*Recommendations* looks for. Measured quality is there for models with feedback, judges or "
            "checks.",
            kind="table", page="models", width=16, height=9,
        ),
        Panel(
            "Cost per hour by what was asked for",
            (Query(f"{rate(_OPERATIONS, by='operation')} / {NANO_PER_USD} * 3600", "{{operation}}"),),
            _USD,
            "chat, embedding, image, … with calls beside requests (refresh, audit, judges) as they are.",
            page="costs", stacked=True, height=9,
        ),
    ),
)  # fmt: skip

_BUDGETS: Final = Section(
    "Budgets",
    (
        Panel(
            "Used",
            (Query(seen("interchange_budget_utilization_ratio", TENANT, by=_ACCOUNT), _NAMED),),
            "percentunit",
            "Of the most used subject, with what may have been spent. Near 100 % a hard budget refuses: "
            "raise it, or find who spends on the page *Budgets*.",
            kind="bargauge", page="budgets", alert=BUDGET, bounds=(0, 1),
            steps=bad_above(0.75, RULES[BUDGET].threshold),
        ),
        Panel(
            "Left",
            (Query(seen("interchange_budget_remaining_usd", TENANT, by=_ACCOUNT, across="min"), _NAMED),),
            _USD,
            "Of the most used subject.",
            page="budgets", bounds=(None, None),
        ),
        Panel(
            "Spending per hour by budget",
            (Query(seen("interchange_budget_spend_rate_usd_per_hour", TENANT, by=_ACCOUNT), _NAMED),),
            _USD,
            "All subjects together, over ten minutes. A jump by one budget alone is often one agent in a "
            "loop: stop it on the page *Stopped agents*.",
            page="stops",
        ),
        Panel(
            "Bills nobody knows",
            (Query(seen("interchange_budget_unresolved_usd", TENANT, by=_ACCOUNT), _NAMED),),
            _USD,
            "Attempts that may have been billed, counted at their worst. It grows while answers are cut "
            "off; the page *Budgets* resolves them.",
            page="budgets",
        ),
        Panel(
            "Refused for a budget, per minute",
            (Query(per_minute("interchange_budget_refusals_total", TENANT, by=_ACCOUNT), _NAMED),),
            "short",
            "Requests that reached nobody. Meant: leave it. Not meant: raise the limit or shorten the "
            "period.",
            page="budgets", alert=BUDGET, steps=bad_above(0.001, 10),
        ),
        Panel(
            "Cost per hour by tenant",
            (Query(f"{rate(_TENANTS, TENANT, by='tenant')} / {NANO_PER_USD} * 3600", "{{tenant}}"),),
            _USD,
            "`other` is everybody without series of their own (`telemetry.metrics_tenants`).",
            page="users", stacked=True,
        ),
        Panel(
            "Ledger",
            (Query(seen("interchange_ledger_reachable", across="min")),),
            "short",
            "While it does not answer, hard budgets refuse once their leases are used up. Look at the "
            "database.",
            kind="stat", alert=LEDGER, width=4, height=4, bounds=(None, None), steps=bad_below(1, 1),
            words=((0, "away", "red"), (1, "answers", "green")),
        ),
        Panel(
            "Alerts of budgets",
            (Query(grown("interchange_budget_alerts_total", TENANT)),),
            "short",
            "Thresholds of budgets that were passed in the time shown; the page *Events* has each.",
            kind="stat", page="events", width=4, height=4,
        ),
        Panel(
            "Waiting for a budget, 95 %",
            (Query(quantile(0.95, "interchange_stage_seconds", 'stage="hold"')),),
            "s",
            "How long requests wait for money to be held. Above some milliseconds leases are too small for "
            "the load, or the ledger is slow.",
            width=8, height=4, kind="stat", page="budgets", steps=bad_above(0.02, 0.1), alert=LEDGER,
        ),
    ),
)  # fmt: skip

COST_DASHBOARD: Final = Dashboard(
    "interchange-cost",
    "Cost Optimization",
    "What is spent, what is saved, which provider is worth its price, and what budgets have left.",
    ("provider", "route", "tenant"),
    (("costs", "Cost & savings"), ("budgets", "Budgets"), ("recommendations", "Recommendations")),
    (_LOOK, _SAVINGS, _PROVIDERS, _BUDGETS),
)
