"""The rules for Prometheus: they are those of the table, name metrics there are, fire and do not."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from contracts.alert_rules import FOLDER, PROM_RULES, alert_name, cases, rules, written
from contracts.metrics import METRIC_GROUPS
from domain.sla.rules import RULES, USAGE_REFUSED
from tests.conftest import missing

_SUFFIX = re.compile(r"_(bucket|count|sum)$")


def test_the_shipped_files_are_those_of_the_table() -> None:
    assert (FOLDER / "rules.yml").read_text(encoding="utf-8") == written(rules())
    assert (FOLDER / "rules_test.yml").read_text(encoding="utf-8") == written(cases())


def test_every_alert_has_a_rule_with_a_case_that_fires_and_one_that_does_not() -> None:
    assert {each.name for each in PROM_RULES} == RULES.keys() - {USAGE_REFUSED}
    for rule in PROM_RULES:
        assert {case.labels is None for case in rule.cases} == {True, False}, rule.name


def test_every_rule_says_what_it_is_and_where_the_remedy_is() -> None:
    for rule in rules()["groups"][0]["rules"]:
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert all(rule["annotations"].values())
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_every_metric_and_label_in_the_rules_is_in_the_list() -> None:
    listed = {each.name: each for group in METRIC_GROUPS.values() for each in group}
    for rule in PROM_RULES:
        for name, labels in re.findall(r"(interchange_\w+)(?:\{([^}]*)\})?", rule.expr):
            metric = listed.get(name) or listed.get(_SUFFIX.sub("", name))
            assert metric is not None, (rule.name, name)
            used = set(re.findall(r"(\w+)[=!]~?\"", labels))
            assert used <= {*metric.labels, "le"}, (rule.name, name, used)


@pytest.mark.parametrize("what", [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")])
def test_promtool_agrees(what: tuple[str, ...], tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool (Debian's prometheus)")
    assert promtool is not None
    for name, content in (("rules.yml", rules()), ("rules_test.yml", cases())):
        (tmp_path / name).write_text(written(content), encoding="utf-8")

    ended = subprocess.run([promtool, *what], cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_alerts_are_named_as_prometheus_does() -> None:
    assert alert_name("latency-p95") == "InterchangeLatencyP95"
