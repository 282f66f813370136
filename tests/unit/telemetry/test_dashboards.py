"""The dashboards: their files are those of the tables, and what they ask for exists."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from contracts.dashboard_panels import WIDTH, Dashboard, Panel, metrics_of
from contracts.dashboards import DASHBOARDS, FOLDER, HANDBOOK, VARIABLES, written
from contracts.metrics import METRICS
from domain.sla.rules import RULES
from entrypoints.ui.pages import PAGES

ROOT = Path(__file__).parents[3]
_SELECTED = re.compile(r"(interchange_\w+)\{([^}]*)\}")
_GROUPED = re.compile(r"by \(([^)]*)\)")
_BUILT_IN = {"datasource", "interchange", "handbook", "__rate_interval", "__range"}
PANELS = [
    pytest.param(panel, id=f"{dashboard.uid}: {panel.title}")
    for dashboard in DASHBOARDS
    for section in dashboard.sections
    for panel in section.panels
]


def shown(dashboard: Dashboard) -> dict[str, Any]:
    return dict(json.loads(written(dashboard)))


def test_the_shipped_files_are_those_of_the_tables() -> None:
    wanted = {f"{each.uid}.json": written(each) for each in DASHBOARDS}
    shipped = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}

    assert shipped == wanted, "run: make dashboards"


def test_the_three_dashboards_keep_their_addresses() -> None:
    assert {each.uid: each.title for each in DASHBOARDS} == {
        "interchange-cost": "Cost Optimization",
        "interchange-health": "Integration Health",
        "interchange-cache": "Cache Performance",
    }


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_metrics_and_labels_of_the_list(panel: Panel) -> None:
    assert panel.queries
    for query in panel.queries:
        names = metrics_of(query.expr)
        assert names
        assert set(names) <= set(METRICS)
        labels = {label for name in names for label in METRICS[name].labels} | {"le"}
        for name, inside in _SELECTED.findall(query.expr):
            [metric] = metrics_of(name)
            assert set(re.findall(r"(\w+)[=!]~?\"", inside)) <= {*METRICS[metric].labels, "le"}, query.expr
        for group in _GROUPED.findall(query.expr):
            assert {part.strip() for part in group.split(",")} <= labels, query.expr
        assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= labels, query.legend


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_unit_and_says_what_to_do(panel: Panel) -> None:
    assert panel.unit
    assert panel.about.endswith(".")
    assert panel.width <= WIDTH
    assert not panel.alert or panel.alert in RULES
    if panel.kind in ("timeseries", "bargauge", "table") and len(panel.queries) > 1:
        assert all(query.legend for query in panel.queries)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_a_file_has_what_grafana_needs(dashboard: Dashboard) -> None:
    content = shown(dashboard)
    panels = content["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    titles = [panel["title"] for panel in panels if panel["type"] != "row"]
    assert len(titles) == len(set(titles))
    for panel in panels:
        if panel["type"] == "row":
            continue
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        assert [target["refId"] for target in panel["targets"]] == [*"ABCDEFGHIJ"[: len(panel["targets"])]]
        for target in panel["targets"]:
            assert target["expr"] and target["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_panels_do_not_lie_on_one_another(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in shown(dashboard)["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= WIDTH
        cells = {
            (place["x"] + column, place["y"] + row)
            for column in range(place["w"])
            for row in range(place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.uid)
def test_every_variable_is_used_and_every_used_one_is_there(dashboard: Dashboard) -> None:
    content = shown(dashboard)
    named = {each["name"] for each in content["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps([content["panels"], content["links"]])))

    assert named == used - {"__rate_interval", "__range"}
    assert used <= _BUILT_IN | set(VARIABLES)
    for name, (_, metric) in VARIABLES.items():
        assert name in METRICS[metric].labels


def test_links_lead_to_pages_and_remedies_there_are() -> None:
    titles = {page.name: page.title for page in PAGES}
    handbook = (ROOT / HANDBOOK).read_text(encoding="utf-8")
    for dashboard in DASHBOARDS:
        assert dict(dashboard.pages).items() <= titles.items()
        for panel in (panel for section in dashboard.sections for panel in section.panels):
            assert not panel.page or panel.page in titles, panel.title
            assert not panel.alert or f"alert-{panel.alert}" in handbook, panel.title


def test_links_can_be_written_for_other_addresses(tmp_path: Path) -> None:
    said = ["--interchange", "https://ic.example.com", "--handbook", "https://wiki.example.com/ic"]
    command = [sys.executable, "-m", "contracts.dashboards", "--into", str(tmp_path), *said]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)

    for dashboard in DASHBOARDS:
        content = json.loads((tmp_path / f"{dashboard.uid}.json").read_text(encoding="utf-8"))
        values = {each["name"]: each.get("query") for each in content["templating"]["list"]}
        assert values["interchange"] == "https://ic.example.com"
        assert values["handbook"] == "https://wiki.example.com/ic"


def test_grafana_finds_the_files_where_compose_mounts_them() -> None:
    yaml = YAML(typ="safe")
    compose = yaml.load(ROOT / "docker-compose.yml")
    provisioned = yaml.load(ROOT / "deploy/grafana/provisioning/dashboards/interchange.yml")

    [provider] = provisioned["providers"]
    mounts = dict(mount.split(":")[:2] for mount in compose["services"]["grafana"]["volumes"])
    assert mounts["./" + str(FOLDER.relative_to(ROOT))] == provider["options"]["path"]
