"""Which requests a copy is made of, and what a copy takes from nobody."""

from collections.abc import Sequence
from typing import Any

import pytest

from application.asked_route import asked_route
from application.copied_request import ShadowOf
from application.experiments.book import ExperimentBook
from application.job import Job
from domain.caching.effect import SHADOW
from domain.errors import NoProviderAvailable
from domain.experiments.experiment import Arm, Experiment, Shadow, Status
from domain.experiments.standing import Standing, StoppedArm
from tests.unit.experiments.made import experiment
from tests.unit.experiments.test_book import CHAT, TABLE, job

NOW, MIRROR = Arm(name="now", route="chat"), Shadow(name="mirror", route="small", share=1.0)


class Noted:
    """Who was to be copied, for whom."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def copy(self, job: Job, experiment: Experiment, shadows: Sequence[Shadow]) -> None:
        self.seen.append([shadow.name for shadow in shadows])


def copying(*arms: Arm | Shadow, stopped: Sequence[str] = ()) -> tuple[ExperimentBook, Noted]:
    book, noted = ExperimentBook(), Noted()
    book.copying = noted
    standing = Standing(
        experiment=experiment(arms=arms or (NOW, MIRROR)),
        status=Status.RUNNING,
        stopped={name: StoppedArm(1, "why") for name in stopped},
    )
    book.replace([standing])
    return book, noted


def asked(book: ExperimentBook, made: Job, **said: Any) -> None:
    book.route_for(made, CHAT, TABLE, **{"beside": False, "copied": True, **said})


def test_what_control_answers_is_copied_and_control_answers_all_of_it() -> None:
    book, noted = copying()
    made = job("u")
    asked(book, made)
    assert noted.seen == [["mirror"]]
    assert made.arm == "now"


def test_what_comes_from_nobody_at_the_api_or_runs_beside_is_not_copied() -> None:
    book, noted = copying()
    asked(book, job("u"), copied=False)
    asked(book, job("u"), beside=True)
    asked(book, job())
    assert noted.seen == []


def test_what_another_arm_answers_is_not_copied() -> None:
    book, noted = copying(NOW, Arm(name="half", route="small"), MIRROR)
    jobs = [job(f"user-{number}") for number in range(100)]
    for each in jobs:
        asked(book, each)
    assert len(noted.seen) == sum(each.arm == "now" for each in jobs) < 100


def test_a_stopped_shadow_and_one_without_a_route_get_nothing() -> None:
    for book, noted in (
        copying(stopped=["mirror"]),
        copying(NOW, Shadow(name="gone", route="nowhere", share=1.0)),
    ):
        asked(book, job("u"))
        assert noted.seen == []


def test_a_copy_is_answered_as_the_shadow_answers_and_is_recorded_as_one() -> None:
    book, _ = copying()
    made = job("u")
    made.shadow = ShadowOf("exp_1", "mirror", "small")
    made.request.model = "chat"
    route = asked_route(made, TABLE, None, book, beside=True)
    assert [each.target.id for each in route.targets] == ["b/small"]
    assert (route.name, route.privacy) == (CHAT.name, CHAT.privacy)
    assert (made.experiment, made.arm, made.cache) == ("exp_1", "mirror", SHADOW)
    assert asked_route(made, TABLE, None, book, beside=True) is route
    made.shadow = ShadowOf("exp_1", "mirror", "nowhere")
    with pytest.raises(NoProviderAvailable):
        asked_route(made, TABLE, None, book, beside=True)
