"""Metrics of quality, alerts, traces and logs: a part of the list in `metrics.py`."""

from typing import Final

from application.ports.telemetry import Metric
from contracts.metrics_of_requests import COUNTER, GAUGE

TELEMETRY_METRICS: Final = (
    Metric(
        "interchange_quality_score",
        GAUGE,
        "ratio",
        ("provider", "model", "task"),
        "What quality to expect of a model's answers, 0 to 1: feedback, judges and checks of the last days, "
        "shrunk to the declared quality. Where several tenants ask a model, each counts for at most half of "
        "what the declaration and all others count for, and for 200 opinions. At most 200 series, those with "
        "the most requests.",
        "max",
        when="models somebody looked at",
    ),
    Metric(
        "interchange_quality_answers_waiting",
        GAUGE,
        "",
        (),
        "Answers of the sample that are not looked at yet.",
    ),
    Metric(
        "interchange_quality_answers_total",
        COUNTER,
        "",
        ("result",),
        "Answers of the sample, by what became of looking at them.",
        when="a sample",
    ),
    Metric(
        "interchange_quality_judged_total",
        COUNTER,
        "",
        ("result",),
        "Answers that a judge was to score, by what became of it.",
        when="judges",
    ),
    Metric(
        "interchange_alerts_firing",
        GAUGE,
        "",
        ("rule",),
        "Alerts that fire, by rule, as the process that judges sees them; 0 in others.",
        "max",
        when="alerts",
    ),
    Metric(
        "interchange_alerts_judging",
        GAUGE,
        "",
        (),
        "Workers that judge alerts for the installation: 1 in one instance, 0 in the others.",
        when="alerts",
    ),
    Metric(
        "interchange_experiments_running",
        GAUGE,
        "",
        (),
        "Experiments that answer requests now.",
        "max",
    ),
    Metric(
        "interchange_experiment_arms_stopped_total",
        COUNTER,
        "",
        (),
        "Arms of experiments that guardrails stopped.",
    ),
    Metric(
        "interchange_shadow_requests_total",
        COUNTER,
        "",
        ("result",),
        "Copies of requests for shadows of experiments: `compared`, or why they were left out.",
        when="shadows",
    ),
    Metric(
        "interchange_shadow_requests_running",
        GAUGE,
        "",
        (),
        "Copies that shadows are answering.",
    ),
    Metric(
        "interchange_shadow_requests_waiting",
        GAUGE,
        "",
        (),
        "Copies that wait in memory for a shadow.",
    ),
    Metric(
        "interchange_request_lines_dropped_total",
        COUNTER,
        "",
        (),
        "Log lines of requests that were not written, because the log is read too slowly.",
        when="log lines of requests",
    ),
    Metric(
        "interchange_traces_recorded_total",
        COUNTER,
        "",
        (),
        "Requests whose spans were taken for the collector.",
        when="a collector",
    ),
    Metric(
        "interchange_traces_waiting",
        GAUGE,
        "",
        (),
        "Requests whose spans are not sent yet.",
        when="a collector",
    ),
    Metric(
        "interchange_traces_dropped_total",
        COUNTER,
        "",
        (),
        "Requests whose spans are lost: the queue was full, or the collector could not be reached.",
        when="a collector",
    ),
    Metric(
        "interchange_spans_total",
        COUNTER,
        "",
        ("outcome",),
        "Spans by what became of them at the collector.",
        when="a collector",
    ),
    Metric(
        "interchange_trace_export_failures_total",
        COUNTER,
        "",
        (),
        "Messages that did not reach the collector; most are sent again.",
        when="a collector",
    ),
)
