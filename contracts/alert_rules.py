"""The alerts as rules for Prometheus, one table: `python -m contracts.alert_rules` writes
`deploy/prometheus/rules.yml` and the cases that `promtool test rules` runs.

Names and thresholds are those of the monitor in the process (`domain/sla/rules.py`), so that one runbook
holds for both. Who has Prometheus is told even where the process itself cannot: when its database is down.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from domain.sla.measure import NOT_THE_PROVIDERS
from domain.sla.objective import BURN_WINDOWS, DEFAULT_OBJECTIVES
from domain.sla.rules import (
    BREAKER,
    BUDGET,
    BURN_FAST,
    BURN_SLOW,
    CERTIFICATE,
    COST,
    DEAD_LETTERS,
    ERRORS,
    HITS,
    KEY_EXPIRING,
    LATENCY,
    LEDGER,
    PROVIDER_FAILURES,
    PROVIDER_UNUSABLE,
    RULES,
    USAGE_BUFFERING,
    WEBHOOK_DISABLED,
)

FOLDER: Final = Path(__file__).parents[1] / "deploy" / "prometheus"
WHERE_OK: Final = 'outcome="ok"'
WHERE_ENDED: Final = 'outcome=~"ok|error|cut"'
WHERE_ERROR: Final = 'outcome=~"error|cut"'
WHERE_BAD: Final = 'outcome=~"error|cut",status!~"4(0[0-79]|1.|2[0-8]|[3-9].)"'
"""Without callers' own mistakes: 408 and 429 of a provider are none of theirs."""
_NOT_PROVIDERS: Final = "|".join(sorted(NOT_THE_PROVIDERS))
WHERE_FAILED: Final = f'outcome!~"ok|{_NOT_PROVIDERS}"'
WHERE_TRIED: Final = f'outcome!~"{_NOT_PROVIDERS}"'
WHERE_HIT: Final = 'outcome=~"hit-.*"'
WHERE_LOOKUP: Final = 'outcome=~"miss|hit-.*"'
_R: Final = "interchange_requests_total"
_A: Final = "interchange_attempts_total"
_C: Final = "interchange_cache_requests_total"
_COST_OF_CHATS: Final = 'interchange_operation_cost_nano_usd_total{operation="chat"}'
_TARGET: Final = DEFAULT_OBJECTIVES[0].target


class Case(NamedTuple):
    """Series as `promtool` writes them, and whether the alert fires at a minute."""

    series: tuple[tuple[str, str], ...]
    at_minutes: int
    labels: tuple[tuple[str, str], ...] | None
    """Of what fires, beside its severity; None: nothing does."""
    step_minutes: int = 1
    """Between values. Windows of hours say the same of fewer, and are read many times faster."""


class PromRule(NamedTuple):
    """`name` is that of the alert in `domain/sla/rules.py`."""

    name: str
    expr: str
    for_s: float
    description: str
    cases: tuple[Case, ...]


def _rate(metric: str, which: str, window: str, by: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum "
    return f"{grouped}(increase({metric}{{{which}}}[{window}]))"


def _burn(windows: tuple[tuple[str, str, float], ...]) -> str:
    parts = []
    for long, short, rate in windows:
        limit = f"{rate * (1 - _TARGET):.4f}"
        both = " and ".join(
            f"{_rate(_R, WHERE_BAD, each)} / {_rate(_R, WHERE_ENDED, each)} > {limit}"
            for each in (long, short)
        )
        enough = f"{_rate(_R, WHERE_ENDED, long)} >= 100 and {_rate(_R, WHERE_BAD, long)} >= 5"
        parts.append(f"({both} and {enough})")
    return " or ".join(parts)


def _windows(page: bool) -> tuple[tuple[str, str, float], ...]:
    return tuple((each.name, _promql(each.short_us), each.rate) for each in BURN_WINDOWS if each.page is page)


def _promql(length_us: int) -> str:
    minutes = length_us // 60_000_000
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def _req(outcome: str, values: str, status: str = "200") -> tuple[str, str]:
    return (f'{_R}{{outcome="{outcome}",status="{status}",route="r"}}', values)


def _state(name: str, labels: str, values: str) -> tuple[str, str]:
    return (f"interchange_{name}{labels}", values)


def _flag(series: str, labels: str, bad: str, good: str, at: int, fires: dict[str, str]) -> tuple[Case, ...]:
    return (
        Case((_state(series, labels, bad),), at, tuple(fires.items())),
        Case((_state(series, labels, good),), at, None),
    )


PROM_RULES: Final = (
    PromRule(
        COST,
        # The cost of finished requests, over those that ended well.
        f"sum(increase(interchange_operation_cost_nano_usd_total[5m])) / {_rate(_R, WHERE_OK, '5m')} > 1.2 * "
        "(sum(increase(interchange_operation_cost_nano_usd_total[24h] offset 5m)) / "
        f"sum(increase({_R}{{{WHERE_OK}}}[24h] offset 5m))) and {_rate(_R, WHERE_OK, '5m')} >= 20",
        RULES[COST].for_s,
        "A request costs over 20 % more than in the 24 hours before.",
        (
            Case(
                (
                    _req("ok", "0+100x90"),
                    (_COST_OF_CHATS, "0+1000x60 60000+2000x30"),
                ),
                80,
                (),
            ),
            Case(
                (
                    _req("ok", "0+100x90"),
                    (_COST_OF_CHATS, "0+1000x60 60000+1100x30"),
                ),
                80,
                None,
            ),
        ),
    ),
    PromRule(
        HITS,
        f"{_rate(_C, WHERE_HIT, '5m')} / {_rate(_C, WHERE_LOOKUP, '5m')} < 0.7 "
        f"and {_rate(_C, WHERE_LOOKUP, '5m')} >= 20",
        RULES[HITS].for_s,
        "Caches answer {{ $value | humanizePercentage }} of what they could have answered.",
        (
            Case(((f'{_C}{{outcome="miss"}}', "0+50x60"), (f'{_C}{{outcome="hit-l1"}}', "0+50x60")), 50, ()),
            Case(
                ((f'{_C}{{outcome="miss"}}', "0+20x60"), (f'{_C}{{outcome="hit-l1"}}', "0+80x60")), 50, None
            ),
        ),
    ),
    PromRule(
        PROVIDER_FAILURES,
        f"{_rate(_A, WHERE_FAILED, '5m', 'provider')} / "
        f"{_rate(_A, WHERE_TRIED, '5m', 'provider')} > 0.05 and "
        f"{_rate(_A, WHERE_TRIED, '5m', 'provider')} >= 20",
        RULES[PROVIDER_FAILURES].for_s,
        "{{ $value | humanizePercentage }} of the attempts at {{ $labels.provider }} fail.",
        (
            Case(
                (
                    (f'{_A}{{provider="openai",outcome="ok"}}', "0+80x20"),
                    (f'{_A}{{provider="openai",outcome="timeout"}}', "0+20x20"),
                    (f'{_A}{{provider="azure",outcome="ok"}}', "0+80x20"),
                ),
                15,
                (("provider", "openai"),),
            ),
            Case(
                (
                    (f'{_A}{{provider="openai",outcome="ok"}}', "0+80x20"),
                    (f'{_A}{{provider="openai",outcome="caller_fault"}}', "0+20x20"),
                    (f'{_A}{{provider="openai",outcome="timeout"}}', "0+1x20"),
                ),
                15,
                None,
            ),
        ),
    ),
    PromRule(
        BUDGET,
        "interchange_budget_utilization_ratio > 0.9",
        60,
        "{{ $value | humanizePercentage }} of the budget {{ $labels.budget }} is spent.",
        _flag(
            "budget_utilization_ratio",
            '{budget="team",tenant="acme"}',
            "0.95x5",
            "0.9x5",
            3,
            {"budget": "team", "tenant": "acme"},
        ),
    ),
    PromRule(
        LATENCY,
        "histogram_quantile(0.95, sum by (le) (increase(interchange_request_duration_seconds_bucket[5m]))) "
        "> 5 and sum(increase(interchange_request_duration_seconds_count[5m])) >= 20",
        RULES[LATENCY].for_s,
        "95 % of requests take up to {{ $value | humanizeDuration }}.",
        tuple(
            Case(
                (
                    ('interchange_request_duration_seconds_bucket{le="5"}', f"0+{within}x20"),
                    ('interchange_request_duration_seconds_bucket{le="10"}', "0+100x20"),
                    ('interchange_request_duration_seconds_bucket{le="+Inf"}', "0+100x20"),
                    ("interchange_request_duration_seconds_count", "0+100x20"),
                ),
                15,
                fires,
            )
            for within, fires in ((80, ()), (99, None))
        ),
    ),
    PromRule(
        ERRORS,
        f"{_rate(_R, WHERE_ERROR, '5m')} / {_rate(_R, WHERE_ENDED, '5m')} > 0.05 "
        f"and {_rate(_R, WHERE_ENDED, '5m')} >= 20",
        RULES[ERRORS].for_s,
        "{{ $value | humanizePercentage }} of requests end in an error.",
        (
            Case((_req("ok", "0+90x20"), _req("error", "0+10x20", "502")), 15, ()),
            Case(
                (_req("ok", "0+97x20"), _req("error", "0+3x20", "502"), _req("refused", "0+50x20", "429")),
                15,
                None,
            ),
        ),
    ),
    PromRule(
        BURN_FAST,
        _burn(_windows(True)),
        RULES[BURN_FAST].for_s,
        "At this pace the error budget of 30 days is used up within two to five days.",
        (
            Case((_req("ok", "0+90x90"), _req("error", "0+10x90", "502")), 80, ()),
            Case((_req("ok", "0+90x60 5400+100x60"), _req("error", "0+10x60 600+0x60", "502")), 100, None),
            Case((_req("ok", "0+90x90"), _req("error", "0+10x90", "400")), 80, None),
        ),
    ),
    PromRule(
        BURN_SLOW,
        _burn(_windows(False)),
        RULES[BURN_SLOW].for_s,
        "At this pace the error budget does not last for its 30 days.",
        (
            Case((_req("ok", "0+4985x80"), _req("error", "0+15x80", "502")), 400, (), 5),
            Case((_req("ok", "0+49985x80"), _req("error", "0+15x80", "502")), 400, None, 5),
        ),
    ),
    PromRule(
        BREAKER,
        "interchange_breaker_state >= 1",
        RULES[BREAKER].for_s,
        "The breaker of {{ $labels.target }} is not closed: little or nothing is sent there.",
        _flag("breaker_state", '{target="openai/gpt"}', "2x10", "2x2 0x8", 8, {"target": "openai/gpt"}),
    ),
    PromRule(
        PROVIDER_UNUSABLE,
        "interchange_provider_availability_percent == 0",
        RULES[PROVIDER_UNUSABLE].for_s,
        "{{ $labels.provider }} was down for all of the last five minutes.",
        _flag(
            "provider_availability_percent", '{provider="openai"}', "0x10", "40x10", 8, {"provider": "openai"}
        ),
    ),
    PromRule(
        WEBHOOK_DISABLED,
        "interchange_webhook_endpoints_disabled > 0",
        60,
        "{{ $value }} webhook endpoints take nothing any more.",
        _flag("webhook_endpoints_disabled", "", "1x5", "0x5", 3, {}),
    ),
    PromRule(
        DEAD_LETTERS,
        "delta(interchange_webhook_deliveries_dead[1h]) >= 1",
        0,
        "Webhooks were given up within the last hour.",
        _flag("webhook_deliveries_dead", "", "0x10 2x20", "2x40", 25, {}),
    ),
    PromRule(
        KEY_EXPIRING,
        'interchange_api_keys_expiring{within="7d"} > 0',
        60,
        "{{ $value }} API keys end within seven days.",
        _flag("api_keys_expiring", '{within="7d"}', "1x5", "0x5", 3, {"within": "7d"}),
    ),
    PromRule(
        CERTIFICATE,
        "interchange_tls_certificate_expiry_seconds - time() < 14 * 86400",
        60,
        "The listener's certificate ends in {{ $value | humanizeDuration }}.",
        _flag("tls_certificate_expiry_seconds", "", "1000000x5", "2000000x5", 3, {}),
    ),
    PromRule(
        USAGE_BUFFERING,
        "interchange_usage_log_healthy == 0",
        RULES[USAGE_BUFFERING].for_s,
        "Usage does not reach the database, and waits on the disk or in memory.",
        _flag("usage_log_healthy", "", "0x10", "0x2 1x8", 8, {}),
    ),
    PromRule(
        LEDGER,
        "interchange_ledger_reachable == 0",
        RULES[LEDGER].for_s,
        "The budget ledger does not answer: hard budgets refuse once their leases are used up.",
        _flag("ledger_reachable", "", "0x5", "1x5", 3, {}),
    ),
)
"""`usage-log-refusing` is told by the process alone: it has no metric of its own."""


def alert_name(name: str) -> str:
    """`latency-p95` as Prometheus calls it: `InterchangeLatencyP95`."""
    return "Interchange" + "".join(part.capitalize() for part in name.split("-"))


def rules() -> dict[str, Any]:
    """The rules file."""
    return {
        "groups": [
            {
                "name": "interchange",
                "interval": "30s",
                "rules": [
                    {
                        "alert": alert_name(each.name),
                        "expr": each.expr,
                        "for": f"{each.for_s:.0f}s",
                        "labels": {"severity": RULES[each.name].severity.value},
                        "annotations": _annotations(each),
                    }
                    for each in PROM_RULES
                ],
            }
        ]
    }


def _annotations(rule: PromRule) -> dict[str, str]:
    return {
        "summary": RULES[rule.name].title,
        "description": rule.description,
        "runbook": f"docs/handbook.md#alert-{rule.name}",
    }


def cases() -> dict[str, Any]:
    """The file for `promtool test rules`: names and labels of what fires, not the words."""
    return {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": list(_tests())}


def _tests() -> Iterator[dict[str, Any]]:
    for rule in PROM_RULES:
        severity = RULES[rule.name].severity.value
        for case in rule.cases:
            labels = None if case.labels is None else {**dict(case.labels), "severity": severity}
            expected = [] if labels is None else [{"labels": labels}]
            yield {
                "name": f"{rule.name} {'fires' if expected else 'does not fire'}",
                "interval": f"{case.step_minutes}m",
                "input_series": [{"series": name, "values": values} for name, values in case.series],
                # The metric ALERTS has every label and no text, which depends on rounding.
                "promql_expr_test": [
                    {
                        "expr": f'ALERTS{{alertname="{alert_name(rule.name)}",alertstate="firing"}}',
                        "eval_time": f"{case.at_minutes}m",
                        "exp_samples": [
                            {"labels": _alerts(rule.name, each["labels"]), "value": 1} for each in expected
                        ],
                    }
                ],
            }


def _alerts(name: str, labels: dict[str, str]) -> str:
    found = {"alertname": alert_name(name), "alertstate": "firing", **labels}
    return "ALERTS{" + ", ".join(f'{key}="{value}"' for key, value in found.items()) + "}"


def written(content: dict[str, Any]) -> str:
    """As YAML: JSON is a part of it, and needs no library to be written."""
    note = "# Written by `python -m contracts.alert_rules`. Change the table there, not this file.\n"
    return note + json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes both files."""
    (FOLDER / "rules.yml").write_text(written(rules()), encoding="utf-8")
    (FOLDER / "rules_test.yml").write_text(written(cases()), encoding="utf-8")


if __name__ == "__main__":
    main()
