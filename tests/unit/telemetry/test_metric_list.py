"""The published list is well formed, and the documentation is written from it."""

import re
from pathlib import Path

import pytest

from application.ports.telemetry import Metric
from contracts.metrics import METRIC_GROUPS, METRICS
from contracts.metrics_page import with_list

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_every_name_is_listed_once() -> None:
    assert sum(map(len, METRIC_GROUPS.values())) == len(METRICS)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_metric_is_named_and_described_as_the_format_wants(metric: Metric) -> None:
    assert re.fullmatch(r"interchange_[a-z0-9_]+", metric.name)
    assert all(re.fullmatch(r"[a-z_]+", label) and label != "le" for label in metric.labels)
    assert metric.kind in ("counter", "gauge", "histogram")
    assert metric.across in ("sum", "max", "min", "mean")
    assert metric.meaning.endswith(".")
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert metric.kind == "gauge" or metric.across == "sum"


def test_the_page_of_the_documentation_is_current() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text == with_list(text), "run `python -m contracts.metrics_page`"
