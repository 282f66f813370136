"""Panels about service: is it there, how fast is it, what fails, and where outside things stand."""

from typing import Final

from contracts.alert_rules import WHERE_BAD, WHERE_ENDED, WHERE_ERROR, WHERE_FAILED, WHERE_TRIED
from contracts.dashboard_panels import (
    PROVIDER,
    ROUTE,
    TENANT,
    Dashboard,
    Panel,
    Query,
    Section,
    bad_above,
    bad_below,
    grown,
    per_minute,
    quantile,
    rate,
    seen,
    share,
)
from domain.sla.rules import (
    BREAKER,
    BURN_FAST,
    BURN_SLOW,
    DEAD_LETTERS,
    ERRORS,
    KEY_EXPIRING,
    LATENCY,
    PROVIDER_FAILURES,
    PROVIDER_UNUSABLE,
    RULES,
    USAGE_BUFFERING,
    WEBHOOK_DISABLED,
)

_REQUESTS: Final = "interchange_requests_total"
_ATTEMPTS: Final = "interchange_attempts_total"
_DURATION: Final = "interchange_request_duration_seconds"
_PLACE: Final = "tenant, integration"
_INTEGRATION: Final = "{{tenant}} · {{integration}}"
_UP: Final = ((0.0, "down", "red"), (1.0, "up", "green"))
_BREAKER: Final = ((0.0, "closed", "green"), (1.0, "half open", "orange"), (2.0, "open", "red"))
_SLOW: Final = bad_above(2, RULES[LATENCY].threshold)
_FAILING: Final = bad_above(0.01, RULES[ERRORS].threshold)

_FAILED_SHARE: Final = share(
    rate(_ATTEMPTS, PROVIDER, WHERE_FAILED, by="provider"),
    rate(_ATTEMPTS, PROVIDER, WHERE_TRIED, by="provider"),
)


def _pool(what: str) -> str:
    return seen(f"interchange_integration_pool_{what}", TENANT, by=_PLACE, across="sum")


_LOOK: Final = Section(
    "In one look",
    (
        Panel(
            "Availability",
            (Query(f"1 - {share(grown(_REQUESTS, WHERE_BAD), grown(_REQUESTS, WHERE_ENDED))}"),),
            "percentunit",
            "Requests that did not fail for a reason of ours or a provider's, in the time shown. Below the "
            "objective: find the provider under *Errors*, then its breaker.",
            kind="stat", page="alerts", alert=BURN_FAST, width=4, height=4, bounds=(0, 1),
            steps=bad_below(0.99, 0.999),
        ),
        Panel(
            "Errors",
            (Query(share(grown(_REQUESTS, ROUTE, WHERE_ERROR), grown(_REQUESTS, ROUTE, WHERE_ENDED))),),
            "percentunit",
            "Share of requests that ended in an error, callers' own mistakes with them.",
            kind="stat", page="requests", alert=ERRORS, width=4, height=4, bounds=(0, 1), steps=_FAILING,
        ),
        Panel(
            "95 % answered within",
            (Query(f"histogram_quantile(0.95, {grown(_DURATION + '_bucket', ROUTE, by='le')})"),),
            "s",
            "Whole requests, of streams to their last byte, in the time shown.",
            kind="stat", page="requests", alert=LATENCY, width=4, height=4, steps=_SLOW,
        ),
        Panel(
            "In flight",
            (Query(seen("interchange_active_requests", across="sum")),),
            "short",
            "Requests under way. It grows while arrivals do not: something outside became slow.",
            kind="stat", page="requests", width=4, height=4,
        ),
        Panel(
            "Alerts that fire",
            (Query(seen("interchange_alerts_firing", across="sum")),),
            "short",
            "The page *Alerts & SLA* says which, since when, and where the remedy is.",
            kind="stat", page="alerts", alert=BURN_SLOW, width=4, height=4, steps=bad_above(1, 3),
        ),
        Panel(
            "Breakers that are not closed",
            (Query("count(interchange_breaker_state > 0) or vector(0)"),),
            "short",
            "Targets that get little or nothing, because they failed.",
            kind="stat", page="providers", alert=BREAKER, width=4, height=4, steps=bad_above(1, 3),
        ),
    ),
)  # fmt: skip

_AVAILABLE: Final = Section(
    "Availability of services",
    (
        Panel(
            "Providers: attempts answered well",
            (Query(f"1 - {_FAILED_SHARE}", "{{provider}}"),),
            "percentunit",
            "Without what callers did wrong or cancelled. Below 95 %: read its errors, and give the route "
            "another target if there is none.",
            page="providers", alert=PROVIDER_FAILURES, bounds=(0, 1), steps=bad_below(0.95, 0.99),
        ),
        Panel(
            "Providers: share of five minutes not down",
            (Query(seen("interchange_provider_availability_percent", PROVIDER, by="provider", across="min"),
                   "{{provider}}"),),
            "percent",
            "As the worst instance saw it. 0: no target of the provider can be used.",
            page="providers", alert=PROVIDER_UNUSABLE, bounds=(0, 100), steps=bad_below(50, 99),
        ),
        Panel(
            "Breakers",
            (Query(seen("interchange_breaker_state", by="target"), "{{target}}"),),
            "short",
            "Open: nothing is sent until a probe succeeds. It closes by itself when the target answers "
            "again; force it only when you know better.",
            kind="state-timeline", page="providers", alert=BREAKER, words=_BREAKER, bounds=(None, None),
        ),
        Panel(
            "Integrations",
            (Query(seen("interchange_integration_up", TENANT, by=_PLACE, across="min"), _INTEGRATION),),
            "short",
            "What the last look at each found. Down: its page shows the error of the last check; "
            "a wrong credential and an address that egress refuses are the usual reasons.",
            kind="state-timeline", page="integrations", words=_UP, bounds=(None, None),
        ),
        Panel(
            "Database and Redis",
            (
                Query(seen("interchange_database_up", by="kind", across="min"), "{{kind}}"),
                Query(seen("interchange_redis_up", across="min"), "redis"),
            ),
            "short",
            "Without the database usage waits on the disk; without Redis each instance keeps its own "
            "answers and leases come from the database.",
            kind="state-timeline", alert=USAGE_BUFFERING, words=_UP, bounds=(None, None),
        ),
        Panel(
            "Room of providers' keys",
            (Query(seen("interchange_provider_key_headroom", by="provider, key", across="min"),
                   "{{provider}} · {{key}}"),),
            "percentunit",
            "What is left of each key's limits. All of a provider near 0: add a key, or ask for a higher "
            "limit.",
            page="providers", bounds=(0, 1), steps=bad_below(0.05, 0.2),
        ),
    ),
)  # fmt: skip

_TIMES: Final = Section(
    "Response times",
    (
        Panel(
            "Requests",
            tuple(Query(quantile(q, _DURATION, ROUTE), f"{q:.0%}") for q in (0.5, 0.95, 0.99)),
            "s",
            "From the head to the last byte. When all lines rise, look at providers; when only the highest "
            "does, at retries and queues.",
            page="requests", alert=LATENCY, steps=_SLOW,
        ),
        Panel(
            "Requests by route, 95 %",
            (Query(quantile(0.95, _DURATION, ROUTE, by="route"), "{{route}}"),),
            "s",
            "A slow route: compare its targets on the page *Models*, or put a faster one first.",
            page="routes", alert=LATENCY, steps=_SLOW,
        ),
        Panel(
            "Providers, 95 %",
            (Query(quantile(0.95, "interchange_attempt_duration_seconds", PROVIDER, by="provider"),
                   "{{provider}}"),),
            "s",
            "Single calls. One provider alone is slow: routes with the strategy `latency` leave it by "
            "themselves.",
            page="providers", steps=_SLOW,
        ),
        Panel(
            "First content of streams, 95 %",
            (Query(quantile(0.95, "interchange_attempt_first_token_seconds", PROVIDER, by="provider"),
                   "{{provider}}"),),
            "s",
            "What people feel as waiting. Long prompts and queues of the provider raise it.",
            page="providers",
        ),
        Panel(
            "Longest pause within streams, 95 %",
            (Query(quantile(0.95, "interchange_stream_gap_seconds", ROUTE, by="route"), "{{route}}"),),
            "s",
            "Near `idle_s` of the route's timeouts, streams are about to be cut.",
            page="routes",
        ),
        Panel(
            "Tokens per second",
            (Query(f"{rate('interchange_generated_tokens_total', PROVIDER, by='provider, model')} / "
                   f"{rate('interchange_generating_seconds_total', PROVIDER, by='provider, model')}",
                   "{{provider}}/{{model}}"),),
            "short",
            "Of streams, while they generate.",
            page="models",
        ),
        Panel(
            "Our own part",
            tuple(Query(quantile(q, "interchange_overhead_seconds"), f"{q:.0%}") for q in (0.5, 0.95)),
            "s",
            "Duration less waiting for providers. Above 200 ms: see *Stages*, the CPU and the event loop.",
            steps=bad_above(0.05, 0.2),
        ),
        Panel(
            "Stages, 95 %",
            (Query(quantile(0.95, "interchange_stage_seconds", by="stage"), "{{stage}}"),),
            "s",
            "entry: who asks; admit: limits and inspectors; cache: the look-up; plan: where to; hold: "
            "money. The highest is where to begin: guardrails in admit, a slow second tier in cache, a "
            "slow ledger in hold.",
        ),
        Panel(
            "Waiting for a rate limit, 95 %",
            (Query(quantile(0.95, "interchange_queue_wait_seconds")),),
            "s",
            "Requests that queue for units. Raise the limit, or let callers ask more evenly.",
            page="limits",
        ),
        Panel(
            "Integrations: the last look took",
            (Query(seen("interchange_integration_latency_seconds", TENANT, by=_PLACE), _INTEGRATION),),
            "s",
            "Of those that answered. Near the integration's timeout, calls begin to fail.",
            page="integrations",
        ),
        Panel(
            "Integrations: connections in use",
            (Query(f"{_pool('busy')} / {_pool('limit')}", _INTEGRATION),),
            "percentunit",
            "Of those there may be. At 100 % calls wait: raise `max_concurrency`, if the other side can "
            "take it.",
            page="integrations", bounds=(0, 1), steps=bad_above(0.8, 1),
        ),
        Panel(
            "Database and Redis: how fast",
            (
                Query(seen("interchange_database_latency_seconds", by="kind"), "{{kind}}"),
                Query(seen("interchange_redis_latency_seconds"), "redis"),
            ),
            "s",
            "A simple question to the database, the last call to Redis. Requests wait for neither; the "
            "second tier of caches and exchanges of leases do.",
            steps=bad_above(0.05, 0.5),
        ),
    ),
)  # fmt: skip

_FAILURES: Final = Section(
    "Errors",
    (
        Panel(
            "Requests per second by outcome",
            (Query(rate(_REQUESTS, PROVIDER, ROUTE, by="outcome"), "{{outcome}}"),),
            "reqps",
            "ok; error; cut: a stream that broke; cancelled: the caller left; refused: a limit, a budget "
            "or a rule.",
            page="requests", stacked=True,
        ),
        Panel(
            "Requests without success, by status, per minute",
            (Query(per_minute(_REQUESTS, PROVIDER, ROUTE, 'outcome!="ok"', by="status"), "{{status}}"),),
            "short",
            "401, 403: keys and roles; 402: budgets; 429: limits; 5xx: providers, after all fallbacks.",
            page="requests", alert=ERRORS,
        ),
        Panel(
            "Attempts that failed, per minute",
            (Query(per_minute(_ATTEMPTS, PROVIDER, WHERE_FAILED, by="provider, outcome"),
                   "{{provider}} {{outcome}}"),),
            "short",
            "Callers see only those no fallback made good. The outcome says what to do: auth, a key; "
            "rate_limit, more keys; timeout and server_error, the provider's status page.",
            page="providers", alert=PROVIDER_FAILURES,
        ),
        Panel(
            "One provider taking over from another, per minute",
            (Query(per_minute("interchange_failovers_total", by="original, fallback, reason"),
                   "{{original}} → {{fallback}} ({{reason}})"),),
            "short",
            "Callers were answered. It costs time, and what the fallback costs more.",
            page="providers", alert=PROVIDER_FAILURES,
        ),
        Panel(
            "Refused for a rate limit, per minute",
            (Query(per_minute("interchange_rate_limited_total", TENANT, by="tenant, limit"),
                   "{{tenant}} · {{limit}}"),),
            "short",
            "Who asks too much, or a limit that is too tight.",
            page="limits",
        ),
        Panel(
            "Answers in which a check found something, per minute",
            (Query(per_minute("interchange_answer_checks_total", by="finding"), "{{finding}}"),),
            "short",
            "Empty, cut short or not of the wanted form. A finding that jumps after a change of model is a "
            "reason to change it back.",
            page="quality",
        ),
    ),
)  # fmt: skip

_BESIDE: Final = Section(
    "Webhooks, usage and processes",
    (
        Panel(
            "Attempts to deliver webhooks, per minute",
            (Query(per_minute("interchange_webhook_attempts_total", by="outcome"), "{{outcome}}"),),
            "short",
            "Failures are tried again; the page of the endpoint shows what it answered.",
            page="webhooks", alert=DEAD_LETTERS,
        ),
        Panel(
            "Webhook deliveries",
            (
                Query(seen("interchange_webhook_deliveries_open"), "wait or under way"),
                Query(seen("interchange_webhook_deliveries_dead"), "given up"),
                Query(seen("interchange_webhook_endpoints_disabled"), "endpoints disabled"),
            ),
            "short",
            "What was given up is kept and can be sent again, once the endpoint answers.",
            page="webhooks", alert=WEBHOOK_DISABLED,
        ),
        Panel(
            "Usage not yet in the database",
            (
                Query(seen("interchange_usage_log_lag_seconds"), "oldest waits, s"),
                Query(seen("interchange_usage_log_waiting_rows", across="sum"), "rows"),
            ),
            "short",
            "It waits in the journal and survives a kill. It grows: look at the database and the disk.",
            alert=USAGE_BUFFERING,
        ),
        Panel(
            "Event loop: the latest wake-up",
            (Query(seen("interchange_event_loop_lag_seconds")),),
            "s",
            "Of the busiest worker. Above 50 ms every request waits: more workers, or less work in one.",
            steps=bad_above(0.05, 0.25), width=6,
        ),
        Panel(
            "CPU",
            (Query(rate("interchange_process_cpu_seconds_total"), "cores in use"),
             Query(seen("interchange_workers", across="sum"), "workers")),
            "short",
            "A worker uses one core at most. Cores near the number of workers: add workers or an instance.",
            width=6,
        ),
        Panel(
            "Memory",
            (Query(seen("interchange_process_resident_memory_bytes", across="sum"), "resident"),),
            "bytes",
            "All workers; pages they share are counted for each. Caches take what `cache.l1_bytes` "
            "allows.",
            width=6,
        ),
        Panel(
            "API keys that end soon",
            (Query(seen("interchange_api_keys_expiring", by="within"), "within {{within}}"),),
            "short",
            "Rotate them before: the page *Keys* does, and both keys work while callers change over.",
            kind="stat", page="keys", alert=KEY_EXPIRING, width=6, steps=bad_above(1, 1000),
        ),
    ),
)  # fmt: skip

HEALTH_DASHBOARD: Final = Dashboard(
    "interchange-health",
    "Integration Health",
    "Whether providers, integrations and stores are there, how fast they answer, and what fails.",
    ("provider", "route", "tenant"),
    (("alerts", "Alerts & SLA"), ("providers", "Providers"), ("integrations", "Integrations & tools")),
    (_LOOK, _AVAILABLE, _TIMES, _FAILURES, _BESIDE),
)
