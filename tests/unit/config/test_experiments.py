"""The section `experiments`."""

import pytest

from domain.experiments.experiment import Status, Unit
from entrypoints.config.experiment_section import ExperimentSettings, experiment_findings

ARMS = ({"name": "now", "route": "chat"}, {"name": "small", "route": "small"})
ROUTES = frozenset({"chat", "small"})


def section(**said: object) -> ExperimentSettings:
    return ExperimentSettings.model_validate({"name": "cheaper", "route": "chat", "arms": ARMS, **said})


def told(*sections: ExperimentSettings) -> list[tuple[str, bool]]:
    return [
        (".".join(map(str, finding.path)), finding.fatal)
        for finding in experiment_findings(tuple(sections), ROUTES)
    ]


def test_what_is_declared_runs_for_everybody_unless_it_says_otherwise() -> None:
    standing = section().standing()
    assert (standing.status, standing.experiment.everyone) == (Status.RUNNING, True)
    assert standing.experiment.unit is Unit.USER
    assert standing.experiment.declared
    mine = section(tenant="acme", status="draft").standing()
    assert (mine.status, mine.experiment.everyone, mine.experiment.owner) == (Status.DRAFT, False, "acme")


def test_another_split_is_another_experiment_and_another_status_is_not() -> None:
    known = section().experiment().experiment_id
    assert section(status="stopped", alpha=0.1).experiment().experiment_id == known
    others = (
        section(unit="session"),
        section(arms=(ARMS[0], {**ARMS[1], "weight": 2})),
        section(tenant="acme"),
        section(name="another"),
    )
    assert known not in {each.experiment().experiment_id for each in others}


def test_a_unit_keeps_its_arm_when_only_words_change() -> None:
    assert section().experiment().salt == section(tenant="acme").experiment().salt


def test_a_good_section_has_nothing_to_be_told() -> None:
    assert told(section()) == []


def test_what_is_wrong_is_told_at_its_key() -> None:
    other_arms = (ARMS[0], {"name": "small", "route": "nowhere"})
    assert told(section(arms=other_arms)) == [("experiments.0.arms.1.route", False)]
    assert told(section(arms=(ARMS[0], ARMS[0]))) == [("experiments.0.arms.1.name", True)]
    assert told(section(), section()) == [("experiments.1.name", True)]


@pytest.mark.parametrize(
    ("second", "refused"),
    [({}, True), ({"tenant": "acme"}, True), ({"status": "draft"}, False), ({"route": "small"}, False)],
)
def test_one_experiment_runs_on_a_route(second: dict[str, object], refused: bool) -> None:
    found = told(section(), section(name="second", **second))
    assert found == ([("experiments.1.route", True)] if refused else [])
