"""What pages about models make of the API's answers."""

from typing import Any

import pytest

from entrypoints.ui.page import Act
from entrypoints.ui.pages.alerts import alert_row, limit_of, measured, objective_row
from entrypoints.ui.pages.cache import ratio, warm_lines
from entrypoints.ui.pages.models import days_of, interval, model_row
from entrypoints.ui.pages.playground import PAGE, cache_sentence, plan_sentence, shape
from entrypoints.ui.pages.providers import NOWHERE, places, provider_row, regions_table
from entrypoints.ui.pages.routes import target_words


def provider(name: str, region: str | None, **more: Any) -> dict[str, Any]:
    target = {
        "id": f"{name}/small",
        "region": region,
        "breaker": "closed",
        "back_after_s": 0.0,
        "first_token_ms": None,
        "latency_p95_ms": 12.0,
        "in_flight": 1,
    }
    return {
        "provider": name,
        "state": "healthy",
        "breaker": "closed",
        "forced": None,
        "usable": True,
        "targets": [target, {**target, "id": f"{name}/large", "latency_p95_ms": 80.0}],
        "keys": [],
        **more,
    }


def usage(**more: int) -> dict[str, Any]:
    return {
        "provider": "acme",
        "model": "small",
        "requests": 4,
        "ok_requests": 3,
        "unpriced_requests": 0,
        "cost_nano_usd": 2_000_000,
        "input_tokens": 1500,
        "output_tokens": 500,
        "duration_us": 8000,
        "first_token_us": 900,
        "first_token_requests": 3,
        **more,
    }


def test_a_prompt_becomes_messages_with_its_demands() -> None:
    body = shape(
        {
            "request": {"model": "auto", "max_tokens": 9},
            "system": "Be brief.",
            "prompt": "Hello",
            "model_requirements": {"max_latency_ms": 500},
            "context": {"tenant_id": "default"},
        }
    )

    assert body == {
        "model_requirements": {"capabilities": [], "max_latency_ms": 500},
        "request": {
            "model": "auto",
            "max_tokens": 9,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hello"},
            ],
        },
        "context": {"tenant_id": "default", "agent_id": "playground"},
    }


def test_an_empty_system_text_is_no_message() -> None:
    body: Any = shape({"prompt": "Hello", "system": "  \n"})

    assert [each["role"] for each in body["request"]["messages"]] == ["user"]


def test_all_three_things_to_do_with_a_prompt_take_the_same_fields() -> None:
    acts: list[Act] = list(PAGE.acts)

    assert [act.name for act in acts] == ["send", "plan", "cache"]
    assert len({act.fields for act in acts}) == 1
    assert all(act.stays and act.shape is shape for act in acts)


def test_a_plan_says_who_is_asked_first_and_that_nothing_was_sent() -> None:
    kept = [
        {"kept": True, "target": "a/x"},
        {"kept": True, "target": "b/x"},
        {"kept": False, "target": "c/x"},
    ]
    plan = {
        "route": "faq",
        "strategy": "cost",
        "refusal": None,
        "candidates_total": 3,
        "candidates": kept,
    }

    said = plan_sentence(plan)
    nobody = plan_sentence({**plan, "candidates": kept[2:]})
    refused = plan_sentence({**plan, "refusal": {"code": "budget_exceeded", "message": "no money"}})

    assert said == "faq chooses by cost: a/x would be asked first, then b/x; 1 left out. Nothing was sent."
    assert nobody.startswith("Nobody could answer it")
    assert refused == "It would be refused: no money (budget_exceeded)."


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        ("hit-l1", "from the cache"),
        ("miss", "would be kept"),
        ("observe", "only observes"),
        ("off", "off for this route"),
        ("bypass", "take no part"),
    ],
)
def test_what_the_cache_would_do_is_said_in_words(effect: str, said: str) -> None:
    assert said in cache_sentence({"cache": effect, "similar": None})


def test_regions_stand_from_west_to_east_and_unknown_places_last() -> None:
    rows = [
        provider_row(provider("nobody", None), None),
        provider_row(provider("east", "apac"), None),
        provider_row(provider("own", "moon"), None),
        provider_row(provider("west", "us-east"), None),
    ]
    residency = {"home": "eu-west", "groups": {"eu": ["eu-west", "eu-central"]}, "redis": "apac"}

    found = places(rows, residency)

    assert [place["name"] for place in found] == ["us-east", "eu-west", "apac", "moon", NOWHERE]
    assert [place["name"] for place in found if place["home"]] == ["eu-west"]
    assert found[1]["groups"] == ["eu"] and found[1]["providers"] == []
    assert found[2]["stores"] == ["redis"]
    assert found[0]["providers"] == [{"name": "west", "health": "healthy", "targets": 2}]


def test_an_unknown_place_meets_no_residency() -> None:
    table = regions_table([provider_row(provider("nobody", None), None)], {})

    assert str(table.rows[0]["meets"]).startswith("none")


def test_a_provider_shows_its_slowest_model_and_what_can_be_done() -> None:
    row = provider_row(provider("acme", "us-east"), {"requests": 7, "cost_nano_usd": 5_000_000})
    held = provider_row(provider("acme", None, forced="maintenance"), None)

    assert (row["p95_ms"], row["in_flight"], row["requests"], row["cost_usd"]) == (80.0, 2, 7, 0.005)
    assert row["acts_offered"] == ["reset", "maintenance"]
    assert held["acts_offered"] == ["reset", "auto"] and held["cost_usd"] is None


def test_means_of_a_model_are_of_what_is_known() -> None:
    row = model_row(usage(), {})
    unpriced = model_row(usage(unpriced_requests=4, first_token_requests=0, first_token_us=0), {})

    assert (row["usd_per_1k_tokens"], row["usd_per_request"]) == (0.001, 0.0005)
    assert (row["mean_us"], row["first_token_us"], row["failed"]) == (2000, 300, 0.25)
    assert (unpriced["cost_usd"], unpriced["usd_per_1k_tokens"], unpriced["first_token_us"]) == (None,) * 3


@pytest.mark.parametrize(("text", "days"), [("", 7), ("x", 7), ("0", 1), ("30", 30), ("999", 365), ("-1", 7)])
def test_days_are_held_to_what_the_api_takes(text: str, days: int) -> None:
    assert days_of(text) == days


def test_an_interval_is_its_ends() -> None:
    assert interval({"value": 0.5, "low": 0.25, "high": 0.75}) == "0.25 to 0.75"
    assert interval(None) is None


def test_a_target_is_shown_with_what_is_said_of_it() -> None:
    assert target_words("a/x") == "a/x"
    assert target_words({"target": "a/x"}) == "a/x"
    assert target_words({"target": "a/x", "weight": 2, "via": "direct"}) == "a/x (weight 2, via direct)"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.05, "ratio", "5.0 %"),
        (5.0, "seconds", "5.00 s"),
        (3, "count", "3"),
        (1.44, "burn_rate", "144.0 % of the alarm rate"),
        (None, "burn_rate", "\u2013"),
    ],
)
def test_values_of_alerts_have_their_unit(value: float | None, unit: str, text: str) -> None:
    assert measured(value, unit) == text


@pytest.mark.parametrize(
    ("threshold", "rule", "text"),
    [
        (0.05, {"unit": "ratio", "above": True}, "above 5.0 %"),
        (0.7, {"unit": "ratio", "above": False}, "below 70.0 %"),
        (0.0, {"unit": "count", "above": True}, "any"),
        (3.0, None, "3"),
    ],
)
def test_limits_of_alerts_say_on_which_side_it_is_bad(
    threshold: float, rule: dict[str, Any] | None, text: str
) -> None:
    assert limit_of(threshold, rule) == text


@pytest.mark.parametrize(
    ("changed", "offered"),
    [
        ({}, ["acknowledge", "silence"]),
        ({"acknowledged_at": "2026-11-21T00:00:00Z"}, ["silence"]),
        ({"silenced_until": "2026-11-21T00:00:00Z"}, ["acknowledge", "unsilence"]),
        ({"state": "pending"}, ["silence"]),
    ],
)
def test_an_alert_offers_what_makes_sense_now(changed: dict[str, Any], offered: list[str]) -> None:
    alert = {
        "state": "firing",
        "acknowledged_at": None,
        "silenced_until": None,
        "subject": "",
        "value": 1,
        "threshold": 0,
        "unit": "count",
    }

    assert alert_row({**alert, **changed})["acts_offered"] == offered


def test_an_objective_without_requests_is_neither_met_nor_missed() -> None:
    objective = {
        "aspect": "latency",
        "limit_ms": 5000,
        "route": None,
        "tenant": None,
        "met": None,
        "window_s": 2_592_000,
        "burn_rates": [{"window": "1h", "long": None, "alarm_at": 14.4}],
    }
    row = objective_row(objective)
    met = objective_row(
        {**objective, "met": True, "burn_rates": [{"window": "1h", "long": 0.5, "alarm_at": None}]}
    )

    assert (row["state"], row["what"], row["window"]) == ("unknown", "Latency within 5000 ms", "30 days")
    assert (row["burning"], row["alarm"]) == ("", "1h 14.4")
    assert (met["state"], met["burning"], met["alarm"]) == ("met", "1h 0.5", "")


def test_a_ratio_of_nothing_is_unknown() -> None:
    assert ratio(0, 0) is None
    assert ratio(1, 3) == 0.25


def test_lines_to_warm_the_cache_with_go_as_they_are() -> None:
    assert warm_lines({"lines": ' {"a": 1}\n{"b": 2}\n\n'}) == b'{"a": 1}\n{"b": 2}\n'
