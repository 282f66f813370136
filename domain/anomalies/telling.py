"""Anomalies in a sentence, for people."""

from domain.anomalies.detector import Window
from domain.anomalies.metrics import Metric
from domain.money import NANO_PER_USD

_NOUNS = {
    Metric.COST: "spending",
    Metric.LATENCY: "mean latency",
    Metric.ERRORS: "errors",
    Metric.REQUESTS: "requests",
}


def sentence(metric: Metric, window: Window) -> str:
    """What was, and what is usual; of `Window.strays`, the ± is what a usual hour may differ by."""
    noun = _NOUNS[metric]
    verb = "were" if metric in (Metric.ERRORS, Metric.REQUESTS) else "was"
    return (
        f"{noun} {verb} {shown(metric, window.observed)}, usual is {shown(metric, window.expected)} "
        f"± {shown(metric, window.strays, per=False)}"
    )


def shown(metric: Metric, value: float, *, per: bool = True) -> str:
    """An amount with its unit; `per` says of what."""
    if metric is Metric.COST:
        return f"${value / NANO_PER_USD:,.2f}{' an hour' if per else ''}"
    if metric is Metric.LATENCY:
        return f"{value / 1000:,.0f} ms"
    if metric is Metric.ERRORS:
        return f"{100 * value:.1f} %{' of requests' if per else ''}"
    return f"{value:,.0f}{' an hour' if per else ''}"
