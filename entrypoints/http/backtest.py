"""`POST /api/v1/routing/backtest`: what another policy would have brought on a route."""

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from application.policy_replay import PolicyTarget, WrittenPolicy
from application.use_cases.backtest_policy import RECORDS_USUAL, AskedBacktest, Backtest, BacktestPolicy
from domain.backtest.estimators import WEIGHT_MAX, Estimates, Overlap
from domain.backtest.judging import EFFECTIVE_MIN, Judgement
from domain.backtest.reading import LeftOut
from domain.backtest.repricing import Repriced
from domain.errors import InvalidRequest
from domain.experiments.experiment import Metric
from domain.experiments.sequences import Interval
from domain.money import format_usd
from domain.tenancy.principal import Principal
from entrypoints.api_routes import route_section
from entrypoints.http.guard import Body, Door, decode, guarded_routes, only_parameters, read_bounded
from entrypoints.http.usage_questions import iso, read_instant

PATH: Final = "/api/v1/routing/backtest"
_UNITS: Final = {
    Metric.COST: ("usd", 1e-9),
    Metric.LATENCY: ("ms", 1e-3),
    Metric.QUALITY: ("score", 1.0),
    Metric.ERRORS: ("share", 1.0),
}


class BacktestBody(Body):
    """`policy` is the name of a route, or what a route of the file may say."""

    route: str
    policy: str | dict[str, Any]
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    metrics: tuple[Metric, ...] = ()
    requests_max: int = RECORDS_USUAL


def backtest_routes(door: Door, backtest: BacktestPolicy) -> list[Route]:
    """The one route."""

    async def ask(request: Request, by: Principal) -> Any:
        only_parameters(request)
        asked = read_backtest(decode(await read_bounded(request), BacktestBody))
        return backtest_object(await backtest(by, asked))

    return guarded_routes(door, {("POST", PATH): ask})


def read_backtest(body: BacktestBody) -> AskedBacktest:
    """Raises InvalidRequest."""
    return AskedBacktest(
        route=body.route,
        policy=body.policy if isinstance(body.policy, str) else _written(body.policy),
        from_us=read_instant(body.from_, "from"),
        to_us=read_instant(body.to, "to"),
        metrics=tuple(dict.fromkeys(body.metrics)),
        requests_max=body.requests_max,
    )


def _written(policy: dict[str, Any]) -> WrittenPolicy:
    try:
        section = route_section("policy", msgspec.json.encode(policy))
    except InvalidRequest as error:
        raise InvalidRequest(f"policy: {error.message}", param=f"policy.{error.param}") from None
    targets = tuple(PolicyTarget(each.target, each.weight, each.priority) for each in section.targets)
    return WrittenPolicy(section.strategy, targets)


def backtest_object(found: Backtest) -> dict[str, Any]:
    """Estimates in dollars, milliseconds and shares of one request."""
    report = found.report
    reading = report.reading
    return {
        "route": found.route,
        "strategy": found.strategy,
        "from": iso(found.from_us),
        "to": iso(found.to_us),
        "truncated": found.truncated,
        "concluded": report.concluded,
        "requests": reading.requests,
        "decisions": len(reading.decisions),
        "drawn": reading.drawn,
        "fell_over": reading.fell_over,
        "left_out": {why.value: reading.left_out[why] for why in LeftOut if reading.left_out[why]},
        "effective_min": EFFECTIVE_MIN,
        "weight_max": WEIGHT_MAX,
        "overlap": None if report.overlap is None else _overlap(report.overlap),
        "metrics": [_judged(each) for each in report.judgements],
        "repricing": {
            "requests": found.billed,
            "billed_usd": format_usd(found.billed_nano_usd),
            "targets": [_repriced(each) for each in found.repriced],
        },
    }


def _overlap(overlap: Overlap) -> dict[str, Any]:
    return {
        "units": overlap.units,
        "effective_sample": round(overlap.effective, 1),
        "heaviest_unit": round(overlap.heaviest, 6),
        "coverage": round(overlap.coverage, 6),
        "clipped": round(overlap.clipped, 6),
        "mean_weight": round(overlap.mean_weight, 6),
    }


def _judged(judgement: Judgement) -> dict[str, Any]:
    unit, factor = _UNITS[judgement.metric]
    return {
        "metric": judgement.metric.value,
        "unit": unit,
        "verdict": judgement.verdict.value,
        "refusals": [{"code": each.refusal.value, "message": each.why} for each in judgement.objections],
        **_estimates(judgement.estimates, factor),
    }


def _estimates(found: Estimates | None, factor: float) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("values", "effective_sample", "logged", "ips", "snips", "estimate", "change"))

    def shown(one: Interval) -> dict[str, float]:
        return {"value": one.value * factor, "low": one.low * factor, "high": one.high * factor}

    return {
        "values": found.values,
        "effective_sample": round(found.effective, 1),
        "logged": shown(found.logged),
        "ips": None if found.ips is None else found.ips * factor,
        "snips": shown(found.snips),
        "estimate": shown(found.dr),
        "change": shown(found.change),
    }


def _repriced(found: Repriced) -> dict[str, str]:
    return {
        "target": found.target_id,
        "same_output_usd": format_usd(found.same),
        "half_output_usd": format_usd(found.low),
        "twice_output_usd": format_usd(found.high),
    }
