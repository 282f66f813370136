"""What panels of dashboards are, and how Grafana wants them: `dashboards.py` holds them together.

A panel is a row of a table: what it asks Prometheus, the unit, the values that are bad, and what to do then.
Queries over time take `$__rate_interval`, which Grafana keeps long enough for the scrapes there are.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from contracts.metrics import METRICS

RATE: Final = "$__rate_interval"
RANGE: Final = "$__range"
PROVIDER: Final = 'provider=~"$provider"'
ROUTE: Final = 'route=~"$route"'
TENANT: Final = 'tenant=~"$tenant"'
NANO_PER_USD: Final = "1e9"
SCHEMA: Final = 41
"""Of the JSON of Grafana 12."""
WIDTH: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_METRIC: Final = re.compile(r"interchange_\w+")
_SUFFIX: Final = re.compile(r"_(bucket|count|sum)$")

Steps = tuple[tuple[float | None, str], ...]
"""Where a colour begins; None: at the bottom."""


def bad_above(warning: float, critical: float) -> Steps:
    """Green below both."""
    return ((None, "green"), (warning, "orange"), (critical, "red"))


def bad_below(critical: float, warning: float) -> Steps:
    """Green above both."""
    return ((None, "red"), (critical, "orange"), (warning, "green"))


class Query(NamedTuple):
    """What is asked. `legend` names a series, with its labels in `{{…}}`; of tables it heads the column."""

    expr: str
    legend: str = ""
    unit: str = ""
    """Of a column of a table, where it differs from the panel's."""


class Panel(NamedTuple):
    """`unit` is one of Grafana's. `page`: where `/ui` has more about it. `alert`: the rule that watches."""

    title: str
    queries: tuple[Query, ...]
    unit: str
    about: str
    """What it shows, and what to do where it is bad."""
    kind: str = "timeseries"
    """Or `stat`, `bargauge`, `table`, `heatmap`, `state-timeline`."""
    page: str = ""
    alert: str = ""
    steps: Steps = ((None, "green"),)
    width: int = 8
    height: int = 8
    stacked: bool = False
    bounds: tuple[float | None, float | None] = (0, None)
    words: tuple[tuple[float, str, str], ...] = ()
    """A word and a colour for a value."""


class Section(NamedTuple):
    """Panels under one heading, from left to right."""

    title: str
    panels: tuple[Panel, ...]


class Dashboard(NamedTuple):
    """`uid` is its address in Grafana and stays; `pages` are those of `/ui` it leads to, with titles."""

    uid: str
    title: str
    about: str
    variables: tuple[str, ...]
    pages: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def rate(metric: str, *where: str, by: str = "", over: str = RATE) -> str:
    """The sum of a counter's rates per second."""
    return _sum(f"rate({metric}{_where(where)}[{over}])", by)


def per_minute(metric: str, *where: str, by: str = "") -> str:
    """The same per minute, for what is rare."""
    return f"{rate(metric, *where, by=by)} * 60"


def grown(metric: str, *where: str, by: str = "", over: str = RANGE) -> str:
    """By how much a counter grew, by default in the time that is shown."""
    return _sum(f"increase({metric}{_where(where)}[{over}])", by)


def quantile(share: float, metric: str, *where: str, by: str = "") -> str:
    """Of a histogram, read from its classes."""
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {_sum(f'rate({metric}_bucket{_where(where)}[{RATE}])', grouped)})"


def or_zero(part: str, whole: str) -> str:
    """0 and not nothing where there is no part; both with the same labels."""
    return f"({part} or {whole} * 0)"


def share(part: str, whole: str) -> str:
    """One sum divided by another with the same labels, of which it is a part."""
    return f"{or_zero(part, whole)} / {whole}"


def seen(metric: str, *where: str, by: str = "", across: str = "max") -> str:
    """A gauge over all instances: as it is where each sees the same, else the worst, or the sum."""
    grouped = f" by ({by}) " if by else ""
    return f"{across}{grouped}({metric}{_where(where)})"


def metrics_of(expr: str) -> list[str]:
    """Names of the list that an expression asks for."""
    found = _METRIC.findall(expr)
    return [name if name in METRICS else _SUFFIX.sub("", name) for name in found]


def _sum(inner: str, by: str) -> str:
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def _where(where: Sequence[str]) -> str:
    return "{" + ",".join(where) + "}" if where else ""


# As JSON


def panels_json(sections: Iterable[Section], handbook: str, interchange: str) -> list[dict[str, Any]]:
    """Headings and panels with their places, from left to right, a new row of panels where one is full."""
    made: list[dict[str, Any]] = []
    top = 0
    for section in sections:
        heading = {"type": "row", "title": section.title, "collapsed": False, "panels": []}
        made.append({"id": len(made) + 1, **heading, "gridPos": _place(0, top, WIDTH, 1)})
        left, tallest, top = 0, 0, top + 1
        for panel in section.panels:
            if left + panel.width > WIDTH:
                left, tallest, top = 0, 0, top + tallest
            place = _place(left, top, panel.width, panel.height)
            made.append({"id": len(made) + 1, **_panel(panel, handbook, interchange), "gridPos": place})
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return made


def _place(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def _panel(panel: Panel, handbook: str, interchange: str) -> dict[str, Any]:
    links = []
    if panel.page:
        links.append(_link("Look closer in Interchange", f"{interchange}/ui/{panel.page}"))
    if panel.alert:
        links.append(_link("What to do: the handbook", f"{handbook}#alert-{panel.alert}"))
    tabular = panel.kind == "table"
    made: dict[str, Any] = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "links": links,
        "targets": [_target(panel, number, query) for number, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _columns(panel) if tabular else []},
        "options": _options(panel),
    }
    if tabular:
        hidden = {"Time": True} | {f"Time {number}": True for number in range(1, len(panel.queries) + 1)}
        renamed = {f"Value #{_letter(number)}": query.legend for number, query in enumerate(panel.queries)}
        organize = {"excludeByName": hidden, "renameByName": renamed}
        made["transformations"] = [
            {"id": "merge", "options": {}},
            {"id": "organize", "options": organize},
        ]
    return made


def _link(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "url": url, "targetBlank": True}


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _target(panel: Panel, number: int, query: Query) -> dict[str, Any]:
    now = panel.kind in ("stat", "bargauge", "table")
    form = {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series")
    return {
        "refId": _letter(number),
        "datasource": _SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": "{{le}}" if panel.kind == "heatmap" else query.legend or "__auto",
        "format": form,
        "instant": now,
        "range": not now,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    low, high = panel.bounds
    made: dict[str, Any] = {
        "unit": panel.unit,
        "noValue": _empty(panel),
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": colour, "value": value} for value, colour in panel.steps],
        },
        "color": {"mode": "thresholds" if panel.kind != "timeseries" else "palette-classic"},
        "mappings": _words(panel.words),
    }
    made |= {name: value for name, value in (("min", low), ("max", high)) if value is not None}
    if panel.kind == "timeseries":
        limits = "dashed" if len(panel.steps) > 1 else "off"
        made["custom"] = {
            "fillOpacity": 25 if panel.stacked else 5,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": limits},
        }
    return made


def _empty(panel: Panel) -> str:
    """Why there is nothing to see, as far as the list of metrics says so."""
    names = [name for query in panel.queries for name in metrics_of(query.expr)]
    reasons = dict.fromkeys(METRICS[name].when for name in names if METRICS[name].when)
    return f"Nothing yet: only with {next(iter(reasons))}" if reasons else "Nothing yet: no requests"


def _words(words: Iterable[tuple[float, str, str]]) -> list[dict[str, Any]]:
    options = {
        f"{value:g}": {"text": text, "color": colour, "index": index}
        for index, (value, text, colour) in enumerate(words)
    }
    return [{"type": "value", "options": options}] if options else []


def _columns(panel: Panel) -> list[dict[str, Any]]:
    return [
        {
            "matcher": {"id": "byName", "options": query.legend},
            "properties": [{"id": "unit", "value": query.unit or panel.unit}],
        }
        for query in panel.queries
    ]


def _options(panel: Panel) -> dict[str, Any]:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    options: Mapping[str, dict[str, Any]] = {
        "timeseries": {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["mean", "lastNotNull"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "stat": {"reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "auto"},
        "bargauge": {"reduceOptions": last, "orientation": "horizontal", "displayMode": "basic"},
        "table": {"showHeader": True, "cellHeight": "sm"},
        "heatmap": {"calculate": False, "cellGap": 1, "color": {"scheme": "Blues", "mode": "scheme"}},
        "state-timeline": {"showValue": "never", "mergeValues": True, "rowHeight": 0.8},
    }
    return options[panel.kind]
