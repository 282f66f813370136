"""A batch outlives its server and its command: killed, resumed, every line answered and paid once."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from benchmarks.batch_proof import Outcome, prove
from tests.e2e.databases_laid import lay_database

LINES: Final = 90
BUDGET: Final = (
    "budgets:\n  - {name: all, scope: {tenant: default}, period: total, limit_usd: 5, hard: true}\n"
)


class Survived(NamedTuple):
    """What was seen of a batch below a hard budget, and what the budget's account holds at the end."""

    batch: Outcome
    accounts: list[tuple[int, int, int]]
    """Spent, unresolved and leased, in nano-dollars."""
    said: str


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Survived:
    """The server was killed twice and the command once; starts are dear, so both tests look at this one."""
    folder = tmp_path_factory.mktemp("survived")
    lay_database(folder / "data")
    seen = prove(folder, lines=LINES, kills=2, latency_ms=200, concurrency=12, more_config=BUDGET)
    with closing(sqlite3.connect(folder / "data" / "interchange.db")) as database:
        accounts = database.execute(
            "SELECT spent_nano_usd, unresolved_nano_usd, leased_nano_usd FROM budget_accounts"
        ).fetchall()
    return Survived(seen, accounts, (folder / "command.log").read_text())


def test_a_batch_survives_killed_servers_and_is_answered_and_billed_once(survived: Survived) -> None:
    seen = survived.batch
    assert seen.exit_status == 0, survived.said
    assert len(seen.answered) == LINES and set(seen.answered.values()) == {1} and not seen.failed
    assert seen.ledger_nano_usd == seen.billed_nano_usd
    assert (seen.rows, seen.attempts, seen.provider_requests) == (LINES, LINES, LINES)
    assert seen.repeats > 0, "nothing was in flight when the server was killed"
    assert seen.exact


def test_a_killed_server_leaves_no_hard_budget_overspent_and_every_bill_exact(survived: Survived) -> None:
    assert survived.batch.summary["completed"] == LINES
    assert survived.accounts == [(survived.batch.billed_nano_usd, 0, 0)]


@pytest.mark.parametrize("line", ["", "not json\n", '{"url": "/v1/other"}\n'])
def test_an_input_that_is_no_batch_is_refused_before_anything_is_sent(tmp_path: Path, line: str) -> None:
    from click.testing import CliRunner

    from entrypoints.cli.batch import batch

    source = tmp_path / "input.jsonl"
    source.write_text(line)
    refused = CliRunner().invoke(batch, ["run", str(source), "-o", str(tmp_path / "out.jsonl")])
    assert refused.exit_code == 2 and str(source) in refused.output
