"""Anomalies in a sentence, for people."""

from domain.anomalies.detector import Kind, Window
from domain.anomalies.metrics import Metric
from domain.money import NANO_PER_USD

_NOUNS = {
    Metric.COST: "spending",
    Metric.LATENCY: "mean latency",
    Metric.ERRORS: "errors",
    Metric.REQUESTS: "requests",
}


def sentence(metric: Metric, window: Window) -> str:
    """What was, and what is usual; of `Window.strays`, the ± is what a usual hour may differ by. Windows are
    of hours."""
    noun = _NOUNS[metric]
    many = metric in (Metric.ERRORS, Metric.REQUESTS)
    observed, expected = shown(metric, window.observed), shown(metric, window.expected)
    strays = f"± {shown(metric, window.strays, per=False)}"
    if window.kind is Kind.DRIFT:
        went = "climbed" if window.up else "fell"
        return f"{noun} {went} within days to {observed}, expected was {expected} {strays}"
    if window.kind is Kind.SHIFT:
        hours = window.last - window.first + 1
        return (
            f"{noun} {'were' if many else 'was'} {observed} for {hours} hours, usual is {expected} {strays}"
        )
    return f"{noun} {'were' if many else 'was'} {observed}, usual is {expected} {strays}"


def shown(metric: Metric, value: float, *, per: bool = True) -> str:
    """An amount with its unit; `per` says of what."""
    if metric is Metric.COST:
        return f"${value / NANO_PER_USD:,.2f}{' an hour' if per else ''}"
    if metric is Metric.LATENCY:
        return f"{value / 1000:,.0f} ms"
    if metric is Metric.ERRORS:
        return f"{100 * value:.1f} %{' of requests' if per else ''}"
    return f"{value:,.0f}{' an hour' if per else ''}"
