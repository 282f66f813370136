"""The dashboards for Grafana, generated from tables of panels: `python -m contracts.dashboards` writes
`deploy/grafana/dashboards/*.json`.

A test asks a real Prometheus beside a live server everything that panels ask, and says when the files are not
those of the tables.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

from contracts.dashboard_of_caches import CACHE_DASHBOARD
from contracts.dashboard_of_costs import COST_DASHBOARD
from contracts.dashboard_of_health import HEALTH_DASHBOARD
from contracts.dashboard_panels import SCHEMA, Dashboard, panels_json

DASHBOARDS: Final = (COST_DASHBOARD, HEALTH_DASHBOARD, CACHE_DASHBOARD)
FOLDER: Final = Path(__file__).parents[1] / "deploy" / "grafana" / "dashboards"
INTERCHANGE: Final = "http://localhost:8080"
HANDBOOK: Final = "docs/handbook.md"
"""As in alerts, where nobody says `alerts.runbooks`."""
VARIABLES: Final = {
    "provider": ("Provider", "interchange_attempts_total"),
    "route": ("Route", "interchange_requests_total"),
    "tenant": ("Tenant", "interchange_tenant_requests_total"),
}
"""What can be chosen, and the metric whose label has the choices."""


def written(dashboard: Dashboard, interchange: str = INTERCHANGE, handbook: str = HANDBOOK) -> str:
    """The file of a dashboard. Links begin with the addresses, which can be changed above the panels."""
    content: dict[str, Any] = {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["interchange"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables(dashboard, interchange, handbook)},
        "links": _links(dashboard),
        "panels": panels_json(dashboard.sections, "${handbook}", "${interchange}"),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _variables(dashboard: Dashboard, interchange: str, handbook: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    ]
    for name in dashboard.variables:
        label, metric = VARIABLES[name]
        asked = f"label_values({metric}, {name})"
        choice = {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "definition": asked,
            "query": {"query": asked, "refId": "choices"},
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }
        made.append(choice)
    for name, label, address in (
        ("interchange", "Interchange", interchange),
        ("handbook", "Handbook", handbook),
    ):
        current = {"text": address, "value": address}
        made.append({"name": name, "label": label, "type": "textbox", "query": address, "current": current})
    return made


def _links(dashboard: Dashboard) -> list[dict[str, Any]]:
    others = {"title": "Dashboards", "type": "dashboards", "tags": ["interchange"], "keepTime": True}
    pages = [
        {"title": title, "type": "link", "url": "${interchange}/ui/" + page, "targetBlank": True}
        for page, title in dashboard.pages
    ]
    handbook = {"title": "Handbook", "type": "link", "url": "${handbook}", "targetBlank": True}
    return [others, *pages, handbook]


def main() -> None:
    """Writes the files."""
    parser = argparse.ArgumentParser(description="Writes the dashboards for Grafana.")
    parser.add_argument("--into", type=Path, default=FOLDER, help="the folder")
    parser.add_argument("--interchange", default=INTERCHANGE, help="under which address browsers reach /ui")
    parser.add_argument("--handbook", default=HANDBOOK, help="where docs/handbook.md is to be read")
    said = parser.parse_args()
    said.into.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        text = written(dashboard, said.interchange, said.handbook)
        (said.into / f"{dashboard.uid}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
