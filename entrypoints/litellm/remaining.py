"""Everything else in the file: told, and taken where there is a counterpart."""

from collections.abc import Mapping
from typing import Any, Final

from entrypoints.litellm.caching import CACHE_KEYS, read_caching
from entrypoints.litellm.draft import Draft, number, period_of, truth, whole
from entrypoints.litellm.report import ENVIRONMENT_PREFIX, Report

_ROUTER_READ: Final = frozenset(
    {"routing_strategy", "num_retries", "timeout", "stream_timeout", "request_timeout", "allowed_fails"}
    | {"cooldown_time", "fallbacks", "context_window_fallbacks", "default_fallbacks"}
    | {"content_policy_fallbacks", "model_group_alias"}
)
_LITELLM_READ: Final = _ROUTER_READ - {"routing_strategy", "model_group_alias"}
_REASONS: Final = {
    "redis_host": "workers share what they must through the database",
    "redis_port": "workers share what they must through the database",
    "redis_password": "workers share what they must through the database",
    "redis_url": "workers share what they must through the database",
    "routing_strategy_args": "the strategies learn their windows themselves",
    "enable_pre_call_checks": "always: a target without the room or the ability is not asked",
    "retry_policy": "which failures are retried is fixed by their kind",
    "allowed_fails_policy": "the breaker treats every failure of a provider alike",
    "set_verbose": "see `interchange tail` and the log",
    "json_logs": "the log has one form",
    "telemetry": "nothing is ever sent home",
    "modify_params": "only what a provider lacks is dropped, and named in a header",
    "turn_off_message_logging": "always: prompts and answers are not stored",
    "disable_spend_logs": "every request is recorded; that is what budgets and bills rest on",
}
_CALLBACKS: Final = frozenset(
    {"callbacks", "success_callback", "failure_callback", "service_callback", "alerting", "alerting_args"}
)


def read_remaining(data: Mapping[str, Any], draft: Draft, report: Report) -> None:
    """`litellm_settings`, `router_settings`, `general_settings`, and whatever else stands there."""
    for name, read in (("router_settings", _ROUTER_READ), ("litellm_settings", _LITELLM_READ)):
        section = data.get(name)
        if isinstance(section, Mapping):
            _settings(name, section, read, draft, report)
            if CACHE_KEYS & section.keys():
                read_caching(name, section, draft, report)
    general = data.get("general_settings")
    if isinstance(general, Mapping):
        _general(general, draft, report)
    variables = data.get("environment_variables")
    if isinstance(variables, Mapping):
        for name in variables:
            report.attention(
                ("environment_variables", str(name)), "set it in the environment of `interchange serve`"
            )
    known = {"model_list", "router_settings", "litellm_settings", "general_settings"}
    for name in data.keys() - known - {"environment_variables", "credential_list"}:
        report.no_counterpart((str(name),), "not read")


def _settings(
    name: str, section: Mapping[str, Any], read: frozenset[str], draft: Draft, report: Report
) -> None:
    for key in section:
        path = (name, str(key))
        if key in read:
            continue
        if key == "drop_params":
            report.taken(path, "always: what a provider lacks is dropped and named in a header")
        elif key == "max_budget":
            _budget(name, section, draft, report)
        elif key == "budget_duration" or key in CACHE_KEYS:
            continue
        elif key in _CALLBACKS:
            report.no_counterpart(path, "see /metrics, /api/v1/requests and /api/v1/usage")
        else:
            report.no_counterpart(path, _REASONS.get(str(key), "not read"))


def _budget(name: str, section: Mapping[str, Any], draft: Draft, report: Report) -> None:
    limit, period = number(section["max_budget"]), period_of(section.get("budget_duration"))
    if limit is None or limit < 0 or period is None:
        report.attention((name, "max_budget"), "no such period here; write the budget by hand")
        return
    made = draft.add_budget("everything", {"tenant": "default"}, period, limit)
    report.taken((name, "max_budget"), f"budget {made!r} of the tenant `default`")


def _general(general: Mapping[str, Any], draft: Draft, report: Report) -> None:
    for key, value in general.items():
        path = ("general_settings", str(key))
        if key == "master_key":
            report.attention(
                path,
                "not taken: the first start makes an owner key (admin.key); give callers keys of their own",
            )
        elif key == "database_url":
            told = "give the tables with --database" if value else "nothing to take"
            report.changed(path, f"data is kept in a database of its own, DATABASE_URL; for the keys {told}")
        elif key in ("global_max_parallel_requests", "max_parallel_requests"):
            _slots(path, value, draft, report)
        elif key == "max_request_size_mb" and whole(value):
            draft.set("limits", "max_body_bytes", min(whole(value) or 1, 1024) * 1024 * 1024)
            report.taken(path, "limits.max_body_bytes")
        elif key in ("completion_model", "default_model"):
            report.no_counterpart(path, "a request without a model goes to the route `auto`")
        elif key in _CALLBACKS:
            report.no_counterpart(path, "see /metrics, /api/v1/requests and /api/v1/usage")
        elif key == "enforce_user_param" and truth(value):
            report.no_counterpart(path, "callers are known by their keys")
        elif isinstance(value, str) and value.startswith(ENVIRONMENT_PREFIX):
            report.no_counterpart(path, "not read; its variable is not needed")
        else:
            report.no_counterpart(path, _REASONS.get(str(key), "not read"))


def _slots(path: tuple[str, ...], value: Any, draft: Draft, report: Report) -> None:
    most = whole(value)
    if most is None:
        report.attention(path, "not a whole number")
        return
    draft.set("limits", "max_concurrent_requests", min(most, 1_000_000))
    report.changed(path, "limits.max_concurrent_requests, of one worker")
