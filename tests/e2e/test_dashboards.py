"""Every query of every panel, and every rule, asked of a real Prometheus that scrapes a server under load."""

import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from contracts.alert_rules import PROM_RULES
from contracts.dashboard_panels import metrics_of
from contracts.dashboards import FOLDER, VARIABLES
from contracts.metrics import METRICS
from tests.e2e.dashboard_world import Load, Prometheus, busy_server

WITHIN_S = 60.0
"""Most is there after 20 s; some only tells when something was looked at twice."""
_VALUES = {"$__rate_interval": "15s", "$__range": "1m"} | {f"${name}": ".*" for name in VARIABLES}
_SELECTED = re.compile(r"interchange_\w+(?:\{[^}]*\})?")


def asked(expr: str) -> str:
    """As Grafana sends it, with everything chosen."""
    for name, value in _VALUES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr
    return expr


def queries() -> list[tuple[str, str]]:
    """Of the shipped files: where, and what; and each selector alone, which `or` could hide."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.json")):
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for panel in content["panels"]:
            for target in panel.get("targets", ()):
                where = f"{content['title']} / {panel['title']} / {target['refId']}"
                expr = asked(target["expr"])
                found.setdefault(expr, where)
                for selector in _SELECTED.findall(expr):
                    found.setdefault(selector, where)
        for variable in content["templating"]["list"]:
            if variable["type"] == "query":
                name, label = re.findall(r"label_values\((\w+), (\w+)\)", variable["definition"])[0]
                found.setdefault(f"count by ({label}) ({name})", f"{content['title']} / ${label}")
    return [(where, expr) for expr, where in found.items()]


class Watched(NamedTuple):
    prometheus: Prometheus
    load: Load


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("dashboards")
    with busy_server(folder) as (stack, load), Prometheus(folder / "prometheus", stack) as running:
        yield Watched(running, load)


def test_every_query_of_every_panel_has_an_answer(watched: Watched) -> None:
    prometheus = watched.prometheus
    open_ones = {expr: (where, "not asked") for where, expr in queries()}
    assert len(open_ones) > 150
    give_up = time.monotonic() + WITHIN_S
    while open_ones and time.monotonic() < give_up:
        time.sleep(1.0 if prometheus.ready() else 0.2)
        watched.load.check()
        if not prometheus.ready():
            continue
        for expr, (where, _) in list(open_ones.items()):
            wrong, values = prometheus.query(expr)
            assert not wrong, (where, expr, wrong)
            if any(math.isfinite(value) for value in values):
                del open_ones[expr]
            else:
                open_ones[expr] = (where, str(values[:3]))

    assert not open_ones, "\n".join(f"{where}: {expr} {why}" for expr, (where, why) in open_ones.items())


def test_every_metric_that_is_asked_for_is_in_the_list() -> None:
    assert {name for _, expr in queries() for name in metrics_of(expr)} <= set(METRICS)


def test_every_rule_can_be_evaluated(watched: Watched) -> None:
    prometheus = watched.prometheus
    give_up = time.monotonic() + WITHIN_S
    while not prometheus.ready() and time.monotonic() < give_up:
        time.sleep(0.2)
    for rule in PROM_RULES:
        assert prometheus.query(rule.expr)[0] == "", rule.name

    loaded = prometheus.rules()
    assert len(loaded) == len(PROM_RULES)
    assert not [rule["lastError"] for rule in loaded if rule.get("lastError")]
