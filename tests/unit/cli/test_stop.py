"""`interchange stop`: what it asks the server, and what it says."""

import json
from typing import Any

import pytest

from tests.unit.cli.fake_server import fake_server
from tests.unit.cli.test_commands import Runner, quiet_place, run

__all__ = ["quiet_place", "run"]

PATH = "/api/v1/stops"
STOP: dict[str, Any] = {
    "stop_id": "stop_1",
    "tenant_id": "default",
    "agent_id": "crawler",
    "session_id": None,
    "user_id": None,
    "key_id": None,
    "workflow_id": None,
    "route": None,
    "cause": "operator",
    "reason": "[bold]too costly[/]",
    "made_by": "Key000000001",
    "created_at": "2026-03-01T12:00:00+00:00",
    "expires_at": None,
    "now": True,
    "lifted_at": None,
    "lifted_by": None,
}


def test_an_agent_is_stopped_with_everything_that_was_said(run: type[Runner]) -> None:
    with fake_server({PATH: (201, STOP)}) as server:
        result = run(
            "stop", "--agent", "crawler", "--tenant", "acme", "--reason", "why", "--for", "90m", "--now",
            "--url", server.url, "--key", "k",
        )  # fmt: skip

    assert result.status == 0
    (asked,) = server.asked
    assert asked.body == {
        "agent_id": "crawler",
        "tenant_id": "acme",
        "reason": "why",
        "for_s": 5400,
        "now": True,
    }
    assert "agent 'crawler' is stopped until lifted" in result.out
    assert "interchange stop --lift stop_1" in result.out


def test_an_end_is_told_as_a_time(run: type[Runner]) -> None:
    with fake_server({PATH: (201, {**STOP, "expires_at": "2026-03-01T13:00:00+00:00"})}) as server:
        result = run("stop", "--agent", "crawler", "--url", server.url, "--key", "k")

    assert "until 2026-03-01 13:00:00 UTC" in result.out
    assert server.asked[0].body["for_s"] is None and server.asked[0].body["now"] is False


def test_who_is_stopped_is_listed_as_it_is_written(run: type[Runner]) -> None:
    ended = {**STOP, "stop_id": "stop_2", "session_id": "s 1", "lifted_at": "2026-03-01T12:30:00+00:00"}
    with fake_server({f"{PATH}?ended=true&tenant_id=acme": (200, {"stops": [ended, STOP]})}) as server:
        result = run("stop", "--list", "--ended", "--tenant", "acme", "--url", server.url, "--key", "k")

    assert "[bold]too costly[/]" in result.out
    assert "session 's 1'" in result.out and "lifted 2026-03-01 12:30:00 UTC" in result.out
    assert "it is lifted" in result.out


def test_nobody_and_json_are_said_plainly(run: type[Runner]) -> None:
    with fake_server({PATH: (200, {"stops": []})}) as server:
        assert run("stop", "--list", "--url", server.url, "--key", "k").out == "nobody is stopped\n"
        shown = run("stop", "--list", "--json", "--url", server.url, "--key", "k").out
    assert json.loads(shown) == {"stops": []}


def test_lifting_names_the_stop_and_who_may_go_on(run: type[Runner]) -> None:
    with fake_server({f"{PATH}/stop%2F1": (200, STOP)}) as server:
        result = run("stop", "--lift", "stop/1", "--url", server.url, "--key", "k")

    assert server.asked[0].method == "DELETE"
    assert result.out == "stop_1 is lifted: agent 'crawler' in tenant default may go on.\n"


IN_SESSION: dict[str, Any] = {**STOP, "stop_id": "stop_2", "session_id": "s1", "reason": "a loop"}
IN_ANOTHER: dict[str, Any] = {**STOP, "stop_id": "stop_3", "session_id": "s2"}
ELSEWHERE: dict[str, Any] = {**STOP, "stop_id": "stop_4", "tenant_id": "acme"}
OTHER: dict[str, Any] = {**STOP, "stop_id": "stop_5", "agent_id": "researcher"}


@pytest.mark.parametrize(
    ("in_force", "arguments", "lifted", "told"),
    [
        ([OTHER, STOP], ("--agent", "crawler", "--lift"), STOP, "stop_1 is lifted: agent 'crawler'"),
        ([OTHER, STOP], ("--lift", "--agent", "crawler"), STOP, "stop_1 is lifted"),
        # The stop of exactly this agent is meant; that it is stopped in a session too is said.
        (
            [IN_SESSION, STOP],
            ("--agent", "crawler", "--lift"),
            STOP,
            "Still stopped: agent 'crawler', session",
        ),
        # A guard stopped it in one session: nothing else can be meant.
        ([OTHER, IN_SESSION], ("--agent", "crawler", "--lift"), IN_SESSION, "session 's1' in tenant default"),
        ([IN_SESSION, IN_ANOTHER], ("--session", "s2", "--lift"), IN_ANOTHER, "stop_3 is lifted"),
    ],
)
def test_a_stop_is_found_by_whom_it_stops(
    run: type[Runner],
    in_force: list[dict[str, Any]],
    arguments: tuple[str, ...],
    lifted: dict[str, Any],
    told: str,
) -> None:
    answers = {PATH: (200, {"stops": in_force}), f"{PATH}/{lifted['stop_id']}": (200, lifted)}
    with fake_server(answers) as server:
        result = run("stop", *arguments, "--url", server.url, "--key", "k")

    assert result.status == 0 and told in result.out
    assert [asked.method for asked in server.asked] == ["GET", "DELETE"]


@pytest.mark.parametrize(
    ("in_force", "told"),
    [
        ([STOP, ELSEWHERE], ("stop_1", "stop_4", "tenant acme", "by its id")),
        ([IN_SESSION, IN_ANOTHER], ("stop_2", "stop_3", "session 's1'", "a loop")),
        ([OTHER], ("no stop in force of agent 'crawler'", "--list")),
    ],
)
def test_nothing_is_lifted_where_it_is_not_clear_what(
    run: type[Runner], in_force: list[dict[str, Any]], told: tuple[str, ...]
) -> None:
    with fake_server({PATH: (200, {"stops": in_force})}) as server:
        result = run("stop", "--agent", "crawler", "--lift", "--url", server.url, "--key", "k")

    assert result.status == 1 and all(each in result.err for each in told), result.err
    assert [asked.method for asked in server.asked] == ["GET"]


def test_a_tenant_narrows_what_is_lifted(run: type[Runner]) -> None:
    stops = {f"{PATH}?tenant_id=acme": (200, {"stops": [ELSEWHERE]}), f"{PATH}/stop_4": (200, ELSEWHERE)}
    with fake_server(stops) as server:
        result = run(
            "stop", "--agent", "crawler", "--lift", "--tenant", "acme", "--json",
            "--url", server.url, "--key", "k",
        )  # fmt: skip

    assert result.status == 0 and json.loads(result.out)["stop_id"] == "stop_4"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Ctrl-C"),
        (("--lift",), "whom it stops"),
        (("--lift", "--agent", "x", "--list"), "not several"),
        (("--agent", "x", "--list"), "not several"),
        (("--lift", "stop_1", "--agent", "x"), "not several"),
        (("--agent", "x", "--for", "soon"), "90s, 30m, 1h, 7d"),
        (("--agent", "x", "--for", "0s"), "90s, 30m, 1h, 7d"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(
    run: type[Runner], arguments: tuple[str, ...], told: str
) -> None:
    with fake_server({}) as server:
        result = run("stop", *arguments, "--url", server.url, "--key", "k")

    assert result.status == 2 and told in result.err
    assert server.asked == []
