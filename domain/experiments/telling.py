"""What experiments show, in plain words."""

from domain.experiments.experiment import Experiment, Metric, Shadow, Unit
from domain.experiments.judging import ArmReport, Breach, Outcome, Report, Verdict
from domain.experiments.likeness import LikenessSums
from domain.experiments.sequences import Interval
from domain.money import format_usd

_NOUN = {
    Metric.COST: "cost",
    Metric.LATENCY: "latency",
    Metric.QUALITY: "quality",
    Metric.ERRORS: "error share",
}
_UNITS = {
    Unit.TENANT: "tenants",
    Unit.USER: "users",
    Unit.SESSION: "sessions",
    Unit.REQUEST: "requests",
}


def amount_text(metric: Metric, value: float) -> str:
    """A mean of a metric: `$0.0012`, `412 ms`, `1.2 %`, `0.84`."""
    if metric is Metric.COST:
        return f"${format_usd(_rounded(value))}"
    if metric is Metric.LATENCY:
        return f"{value / 1000:,.0f} ms" if value >= 10_000 else f"{value / 1000:.2g} ms"
    if metric is Metric.ERRORS:
        return f"{100 * value:.3g} %"
    return f"{value:.3g}"


def interval_text(metric: Metric, interval: Interval) -> str:
    """A mean with its ends."""
    ends = f"{amount_text(metric, interval.low)} to {amount_text(metric, interval.high)}"
    return f"{amount_text(metric, interval.value)} ({ends})"


def difference_text(metric: Metric, interval: Interval) -> str:
    """A difference from control with its ends: `-12 % (-20 % to -4 %)`, or points."""
    value, low, high = (_signed(metric, each) for each in (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high})"


def decision_text(experiment: Experiment, report: Report) -> str:
    """One or two sentences that say what to do."""
    metric = _NOUN[experiment.metric]
    sure = f"{100 * (1 - experiment.alpha):g} %"
    if report.outcome is Outcome.SPLIT_IS_OFF:
        assert report.ratio is not None
        return (
            f"Do not trust the comparison: the {_UNITS[experiment.unit]} are not split as the weights say "
            f"(p = {report.ratio.p_value:.2g}). Something keeps some of them out of an arm."
        )
    if report.outcome is Outcome.STOPPED:
        return "Guardrails stopped every arm but control, which now answers everybody."
    if report.outcome is Outcome.BETTER:
        best = next(each for each in report.arms if each.arm.name == report.winner)
        if isinstance(best.arm, Shadow):
            return (
                f"{best.arm.name} would be better: for the same requests its {metric} is "
                f"{_than_control(experiment, best)}, with {sure} confidence at every look. Nobody has seen "
                "its answers yet: look at how alike they are, then give it a share of the users."
            )
        return (
            f"{best.arm.name} is better: its {metric} is {_than_control(experiment, best)}, with {sure} "
            "confidence at every look. Promote it, or go on to see more of it."
        )
    if report.outcome is Outcome.CONTROL_IS_BETTER:
        return f"{experiment.control.name} is better than the others by {metric}. Stop the experiment."
    if report.outcome is Outcome.NO_DIFFERENCE:
        return (
            f"No difference in {metric} within {_plain(experiment.metric, experiment.smallest_effect)}: no "
            "arm is worth a change. Stop the experiment."
        )
    if report.missing:
        return (
            f"Keep going: {report.missing:,} more {_UNITS[experiment.unit]} with a known {metric} are needed "
            "in the arm that has the fewest."
        )
    return f"Keep going: the arms do not differ in {metric} beyond what chance does, and may not be the same."


def verdict_text(experiment: Experiment, arm: ArmReport) -> str:
    """What became of one arm, in a few words."""
    if arm.verdict is Verdict.CONTROL:
        return "control"
    if arm.verdict is Verdict.STOPPED:
        return "stopped by a guardrail"
    if arm.verdict is Verdict.SAME:
        return f"no difference within {_plain(experiment.metric, experiment.smallest_effect)}"
    if arm.verdict is Verdict.UNDECIDED:
        return "keep going"
    return f"{arm.verdict.value} than control"


def likeness_text(found: LikenessSums) -> str:
    """How alike a shadow's answers are to control's: `words in common 81 %, the same 12 %, ...`; empty:
    nothing was compared yet."""
    said: list[str] = []
    for share, text in (
        (found.common_share, "words in common {:.3g} %"),
        (found.same_share, "the same words {:.3g} %"),
        (found.length_ratio, "length {:.3g} % of control's"),
    ):
        if share is not None:
            said.append(text.format(100 * share))
    if found.turns and found.same_turn < found.turns:
        said.append(f"tools called by one alone {100 - 100 * found.same_turn / found.turns:.3g} %")
    for name in found.control_findings.keys() | found.shadow_findings.keys():
        mine, theirs = found.shadow_findings.get(name, 0), found.control_findings.get(name, 0)
        if mine or theirs:
            said.append(f"{name.replace('_', ' ')} {mine:,} (control {theirs:,})")
    return ", ".join(said[:3] + sorted(said[3:]))


def breach_text(experiment: Experiment, breach: Breach) -> str:
    """Why an arm was stopped, with the evidence."""
    metric, allowed = breach.guardrail.metric, breach.guardrail.worse_by
    return (
        f"its {_NOUN[metric]} is {amount_text(metric, breach.arm_mean)}, control's "
        f"{amount_text(metric, breach.control_mean)}: worse by at least {_plain(metric, breach.at_least)}, "
        f"{_plain(metric, allowed)} is allowed ({breach.arm_units:,} and {breach.control_units:,} "
        f"{_UNITS[experiment.unit]})"
    )


def _than_control(experiment: Experiment, arm: ArmReport) -> str:
    assert arm.difference is not None
    value = arm.difference.value
    word = "above" if value > 0 else "below"
    return f"{_plain(experiment.metric, abs(value))} {word} control's"


def _plain(metric: Metric, value: float) -> str:
    if metric.relative:
        return f"{100 * value:.3g} %"
    return f"{100 * value:.3g} points" if metric is Metric.ERRORS else f"{value:.3g}"


def _signed(metric: Metric, value: float) -> str:
    if metric.relative:
        return f"{100 * value:+.3g} %"
    return f"{100 * value:+.3g} points" if metric is Metric.ERRORS else f"{value:+.3g}"


def _rounded(nano_usd: float) -> int:
    """To three significant digits: more would pretend."""
    return int(float(f"{nano_usd:.3g}"))
