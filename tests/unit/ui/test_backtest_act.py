"""What a route's page says of a backtest."""

from typing import Any

from entrypoints.ui.page import Shown
from entrypoints.ui.pages import backtest_act, routes

INTERVAL = {"value": 2.0, "low": 1.5, "high": 2.5}
REPRICED = {"target": "a/m", "same_output_usd": "1", "half_output_usd": "0.5", "twice_output_usd": "2"}


def found(**said: Any) -> dict[str, Any]:
    """What the API answers."""
    one = {
        "metric": "cost",
        "unit": "usd",
        "verdict": "unclear",
        "refusals": [],
        "effective_sample": 120.4,
        "logged": {**INTERVAL, "value": 4.0},
        "estimate": INTERVAL,
        "change": {"value": -2.0, "low": -2.5, "high": 0.5},
    }
    return {
        "requests": 1_500,
        "drawn": 1_400,
        "truncated": False,
        "left_out": {},
        "metrics": [one],
        "repricing": {"requests": 1_400, "targets": [REPRICED]},
        **said,
    }


def shown(**said: Any) -> Shown:
    page = Shown()
    backtest_act.tell(page, found(**said))
    return page


def test_estimates_stand_beside_what_was_recorded() -> None:
    page = shown(truncated=True, left_out={"undrawn": 100})
    estimates, prices = page.tables

    assert estimates.rows == [
        {
            "metric": "cost",
            "logged": "4 usd",
            "estimate": "2 (1.5 to 2.5)",
            "change": "-2 (-2.5 to 0.5), -50.0 %",
            "effective": 120,
            "verdict": "may be either",
        }
    ]
    assert prices.rows == [REPRICED]
    assert page.context["note"] == (
        "1,500 requests, 1,400 of them drawn by lot. There were more before. In no estimate: 100 undrawn."
    )


def test_a_refusal_says_each_reason_once() -> None:
    refusal = {"code": "no_draws", "message": "nothing was drawn"}
    one = {"metric": "cost", "verdict": "refused", "refusals": [refusal], "estimate": None}

    page = shown(metrics=[one, {**one, "metric": "errors"}])

    assert page.context["note"].endswith(" Not concluded: nothing was drawn.")
    assert [row["verdict"] for row in page.tables[0].rows] == ["refused", "refused"]


def test_the_form_begins_with_the_route_and_is_there_for_routes_of_the_file() -> None:
    route = {"strategy": "cost", "targets": ["a/m"], "retries": 1}

    assert backtest_act.values("chat", route) == {
        "route": "chat",
        "policy": {"strategy": "cost", "targets": ["a/m"]},
    }
    assert [act.name for act in routes.PAGE.acts if act.asks] == ["backtest"]
