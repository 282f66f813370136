"""Metrics of providers, stores, policies and the process: a part of the list in `metrics.py`."""

from typing import Final

from application.ports.telemetry import Metric
from contracts.metrics_of_requests import COUNTER, GAUGE

_KEY: Final = ("provider", "key")
_INTEGRATION: Final = ("tenant", "integration", "type")


def _count(name: str, labels: tuple[str, ...], meaning: str, when: str = "") -> Metric:
    return Metric(name, COUNTER, "", labels, meaning, when=when)


def _state(
    name: str, labels: tuple[str, ...], meaning: str, across: str, when: str = "", unit: str = ""
) -> Metric:
    return Metric(name, GAUGE, unit, labels, meaning, across, when=when)


PROVIDER_METRICS: Final = (
    _state(
        "interchange_provider_success_rate",
        ("provider",),
        "Share of good answers in the last 300 s, the mean of the workers that called; absent without calls.",
        "mean",
        "calls in the window",
        "ratio",
    ),
    _state(
        "interchange_provider_availability_percent",
        ("provider",),
        "Share of the last 300 s the provider was not down, the mean of workers.",
        "mean",
        unit="percent",
    ),
    _state(
        "interchange_breaker_state",
        ("target",),
        "0 closed, 1 half open, 2 open: the worst of workers. At most 500 targets, open ones first.",
        "max",
    ),
    _state(
        "interchange_routing_quality_score",
        ("provider", "model"),
        "Quality of a target as routing uses it, 0 to 1, where it is known. At most 500 targets.",
        "max",
        "targets of known quality",
        "ratio",
    ),
    _state(
        "interchange_provider_key_ready",
        _KEY,
        "1 while the provider's key may be used, 0 while it rests.",
        "min",
        "keys that are told apart",
    ),
    _state(
        "interchange_provider_key_headroom",
        _KEY,
        "Share of the key's limits that is left; absent where nothing is known of them.",
        "min",
        "keys with known limits",
        "ratio",
    ),
    _state(
        "interchange_provider_key_in_flight",
        _KEY,
        "Calls under way with the provider's key.",
        "sum",
        "keys that are told apart",
    ),
    _state(
        "interchange_integration_up",
        _INTEGRATION,
        "1 while the last look at an integration found it up, 0 while it did not; of active ones.",
        "max",
        "integrations",
    ),
    _state(
        "interchange_integration_latency_seconds",
        _INTEGRATION,
        "How long the last look at an integration took, where it answered.",
        "max",
        "integrations",
        "seconds",
    ),
    _state(
        "interchange_integration_tools_withheld",
        _INTEGRATION,
        "Tools of an upstream MCP server that are not what was accepted, as they were seen last.",
        "max",
        "upstream MCP servers",
    ),
    *(
        _state(
            f"interchange_integration_pool_{what}",
            _INTEGRATION,
            f"Of an integration: {text}",
            "sum",
            "open integrations with connections",
        )
        for what, text in (
            ("open", "connections that are open."),
            ("busy", "connections in use."),
            ("waiting", "calls that wait for a connection."),
            ("limit", "connections there may be."),
        )
    ),
    _count(
        "interchange_egress_refused_total",
        ("purpose",),
        "Connections that the egress rules did not allow, by what they were for.",
        "refusals",
    ),
    _state(
        "interchange_upstream_certificate_expiry_seconds",
        ("host",),
        "When the certificate last seen of a host ends, in seconds since 1970.",
        "min",
        "hosts reached over TLS",
        "seconds",
    ),
)

POLICY_METRICS: Final = (
    _count(
        "interchange_rate_limited_total",
        ("limit", "tenant"),
        "Requests refused for a rate limit.",
        "refusals",
    ),
    _count("interchange_rate_limit_exchanges_total", ("store",), "Questions to the store of rate limits."),
    _count(
        "interchange_rate_limit_store_errors_total",
        ("store",),
        "Questions without an answer; limited requests are refused then.",
    ),
    _count("interchange_stops_total", ("reason",), "Stops that were made, by what made them.", "stops"),
    _state("interchange_stops_in_force", ("reason",), "Stops in force, of all processes.", "max", "stops"),
    _count(
        "interchange_pii_findings_total",
        ("kind", "where", "act"),
        "Personal data found, by kind, place and what was done about it.",
        "findings",
    ),
    _count(
        "interchange_pii_unseen_total",
        ("reason",),
        "Bodies that were only to be counted and were not looked at, by why.",
        "such bodies",
    ),
    _count(
        "interchange_guardrail_verdicts_total",
        ("guardrail", "action"),
        "Checks made by guardrails, by what came of them.",
        "guardrails",
    ),
    _state(
        "interchange_recordings_waiting",
        (),
        "Recorded prompts and answers that are not in the store yet.",
        "sum",
    ),
    _count("interchange_recordings_written_total", (), "Recorded prompts and answers that were kept."),
    _count(
        "interchange_recordings_dropped_total",
        ("why",),
        "Prompts and answers that should have been recorded and were not.",
    ),
    _state(
        "interchange_vault_findings", (), "Credentials and lists of them that are not what was stored.", "max"
    ),
    _state("interchange_vault_locked", (), "1 while the source of master keys does not answer.", "max"),
    _state(
        "interchange_vault_credentials",
        ("key_id",),
        "Credentials under each master key, of all tenants.",
        "max",
        "stored credentials",
    ),
    _state(
        "interchange_api_keys_expiring",
        ("within",),
        "API keys that end within a day, seven or thirty days; those that ended are not among them.",
        "max",
    ),
    _state(
        "interchange_audit_waiting_entries",
        (),
        "Audit entries that no checkpoint covered when it was looked last.",
        "max",
    ),
    _state(
        "interchange_audit_unpublished_places",
        (),
        "Places that have not heard of the newest audit checkpoint of a worker.",
        "max",
    ),
    _state(
        "interchange_audit_checkpoint_age_seconds",
        (),
        "How long ago the newest audit checkpoint was made; it may be long while nothing new waits.",
        "min",
        "a checkpoint",
        "seconds",
    ),
    _count(
        "interchange_audit_lost_outcomes_total",
        (),
        "Acts whose outcome could not be entered; the trail says that it is unknown.",
    ),
)

STORE_METRICS: Final = (
    _state("interchange_database_up", ("kind",), "1 while the database answers.", "min"),
    _state(
        "interchange_database_latency_seconds",
        ("kind",),
        "How long the database took to answer the last simple question.",
        "max",
        "",
        "seconds",
    ),
    _count("interchange_database_failures_total", ("kind",), "Such questions without an answer."),
    _state("interchange_redis_up", (), "1 while Redis answers in time.", "min", "Redis"),
    _state("interchange_redis_latency_seconds", (), "Of the last call.", "max", "Redis", "seconds"),
    _count("interchange_redis_calls_total", (), "Calls to Redis.", "Redis"),
    _count("interchange_redis_failures_total", (), "Calls that failed.", "Redis"),
    _count(
        "interchange_lease_pool_visits_total",
        (),
        "How often the database was asked for more leases on behalf of the pool in Redis.",
        "leases in Redis",
    ),
    _count(
        "interchange_lease_pools_lost_total",
        (),
        "How often Redis had lost what it knew of budget leases.",
        "leases in Redis",
    ),
    _state("interchange_usage_log_healthy", (), "0 while usage cannot be written.", "min"),
    _state("interchange_usage_log_apart", (), "1 while a process beside the worker writes its rows.", "sum"),
    _state(
        "interchange_usage_log_waiting_rows", (), "Requests whose rows are not in the database yet.", "sum"
    ),
    _state(
        "interchange_usage_log_unjournaled_rows",
        (),
        "Of these, requests that are in memory only and would not survive a kill.",
        "sum",
    ),
    _state(
        "interchange_usage_log_lag_seconds",
        (),
        "How long the oldest of these has waited since its request ended.",
        "max",
        "",
        "seconds",
    ),
    _state("interchange_event_listeners", (), "Who listens to the stream of events now.", "sum"),
    _count("interchange_breaker_events_dropped_total", (), "Events of breakers that no store took in time."),
    _count(
        "interchange_events_passed_on_total",
        (),
        "Events sent to the Redis Stream, repetitions included.",
        "a Redis Stream",
    ),
    _state(
        "interchange_events_passing_on_failing",
        (),
        "1 while a worker cannot send events to the Redis Stream.",
        "max",
        "a Redis Stream",
    ),
    _count(
        "interchange_webhook_attempts_total",
        ("outcome",),
        "Attempts to deliver a webhook, by how they ended.",
        "webhooks",
    ),
    _state(
        "interchange_webhook_deliveries_open",
        (),
        "Webhook deliveries that wait or are under way.",
        "max",
        "webhooks",
    ),
    _state(
        "interchange_webhook_deliveries_dead",
        (),
        "Webhook deliveries that were given up and are kept.",
        "max",
        "webhooks",
    ),
    _state(
        "interchange_webhook_oldest_due_seconds",
        (),
        "How long the oldest due webhook delivery waits.",
        "max",
        "webhooks",
        "seconds",
    ),
    _state(
        "interchange_webhook_endpoints_disabled",
        (),
        "Webhook endpoints that take nothing any more.",
        "max",
        "webhooks",
    ),
    _state("interchange_batches", ("status",), "Batches by status, of all workers.", "max"),
    _count(
        "interchange_batch_lines_total", ("outcome",), "Lines of batches by what became of them.", "batches"
    ),
)

PROCESS_METRICS: Final = (
    _state("interchange_build_info", ("version", "profile"), "1; what runs, in its labels.", "max"),
    _state("interchange_workers", (), "Workers that live.", "sum"),
    _state("interchange_worker_uptime_seconds", (), "Of the worker that started last.", "min", "", "seconds"),
    _state(
        "interchange_worker_numbers_age_seconds",
        (),
        "How long ago the slowest worker wrote its numbers; several seconds: it hangs.",
        "max",
        "",
        "seconds",
    ),
    _state(
        "interchange_event_loop_lag_seconds",
        (),
        "How late the busiest worker's event loop woke up last.",
        "max",
        "",
        "seconds",
    ),
    Metric("interchange_process_cpu_seconds_total", COUNTER, "seconds", (), "CPU time of all workers."),
    _state(
        "interchange_process_resident_memory_bytes",
        (),
        "Resident memory of all workers; pages they share are counted for each.",
        "sum",
        "Linux",
        "bytes",
    ),
    _state(
        "interchange_process_open_files", (), "Open files and connections of all workers.", "sum", "Linux"
    ),
    _state(
        "interchange_config_reload_failed",
        (),
        "1 while the newest configuration cannot be used and an older one is.",
        "max",
    ),
    _count(
        "interchange_config_reloads_total",
        ("outcome",),
        "How often a worker took the configuration over while serving, by outcome.",
    ),
    _state(
        "interchange_tls_certificate_expiry_seconds",
        (),
        "When the certificate in the listener's file ends, in seconds since 1970.",
        "min",
        "TLS that ends here",
        "seconds",
    ),
)
