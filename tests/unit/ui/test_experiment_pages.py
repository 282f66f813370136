"""Pure parts of the page of experiments."""

from typing import Any

import msgspec
import pytest

from entrypoints.experiment_objects import ExperimentBody
from entrypoints.ui.pages.experiments import (
    arm_of,
    arms_text,
    asked_body,
    buttons,
    guardrail_of,
    guardrail_text,
    whiskers,
)


@pytest.mark.parametrize(
    ("line", "arm"),
    [
        ("now = chat", ("now", "chat", 1)),
        ("small = chat:small * 3", ("small", "chat:small", 3)),
        ("odd=a*b", ("odd", "a*b", 1)),
        ("nothing", ("nothing", "", 1)),
    ],
)
def test_an_arm_is_read_from_its_line(line: str, arm: tuple[str, str, int]) -> None:
    assert tuple(arm_of(line).values()) == arm


def test_a_form_becomes_the_body_that_the_api_takes() -> None:
    form = {
        "name": "n",
        "route": "chat",
        "arms": ["now = chat", "small = small * 2"],
        "guardrails": ["errors 0.05", "cost  0.2"],
        "min_samples": 50,
    }
    body = msgspec.convert(asked_body(form), ExperimentBody)
    assert [arm.weight for arm in body.arms] == [1, 2]
    assert [each.worse_by for each in body.guardrails] == [0.05, 0.2]


def test_what_is_no_number_is_left_to_the_api_to_refuse() -> None:
    assert guardrail_of("errors few") == {"metric": "errors", "worse_by": "few"}


def _arm(name: str, *ends: float) -> dict[str, Any]:
    difference = dict(zip(("low", "value", "high"), ends, strict=True)) if ends else None
    return {"name": name, "difference": difference, "difference_text": "", "verdict_text": ""}


def test_whiskers_have_control_in_the_middle_and_the_widest_end_at_the_edge() -> None:
    (one,) = whiskers([_arm("control"), _arm("small", -0.4, -0.2, 0.0)])
    assert (one["low"], one["value"], one["high"]) == (2.0, 26.0, 50.0)


def test_where_nothing_differs_nothing_is_drawn() -> None:
    assert whiskers([_arm("control"), _arm("same", 0.0, 0.0, 0.0)]) == []
    assert whiskers([]) == []


@pytest.mark.parametrize("status", ["draft", "running", "stopped", "promoted"])
def test_only_what_runs_can_be_stopped_and_only_what_does_not_removed(status: str) -> None:
    assert ("stop" in buttons(status)) is (status == "running")
    assert ("remove" in buttons(status)) is (status != "running")


def test_arms_and_guardrails_are_told_in_words() -> None:
    arms = [
        {"name": "now", "shadow": False, "share": 0.9, "stopped_at": None},
        {"name": "small", "shadow": False, "share": 0.1, "stopped_at": "2026-03-01T12:00:00Z"},
    ]
    assert arms_text(arms) == "now 90 %, small 10 % (stopped)"
    assert guardrail_text({"metric": "errors", "worse_by": 0.05}) == "errors at most 5 points worse"
    assert guardrail_text({"metric": "cost", "worse_by": 0.2}) == "cost at most 20 % worse"
    assert guardrail_text({"metric": "quality", "worse_by": 0.1}) == "quality at most 0.1 of a score worse"
