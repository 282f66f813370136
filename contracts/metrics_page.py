"""Writes the list of metrics into `docs/metrics.md`: `python -m contracts.metrics_page`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from application.ports.telemetry import Metric
from contracts.metrics import METRIC_GROUPS

BEGIN: Final = "<!-- the list: written by `python -m contracts.metrics_page` -->"
END: Final = "<!-- end of the list -->"
_ACROSS: Final = {"sum": "sum", "max": "largest", "min": "smallest", "mean": "mean"}


def listed() -> str:
    """The list as Markdown."""
    parts: list[str] = []
    for group, metrics in METRIC_GROUPS.items():
        parts += [
            f"### {group}",
            "",
            "| metric | kind | labels | workers | meaning |",
            "|---|---|---|---|---|",
            *_rows(metrics),
            "",
        ]
    return "\n".join(parts).rstrip()


def _rows(metrics: Iterable[Metric]) -> Iterable[str]:
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "—"
        across = _ACROSS[metric.across] if metric.kind == "gauge" else "sum"
        unit = f" In {metric.unit.replace('_', '-')}." if metric.unit else ""
        when = f" Only with {metric.when}." if metric.when else ""
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {across} | {metric.meaning}{unit}{when} |"


def with_list(text: str) -> str:
    """A page with the present list between its marks. Raises ValueError where it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no marks for the list")
    return f"{before}{BEGIN}\n\n{listed()}\n\n{END}{after}"


def main() -> None:
    """Writes the page."""
    page = Path(__file__).parents[1] / "docs" / "metrics.md"
    page.write_text(with_list(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
