"""`budgets` of the file: what they become, and where it is told what is wrong with them."""

import re
from pathlib import Path

import pytest

from domain.budgets.budget import Switch
from domain.budgets.period import Period, PeriodUnit
from domain.budgets.scope import Dimension
from entrypoints.config.loading import LoadedSettings, load_settings
from entrypoints.config.problems import ConfigError

ROUTES = "routes: {cheap: {targets: [p/m]}}\nproviders: {p: {kind: openai, base_url: 'http://127.0.0.1:1'}}\n"


def load(tmp_path: Path, text: str, **environ: str) -> LoadedSettings:
    file = tmp_path / "i.yaml"
    file.write_text(ROUTES + text)
    return load_settings(environ, config_path=file)


def errors(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    return [str(problem).removeprefix(f"{tmp_path / 'i.yaml'}:") for problem in refused.value.problems]


def test_a_declared_budget_says_everything_a_budget_can(tmp_path: Path) -> None:
    section = load(
        tmp_path,
        "budgets:\n"
        "  - {name: agents, scope: {agent: '*', tenant: acme}, period: Day, time_zone: Europe/Paris,\n"
        "     limit_usd: 0.1, hard: true, alert_at: [0.5, 1], on_threshold: {at: 0.8, route: cheap},\n"
        "     contact: finance@acme.example}\n",
    ).settings.budgets[0]

    budget = section.budget(0.8)

    assert (budget.budget_id, budget.owner, budget.declared) == ("file:agents", "acme", True)
    assert budget.scope.parts == ((Dimension.TENANT, "acme"), (Dimension.AGENT, "*"))
    assert budget.period == Period(PeriodUnit.DAY, False, "Europe/Paris")
    assert (budget.limit_nano_usd, budget.hard) == (100_000_000, True)
    assert (budget.alert_at, budget.switch) == ((5_000, 10_000), Switch(8_000, "cheap"))
    assert budget.contact == "finance@acme.example"


@pytest.mark.parametrize(
    ("threshold", "alerts"),
    [("0.8", (8_000, 9_000, 10_000)), ("0.5", (5_000, 9_000, 10_000)), ("0.95", (9_500, 10_000)),
     ("1", (10_000,)), ("0", (9_000, 10_000))],
)  # fmt: skip
def test_the_environment_sets_the_first_threshold(
    tmp_path: Path, threshold: str, alerts: tuple[int, ...]
) -> None:
    settings = load(
        tmp_path,
        "budgets: [{name: a, scope: {team: x}, period: day, limit_usd: 1}]",
        BUDGET_ALERT_THRESHOLD=threshold,
    ).settings

    budget = settings.budgets[0].budget(settings.budget_alert_threshold)

    assert budget.alert_at == alerts
    assert budget.owner == "default"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("scope: {tenant: x}, period: day, limit_usd: 1, time_zone: Mars/Base", "time_zone: no time zone"),
        ("scope: {tenant: X y}, period: day, limit_usd: 1", "scope.tenant: no tenant can be called"),
        ("scope: {key: build}, period: day, limit_usd: 1", "scope.key: must be a key's id"),
        ("scope: {team: ''}, period: day, limit_usd: 1", "scope.team: must have at least 1 char"),
        (
            "scope: {planet: x}, period: day, limit_usd: 1",
            "scope.planet: this name must be one of 'tenant', 'team', 'project', 'key', 'user', 'agent', "
            "'session', 'workflow', 'model' or 'provider', not 'planet'",
        ),
        ("scope: {team: x}, period: fortnight, limit_usd: 1", "period: must be one of"),
        ("scope: {team: x}, period: total, limit_usd: 1, rolling: on", "rolling: a total budget has no"),
        ("scope: {team: x}, period: day, limit_usd: -1", "limit_usd: must be at least 0"),
        ("scope: {team: x}, period: day, limit_usd: 99999999999", "limit_usd: limit_usd must be between"),
        ("scope: {team: x}, period: day, limit_usd: 1, alert_at: [0.9, 0.8]", "alert_at: thresholds must"),
        ("scope: {team: x}, period: day, limit_usd: 1, alert_at: [0.00001]", "alert_at: alert_at must be"),
        (
            "scope: {team: x}, period: day, limit_usd: 1, on_threshold: {at: 0.8, route: chaep}",
            "on_threshold.route: no route 'chaep' is declared under `routes`; did you mean 'cheap'?",
        ),
        (
            "scope: {team: x}, period: day, limit_usd: 1, on_threshold: {at: 2, route: cheap}",
            "on_threshold.at: must be",
        ),
        ("scope: {team: x}, period: day, limit_usd: 1, colour: red", "colour: unknown key"),
    ],
)
def test_mistakes_are_told_at_the_key_that_makes_them(tmp_path: Path, keys: str, told: str) -> None:
    text = f"budgets:\n  - {{name: a, {keys}}}\n"
    (problem,) = errors(tmp_path, text)

    line, column, *_ = problem.split(":")
    name = told.partition(":")[0].rpartition(".")[2]
    written = (ROUTES + text).splitlines()[int(line) - 1]
    assert told in problem.replace("budgets[0].", ""), problem
    assert written.find(f"{name}:") < int(column) <= written.find(f"{name}:") + len(name) + 4, written


def test_a_name_given_twice_is_told_where_it_stands_again(tmp_path: Path) -> None:
    text = (
        "budgets:\n"
        "  - {name: a, scope: {team: x}, period: day, limit_usd: 1}\n"
        "  - {name: a, scope: {team: y}, period: day, limit_usd: 2}\n"
    )

    assert errors(tmp_path, text) == [
        "5:12: budgets[1].name: budget names must differ; given more than once: a (first by budgets[0])"
    ]


def test_overlapping_budgets_are_fine_and_a_pointless_one_is_mentioned(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "budgets:\n"
        "  - {name: a, scope: {team: x}, period: day, limit_usd: 1, hard: on}\n"
        "  - {name: b, scope: {team: x}, period: month, limit_usd: 2, hard: on}\n"
        "  - {name: c, scope: {team: x}, period: day, limit_usd: 2, hard: on}\n"
        "  - {name: d, scope: {team: x}, period: day, limit_usd: 2}\n",
    )

    assert [str(warning).partition(": ")[2] for warning in loaded.warnings] == [
        "budgets[2]: budget 'c' counts the same as 'a'; the smaller limit decides"
    ]


def test_what_the_documentation_shows_is_a_configuration(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "budgets.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)

    for number, block in enumerate(shown):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block)
        settings = load_settings({}, config_path=file).settings
        assert all(section.budget(0.8) for section in settings.budgets)
    assert len(shown) == 4
