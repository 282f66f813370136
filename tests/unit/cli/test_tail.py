"""`interchange tail`: every request once, in order, whatever callers put into their names."""

import json
from collections.abc import Mapping
from typing import Any

import click
import pytest
from click.testing import CliRunner

from entrypoints.cli.api_client import ApiClient
from entrypoints.cli.tail import (
    ERRORS_IN_A_ROW_MAX,
    PAGE,
    PAGES_MAX,
    SEEN_MAX,
    Follower,
    follow,
    line,
    tail,
)
from tests.unit.cli.fake_server import fake_server

ROW: dict[str, Any] = {
    "request_id": "req_1", "finished_at": "2026-01-01T07:00:00.000000+00:00", "agent_id": "robot",
    "key_id": "Key1", "session_id": "s-1", "provider": "alpha", "model": "small", "model_asked": "assistant",
    "route": "assistant", "input_tokens": 200, "output_tokens": 20, "cached_read_tokens": 150,
    "cost_usd": "0.0012", "outcome": "ok", "status": 200, "error_code": "", "duration_us": 1_250_000,
    "affinity": "kept", "reason": "its cache is warm", "fallbacks": 0,
}  # fmt: skip


def row(number: int, **changes: Any) -> dict[str, Any]:
    at = f"2026-01-01T07:00:{number % 60:02d}.000000+00:00"
    return {**ROW, "request_id": f"req_{number}", "finished_at": at, **changes}


class Pages(ApiClient):
    """A server whose answers are given one after the other, newest first."""

    def __init__(self, *pages: list[dict[str, Any]] | click.ClickException) -> None:
        super().__init__("http://nowhere", "key")
        self._pages = list(pages)
        self.asked: list[str] = []

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        self.asked.append(path)
        page = self._pages.pop(0) if self._pages else []
        if isinstance(page, click.ClickException):
            raise page
        more = len(page) == PAGE and bool(self._pages)
        return {"requests": page[::-1], "next": "cursor" if more else None}


def ids(rows: list[Mapping[str, Any]]) -> list[str]:
    return [str(one["request_id"]) for one in rows]


def test_a_late_row_is_shown_and_none_twice() -> None:
    follower = Follower(Pages([row(1), row(3)], [row(1), row(2), row(3), row(4)], [row(4)]), {})

    assert ids(follower.begin(10)) == ["req_1", "req_3"]
    assert ids(follower.new()) == ["req_2", "req_4"]
    assert ids(follower.new()) == []


def test_each_look_goes_back_a_little_and_keeps_the_filters() -> None:
    client = Pages([row(9)], [])
    follower = Follower(client, {"agent_id": "a b", "failed": "true"})
    follower.begin(0)
    follower.new()

    assert "from=" not in client.asked[0]
    assert "from=2026-01-01T07%3A00%3A04" in client.asked[1]
    assert all("agent_id=a+b&failed=true" in path for path in client.asked)


def test_what_is_remembered_is_bounded() -> None:
    many = [[row(n + 499 * page) for n in range(1, 500)] for page in range(SEEN_MAX // 499 + 5)]
    follower = Follower(Pages([row(0)], *many), {})
    follower.begin(0)
    for _ in many:
        follower.new()

    assert len(follower._seen) == SEEN_MAX


def test_a_burst_is_shown_page_by_page_and_a_flood_is_told() -> None:
    flood = [[row(n + PAGE * page) for n in range(PAGE)] for page in range(PAGES_MAX + 1)]
    burst = Follower(Pages([row(0)], flood[1], flood[0], []), {})
    burst.begin(0)
    assert ids(burst.new()) == [f"req_{n}" for n in range(1, 2 * PAGE)]
    assert not burst.missed

    drowned = Follower(Pages([row(0)], *flood, []), {})
    drowned.begin(0)
    assert len(drowned.new()) == PAGE * PAGES_MAX - 1
    assert drowned.missed


def test_an_outage_is_bridged_and_a_long_one_ends_it() -> None:
    away = click.ClickException("nobody answers")
    follower = Follower(Pages([], away, [row(1)], *([away] * ERRORS_IN_A_ROW_MAX)), {})
    follower.begin(0)
    shown: list[Mapping[str, Any]] = []

    with pytest.raises(click.ClickException, match="nobody answers"):
        follow(follower, shown.append, pause=lambda: None)

    assert ids(shown) == ["req_1"]


def test_a_line_says_who_what_tokens_cost_time_outcome_and_why() -> None:
    shown = line(ROW)

    assert "robot/s-1  assistant -> alpha/small  200+20 tok (75% cached)  $0.0012  1.25 s  ok" in shown
    assert shown.endswith("cache kept; its cache is warm")


def test_a_failure_shows_its_status_and_code() -> None:
    failed = {
        **ROW,
        "outcome": "error",
        "status": 503,
        "error_code": "overloaded",
        "provider": "",
        "cost_usd": None,
    }

    assert "assistant -> nobody" in line(failed)
    assert "cost unknown" in line(failed)
    assert "error 503 overloaded" in line(failed)


def test_what_a_caller_wrote_does_nothing_to_the_terminal() -> None:
    shown = line({**ROW, "agent_id": "\x1b[2Jrobot\r\n", "model_asked": "\u202eevil"})

    assert shown.isprintable()


def test_the_command_prints_json_lines_and_asks_for_what_was_wanted() -> None:
    path = "/api/v1/requests?agent_id=robot&tenant_id=acme&failed=true&limit=2"
    with fake_server({path: (200, {"requests": [row(2), row(1)], "next": None})}) as server:
        result = CliRunner().invoke(
            tail,
            ["--url", server.url, "--key", "k", "--json", "--no-follow", "-n", "2", "--agent", "robot",
             "--tenant", "acme", "--errors"],
        )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert [json.loads(text)["request_id"] for text in result.output.splitlines()] == ["req_1", "req_2"]


def test_a_hit_tells_what_it_saved() -> None:
    shown = line(row(1, cache="hit-l1", saved_usd="0.002", cost_usd="0"))
    unknown = line(row(2, cache="hit-coalesced", saved_usd=None))

    assert "hit-l1 saved $0.002" in shown
    assert "hit-coalesced saved nobody knows what" in unknown
    assert "saved" not in line(row(3, cache="miss", saved_usd="0"))
