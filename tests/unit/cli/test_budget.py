"""`interchange budget` on stores in memory."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from application.ports.ledger import UnresolvedEntry
from application.use_cases.resolve_charges import ResolveCharges
from domain.budgets.posting import HoldOutcome, Posting
from domain.budgets.scope import Spender
from domain.money import NANO_PER_USD
from domain.tenancy.key_rules import NewKey
from entrypoints.budgeting import Budgeting
from entrypoints.cli.budget import make_group
from entrypoints.settings import LoadedSettings
from tests.unit.budgets.budget_world import OPERATOR, BudgetWorld

DAILY = ("set", "daily", "--limit", "10", "--period", "day")


class World(BudgetWorld):
    def __init__(self) -> None:
        super().__init__()
        self.group = make_group(self.open)

    @contextmanager
    def open(self, loaded: LoadedSettings) -> Iterator[Budgeting]:
        yield Budgeting(
            manage=self.manage,
            report=self.report,
            charges=ResolveCharges(self.ledger, self.clock),
            create_key=self.create_budgeted_key,
        )

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(self.group, list(arguments))

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INTERCHANGE_API_KEY", raising=False)
    return World()


def test_a_budget_is_made_shown_changed_and_removed(world: World) -> None:
    made = world.json(*DAILY, "--hard", "--scope", "tenant=default", "--scope", "agent=*", "--alert", "0.5")
    assert (made["limit_usd"], made["scope"]) == ("10", {"tenant": "default", "agent": "*"})

    changed = world.json("set", "daily", "--limit", "0.05", "--on-threshold", "0.8=cheap", "--soft")
    assert (changed["budget_id"], changed["limit_usd"]) == (made["budget_id"], "0.05")
    assert (changed["hard"], changed["alert_at"]) == (False, [0.5])
    assert changed["on_threshold"] == {"at": 0.8, "route": "cheap"}
    assert world.json("set", "daily", "--on-threshold", "")["on_threshold"] is None

    assert [one["name"] for one in world.json("list")] == ["daily"]
    shown = world.json("show", "daily")
    assert shown["accounts"] == []
    assert world.json("delete", "daily") == {"budget_id": made["budget_id"], "removed": True}
    assert world.json("list") == []
    assert world.run("list").output == "no budgets\n"


def test_a_table_shows_how_much_of_a_budget_is_used(world: World) -> None:
    made = world.json(*DAILY, "--hard")
    (record,) = _wait(world.manage.all(OPERATOR))
    _wait(world.spend(record.budget, Spender("default"), 8.5))

    table = world.run("list").output

    assert "daily" in table and "$10.00" in table and "$1.50" in table and "85 %" in table
    detail = world.run("show", made["budget_id"]).output
    assert "$8.50" in detail and "refuses" in detail and "2026-01-02 00:00" in detail


def test_a_check_tells_what_is_left_and_fails_when_nothing_is(world: World) -> None:
    world.json(*DAILY, "--hard")
    _wait(world.create_key(OPERATOR, NewKey(tenant_id="default", name="k", role="agent")))
    (record,) = _wait(world.manage.all(OPERATOR))

    before = world.run("check", "--agent", "planner", "--key-id", "k")
    _wait(world.spend(record.budget, Spender("default"), 10))
    after = world.run("check", "--agent", "planner")

    assert before.exit_code == 0 and "$10.00" in before.output
    assert after.exit_code == 3 and "100 %" in after.output
    assert world.run("check", "--tenant", "other").output == "no budget counts this\n"


def test_unresolved_charges_are_shown_and_settled_by_hand(world: World) -> None:
    world.json(*DAILY, "--hard")
    (record,) = _wait(world.manage.all(OPERATOR))
    _wait(world.spend(record.budget, Spender("default"), 1))
    ((account_id, _),) = world.ledger.ledger.books.items()
    unknown = Posting(
        "req_1.0", HoldOutcome.UNRESOLVED, NANO_PER_USD, NANO_PER_USD, 0, "h", "h", (account_id,)
    )
    _wait(world.ledger.post([unknown], 0))

    shown = world.json("unresolved")
    resolved = world.json("resolve", "req_1.0", "--cost", "0.25")

    assert [(one["attempt_id"], one["held_usd"]) for one in shown] == [("req_1.0", "1")]
    assert shown[0]["budget_id"] == record.budget.budget_id
    assert resolved == {"attempt_id": "req_1.0", "accounts": 1}
    entries: list[UnresolvedEntry] = _wait(world.ledger.unresolved(None))
    assert entries == []
    assert world.run("resolve", "req_1.0", "--as-held").exit_code == 1
    assert world.run("unresolved").output == "no unresolved charges\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set", "new", "--limit", "1"), "needs --period"),
        (("set", "new", "--period", "day"), "needs --limit"),
        ((*DAILY, "--scope", "tenant"), "two words"),
        ((*DAILY, "--scope", "planet=mars"), "no dimension 'planet'"),
        ((*DAILY, "--on-threshold", "most=cheap"), "no share"),
        ((*DAILY, "--on-threshold", "0.8=none"), "no route 'none'"),
        ((*DAILY, "--time-zone", "Mars/Base"), "no time zone"),
        ((*DAILY, "--limit", "-1"), "limit_usd must be between"),
        ((*DAILY, "--limit", "lots"), "limit_usd is not an amount"),
        ((*DAILY, "--alert", "20"), "alert_at must be"),
        (("resolve", "req_1.0"), "either --cost or --as-held"),
        (("resolve", "req_1.0", "--cost", "much"), "cost_usd is not an amount"),
    ],
)
def test_what_is_not_understood_ends_with_status_2(
    world: World, arguments: tuple[str, ...], told: str
) -> None:
    result = world.run(*arguments)

    assert result.exit_code == 2, result.output
    assert told in result.output
    assert world.json("list") == []


def test_what_is_not_there_ends_with_status_1(world: World) -> None:
    for command in ("show", "delete"):
        result = world.run(command, "nothing")
        assert result.exit_code == 1
        assert "no budget 'nothing'" in result.output


def test_a_name_two_budgets_share_must_be_told_by_id(world: World) -> None:
    first = world.json(*DAILY)
    _wait(world.follow.start([world.declared(scope={"tenant": "acme"})]))

    assert "several budgets" in world.run("show", "daily").output
    assert world.json("show", first["budget_id"])["budget_id"] == first["budget_id"]


def test_a_store_that_is_away_is_told_in_one_line(world: World) -> None:
    world.store.reachable = False

    result = world.run("list")

    assert result.exit_code == 1
    assert result.output.count("\n") == 1 and "not reachable" in result.output


def _wait(work: Any) -> Any:
    return asyncio.run(work)
