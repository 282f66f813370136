"""Asking on a route's page what another policy would have brought, and showing what came of it."""

from collections.abc import Mapping
from typing import Any, Final

from entrypoints.ui.page import Act, Column, Field, Shown, Table

ACT: Final = Act(
    name="backtest",
    title="Backtest another policy",
    method="POST",
    path="/api/v1/routing/backtest",
    permission="usage.read",
    asks=True,
    stays=True,
    note="What it would have brought on the requests of the last seven days, as far as these can tell. "
    "Nothing is sent and nothing is changed.",
    fields=(
        Field("route", "Route", "hidden"),
        Field(
            "policy",
            "Policy",
            "json",
            "A strategy and targets, or the name of a route in quotes.",
            required=True,
        ),
    ),
)
_VERDICTS: Final = {"unclear": "may be either"}


def values(name: str, route: Mapping[str, Any]) -> dict[str, Any]:
    """What the form begins with: the route as it is, to be changed."""
    return {"route": name, "policy": {key: route[key] for key in ("strategy", "targets") if key in route}}


def tell(shown: Shown, found: Mapping[str, Any]) -> None:
    """Puts an answer of the API before what the page shows anyway."""
    reasons = dict.fromkeys(each["message"] for one in found["metrics"] for each in one["refusals"])
    told = f"{found['requests']:,} requests, {found['drawn']:,} of them drawn by lot."
    if found["truncated"]:
        told += " There were more before."
    if found["left_out"]:
        told += " In no estimate: " + ", ".join(f"{n:,} {why}" for why, n in found["left_out"].items()) + "."
    shown.context["own_answer"] = True
    shown.context["note"] = " ".join((told, *(f"Not concluded: {each}." for each in reasons)))
    shown.tables = (_estimates(found), _repriced(found["repricing"]), *shown.tables)


def _estimates(found: Mapping[str, Any]) -> Table:
    return Table(
        name="backtest",
        title="What the policy would have brought",
        columns=(
            Column("metric", "Of a request"),
            Column("logged", "Recorded"),
            Column("estimate", "Estimated"),
            Column("change", "Change"),
            Column("effective", "Effective sample", "number", wide=True),
            Column("verdict", "Verdict"),
        ),
        rows=[_row(each) for each in found["metrics"]],
        empty="Nothing was estimated.",
        passing=True,
    )


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    row = {"metric": one["metric"], "verdict": _VERDICTS.get(one["verdict"], one["verdict"])}
    if one["estimate"] is None:
        return row
    logged = one["logged"]["value"]
    share = f", {100 * one['change']['value'] / logged:+.1f} %" if logged else ""
    return {
        **row,
        "logged": f"{logged:.4g} {one['unit']}",
        "estimate": _interval(one["estimate"]),
        "change": _interval(one["change"]) + share,
        "effective": round(one["effective_sample"]),
    }


def _interval(one: Mapping[str, float]) -> str:
    return f"{one['value']:.4g} ({one['low']:.4g} to {one['high']:.4g})"


def _repriced(repricing: Mapping[str, Any]) -> Table:
    return Table(
        name="repricing",
        title=f"The same tokens of {repricing['requests']:,} answered requests, at each target's prices",
        columns=(
            Column("target", "Target", "code"),
            Column("same_output_usd", "Cost", "usd"),
            Column("half_output_usd", "Half the output", "usd", wide=True),
            Column("twice_output_usd", "Twice the output", "usd", wide=True),
        ),
        rows=repricing["targets"],
        empty="Nothing was answered.",
        passing=True,
    )
