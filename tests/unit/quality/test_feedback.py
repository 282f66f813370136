"""What may be said of an answer, and what that is worth."""

from typing import Any

import pytest

from domain.errors import InvalidRequest
from domain.quality.feedback import verdict_of


@pytest.mark.parametrize(
    ("given", "score"),
    [
        ({"rating": 1}, 0.0),
        ({"rating": 4}, 0.75),
        ({"rating": 5}, 1.0),
        ({"thumbs": "up"}, 1.0),
        ({"thumbs": "down"}, 0.0),
        ({"score": 0.25}, 0.25),
        ({"label": " Correct "}, 1.0),
        ({"label": "off-topic"}, None),
    ],
)
def test_each_way_to_say_it_is_worth_a_score(given: dict[str, Any], score: float | None) -> None:
    assert verdict_of(**given).score == score


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "rating"),
        ({"rating": 3, "thumbs": "up"}, "thumbs"),
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"thumbs": "sideways"}, "thumbs"),
        ({"score": 1.01}, "score"),
        ({"score": float("nan")}, "score"),
        ({"label": " "}, "label"),
        ({"label": "a\nb"}, "label"),
        ({"label": "x" * 65}, "label"),
    ],
)
def test_anything_else_is_refused_by_the_name_of_its_field(given: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        verdict_of(**given)
    assert refused.value.param == param
