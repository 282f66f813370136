"""The tutorial is true: its files and commands, in their order, against a real server process."""

import json
import re

import pytest

from tests.architecture.repository import ROOT
from tests.e2e.written_page import WrittenPage

TUTORIAL = ROOT / "docs" / "agent-tutorial.md"
PAGE = WrittenPage(TUTORIAL, ports=("8080", "9101", "9102"))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block of commands printed, run one after the other by one shell."""
    return PAGE.run(tmp_path_factory.mktemp("tutorial"), log="tutorial/server.log", files_in="tutorial")


def test_every_block_of_the_page_is_run() -> None:
    assert len(PAGE.files) == 5
    assert len(PAGE.files) + len(PAGE.commands) == PAGE.blocks
    assert set(PAGE.files) == set(re.findall(r"`([\w.]+)`:\n\n```", TUTORIAL.read_text(encoding="utf-8")))


def test_the_tools_of_all_three_are_offered(said: list[str]) -> None:
    offered = said[2]

    assert re.search(r"^shop +open_orders +read ", offered, re.MULTILINE)
    assert re.search(r"^carrier +parcel +read ", offered, re.MULTILINE)
    assert re.search(r"^files +put_object +write ", offered, re.MULTILINE)


def test_the_agent_reads_the_database_asks_the_api_and_keeps_a_file(said: list[str]) -> None:
    done = said[3].splitlines()

    assert [line.partition(" did ")[0] for line in done[:4]] == [
        "shop.open_orders",
        "carrier.parcel",
        "files.put_object",
        "files.get_object",
    ]
    results = [json.loads(line.partition(" did ")[2]) for line in done[:4]]
    assert results[0]["rows"] == [[17, "P-7", "19.90"]]
    assert results[1] == {"status": 200, "data": {"id": "P-7", "state": "in transit"}}
    assert results[3]["content"] == "P-7 is in transit"
    assert "simulated" in done[4]


def test_the_file_passes_as_bytes_in_both_directions(said: list[str]) -> None:
    down, _, up = said[4].partition("{")

    assert down == "P-7 is in transit"
    assert json.loads("{" + up)["key"] == "42-signed.txt"


def test_every_call_arrives_signed(said: list[str]) -> None:
    told = sorted(said[5].split("\n"))

    assert [line for line in told if line] == sorted(
        4 * ["sim-openai llm.complete ok"]
        + ["shop open_orders ok", "carrier parcel ok"]
        + ["files put_object ok", "files get_object ok", "files upload_object ok"]
    )


def test_usage_and_audit_tell_of_every_call(said: list[str]) -> None:
    usage, _, rest = said[6].partition("{")
    row, _, audit = ("{" + rest).partition("\n")

    for name in ("carrier +parcel +1 ", "sim-openai +small +4 ", "files +upload_object +1 "):
        assert re.search(name, usage)
    counted = json.loads(row)
    assert (counted["operation"], counted["cost_usd"], counted["session_id"]) == (
        "tool",
        "0.002",
        "customer-42",
    )
    assert counted["request_id"] in audit
    assert "entries are as they were written" in audit


def test_the_budget_stops_the_second_run(said: list[str]) -> None:
    assert "limit     $0.006 per day, refuses" in said[7]
    assert "stopped: Error code: 402" in said[7]
    assert "Contact: the owner of the shop" in said[7]
