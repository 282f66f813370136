"""Metrics of requests, money and caches: a part of the list in `metrics.py`."""

from typing import Final

from application.ports.telemetry import Metric

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"
_TARGET: Final = ("provider", "model")
WINDOW: Final = "over the last 300 s; a worker that ended takes its part with it"

REQUEST_METRICS: Final = (
    Metric(
        "interchange_requests_total",
        COUNTER,
        "",
        (*_TARGET, "route", "operation", "outcome", "status"),
        "Requests by who answered and how they ended; provider and model are empty where nobody did. Copies "
        "for shadows of experiments are in `interchange_cache_requests_total`.",
    ),
    Metric("interchange_active_requests", GAUGE, "", (), "Requests in flight."),
    Metric(
        "interchange_request_duration_seconds",
        HISTOGRAM,
        "seconds",
        ("route", "outcome"),
        "Whole requests, from the head to the last byte.",
    ),
    Metric(
        "interchange_first_token_seconds",
        HISTOGRAM,
        "seconds",
        ("route",),
        "Time to the first content of streams.",
    ),
    Metric(
        "interchange_stream_gap_seconds",
        HISTOGRAM,
        "seconds",
        ("route",),
        "The longest pause between two delivered blocks of a stream.",
    ),
    Metric(
        "interchange_overhead_seconds",
        HISTOGRAM,
        "seconds",
        (),
        "Duration less the time spent waiting for providers.",
    ),
    Metric(
        "interchange_stage_seconds",
        HISTOGRAM,
        "seconds",
        ("stage",),
        "Time of a request in one stage: entry (recognising the caller, reading), admit (limits, "
        "inspectors), cache, plan, hold (money).",
    ),
    Metric(
        "interchange_queue_wait_seconds",
        HISTOGRAM,
        "seconds",
        (),
        "Waiting for the units of a rate limit; a part of the stage `admit`.",
    ),
    Metric(
        "interchange_tenant_requests_total",
        COUNTER,
        "",
        ("tenant",),
        "Requests by tenant, of those that have series of their own; all others are `other`.",
    ),
    Metric(
        "interchange_tenant_cost_nano_usd_total",
        COUNTER,
        "nano_usd",
        ("tenant",),
        "What requests with a known cost have cost, by tenant, as `interchange_tenant_requests_total`.",
    ),
    Metric(
        "interchange_attempts_total",
        COUNTER,
        "",
        (*_TARGET, "via", "outcome"),
        "Calls to providers by outcome.",
    ),
    Metric(
        "interchange_attempt_duration_seconds", HISTOGRAM, "seconds", ("provider",), "Calls to providers."
    ),
    Metric(
        "interchange_attempt_first_token_seconds",
        HISTOGRAM,
        "seconds",
        ("provider",),
        "From the start of a call to a provider to its first content.",
    ),
    Metric("interchange_fallbacks_total", COUNTER, "", ("route",), "Requests another target answered."),
    Metric(
        "interchange_failovers_total",
        COUNTER,
        "",
        ("original", "fallback", "reason"),
        "One provider taking over from another.",
    ),
    Metric(
        "interchange_breaker_skips_total",
        COUNTER,
        "",
        ("route",),
        "Targets passed over because a breaker was open.",
    ),
    Metric(
        "interchange_answer_checks_total",
        COUNTER,
        "",
        ("finding",),
        "Answers in which an automatic check found something, by what.",
    ),
    Metric("interchange_tokens_total", COUNTER, "tokens", (*_TARGET, "type"), "Tokens by bucket."),
    Metric(
        "interchange_generated_tokens_total",
        COUNTER,
        "tokens",
        _TARGET,
        "Output tokens of streamed calls that told when they began.",
    ),
    Metric(
        "interchange_generating_seconds_total",
        COUNTER,
        "seconds",
        _TARGET,
        "How long those calls took from their first content to their end.",
    ),
    Metric(
        "interchange_tokens_per_second",
        GAUGE,
        "tokens",
        _TARGET,
        f"Output tokens per second of generating, {WINDOW}.",
        when="streams in the window",
    ),
)

MONEY_METRICS: Final = (
    Metric(
        "interchange_cost_usd_total",
        COUNTER,
        "usd",
        _TARGET,
        "Cost of all attempts with a known price.",
    ),
    Metric(
        "interchange_cost_nano_usd_total",
        COUNTER,
        "nano_usd",
        _TARGET,
        "The same in nano-dollars, a whole number and exact: the sum of the usage rows of attempts.",
    ),
    Metric(
        "interchange_operation_cost_nano_usd_total",
        COUNTER,
        "nano_usd",
        ("operation",),
        "Cost of requests with a known cost, by what was asked for.",
    ),
    Metric("interchange_unpriced_attempts_total", COUNTER, "", _TARGET, "Attempts of unknown cost."),
    Metric(
        "interchange_cost_per_request_usd",
        GAUGE,
        "usd",
        ("route",),
        f"Mean cost of requests with a known cost, {WINDOW}.",
        when="priced requests in the window",
    ),
    Metric(
        "interchange_spend_rate_usd_per_hour",
        GAUGE,
        "usd",
        ("provider",),
        f"Spending per hour at the pace of the window, {WINDOW}.",
    ),
    Metric(
        "interchange_cost_savings_usd",
        GAUGE,
        "usd",
        ("kind",),
        "Saved since the start, where known: what hits of a cache would have cost, and `prompt_cache`, what "
        "providers' prompt caches saved less the surcharge for writing them (it may be negative).",
        kept=True,
    ),
    Metric(
        "interchange_optimization_efficiency_ratio",
        GAUGE,
        "ratio",
        ("route",),
        "Saved / saveable of routes that cache: what hits saved, of that and what misses cost; a miss that "
        f"no cache could have answered counts as saveable too; {WINDOW}.",
        when="hits or priced misses in the window",
    ),
    Metric(
        "interchange_prompt_cache_saved_usd",
        GAUGE,
        "usd",
        _TARGET,
        "Saved by providers' prompt caches, less the surcharge for writing them, where known.",
        kept=True,
    ),
    Metric(
        "interchange_budget_utilization_ratio",
        GAUGE,
        "ratio",
        ("budget", "tenant"),
        "Spent or possibly spent as a share of the limit, of the most used subject.",
        "max",
        when="budgets",
    ),
    Metric(
        "interchange_budget_remaining_usd",
        GAUGE,
        "usd",
        ("budget", "tenant"),
        "What the most used subject has left.",
        "min",
        when="budgets",
    ),
    Metric(
        "interchange_budget_unresolved_usd",
        GAUGE,
        "usd",
        ("budget", "tenant"),
        "Charges whose bill nobody knows; they count in full.",
        "max",
        when="budgets",
    ),
    Metric(
        "interchange_budget_spend_rate_usd_per_hour",
        GAUGE,
        "usd",
        ("budget", "tenant"),
        "Spending of the last ten minutes, all subjects together.",
        "max",
        when="budgets",
    ),
    Metric(
        "interchange_budget_accounts",
        GAUGE,
        "",
        ("budget", "tenant"),
        "Subjects that spent something in the present period.",
        "max",
        when="budgets",
    ),
    Metric(
        "interchange_budget_refusals_total",
        COUNTER,
        "",
        ("budget", "tenant"),
        "Requests refused for a budget.",
        when="refusals",
    ),
    Metric(
        "interchange_budget_alerts_total",
        COUNTER,
        "",
        ("budget", "tenant"),
        "Alerts that were written.",
        when="alerts",
    ),
    Metric(
        "interchange_ledger_reachable",
        GAUGE,
        "",
        (),
        "0 while the budget ledger does not answer.",
        "min",
    ),
)
