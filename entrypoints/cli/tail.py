"""`interchange tail`: requests as they end. One line each; Ctrl-C ends it."""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import click

from entrypoints.cli.api_client import ApiClient, connect, server_options
from entrypoints.cli.configured import config_option
from entrypoints.words.plain import plain

EVERY_S: Final = 0.5
OVERLAP: Final = timedelta(seconds=5)
"""Rows arrive a little late and out of order: each look goes back this far, and shows nothing twice."""
PAGE: Final = 500
PAGES_MAX: Final = 10
"""For one look: 1,000 requests per second over the overlap."""
SEEN_MAX: Final = 20_000
ERRORS_IN_A_ROW_MAX: Final = 20


@click.command()
@config_option
@server_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, with every field.")
@click.option("--agent", help="Only this agent's requests.")
@click.option("--tenant", help="Only this tenant's requests.")
@click.option("--session", help="Only this session's requests.")
@click.option("--errors", is_flag=True, help="Only requests that did not end well.")
@click.option(
    "-n", "--last", "last", type=click.IntRange(0, PAGE), default=10, show_default=True,
    help="Begin with so many that ended before.",
)  # fmt: skip
@click.option("--no-follow", is_flag=True, help="End after those.")
def tail(
    config_path: str | None,
    url: str | None,
    key: str | None,
    as_json: bool,
    agent: str | None,
    tenant: str | None,
    session: str | None,
    errors: bool,
    last: int,
    no_follow: bool,
) -> None:
    """Show requests as they end: who asked for what, who answered, tokens, cost, time, and why."""
    asked = {
        "agent_id": agent,
        "tenant_id": tenant,
        "session_id": session,
        "failed": "true" if errors else None,
    }
    follower = Follower(
        connect(config_path, url, key), {name: value for name, value in asked.items() if value is not None}
    )
    shown = json_line if as_json else line
    for row in follower.begin(last):
        click.echo(shown(row))
    if not no_follow:
        follow(follower, lambda row: click.echo(shown(row)), pause=lambda: time.sleep(EVERY_S))


def follow(
    follower: "Follower", show: Callable[[Mapping[str, Any]], None], *, pause: Callable[[], None]
) -> None:
    """Until it is interrupted, or nobody answered for too long.

    Raises:
        click.ClickException: the server stayed away, or refuses to answer.
    """
    failures = 0
    while True:
        pause()
        try:
            rows = follower.new()
        except click.ClickException:
            failures += 1
            if failures >= ERRORS_IN_A_ROW_MAX:
                raise
            continue
        failures = 0
        for row in rows:
            show(row)
        if follower.missed:
            click.echo(f"… more than {PAGE * PAGES_MAX} requests at once: some are not shown", err=True)


class Follower:
    """Asks for what is new, and remembers a bounded number of what was shown."""

    def __init__(self, client: ApiClient, asked: Mapping[str, str]) -> None:
        self._client = client
        self._asked = dict(asked)
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._newest: datetime | None = None
        self.missed = False

    def begin(self, last: int) -> list[Mapping[str, Any]]:
        """The last ones that ended, oldest first. Raises click.ClickException."""
        rows, _ = self._page({"limit": str(max(last, 1))})
        self._note(rows)
        return rows[len(rows) - last :] if last else []

    def new(self) -> list[Mapping[str, Any]]:
        """What ended since, oldest first. Raises click.ClickException."""
        since = {} if self._newest is None else {"from": (self._newest - OVERLAP).isoformat()}
        rows, after = self._page({**since, "limit": str(PAGE)})
        for _ in range(PAGES_MAX - 1):
            if after is None or not since:
                break
            older, after = self._page({**since, "limit": str(PAGE), "after": after})
            rows = older + rows
        self.missed = after is not None and bool(since)
        fresh = [row for row in rows if row["request_id"] not in self._seen]
        self._note(fresh)
        return fresh

    def _page(self, query: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str | None]:
        """Oldest first, and where the page behind it starts."""
        answer = self._client.call("GET", f"/api/v1/requests?{urlencode({**self._asked, **query})}")
        rows: list[Mapping[str, Any]] = answer["requests"]
        return rows[::-1], answer["next"]

    def _note(self, rows: list[Mapping[str, Any]]) -> None:
        for row in rows:
            self._seen[row["request_id"]] = None
            ended = datetime.fromisoformat(row["finished_at"])
            if self._newest is None or ended > self._newest:
                self._newest = ended
        while len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)


def json_line(row: Mapping[str, Any]) -> str:
    """Every field, on one line."""
    return json.dumps(row, ensure_ascii=False)


def line(row: Mapping[str, Any]) -> str:
    """A request for people. What a caller wrote is shown without control characters."""
    at = datetime.fromisoformat(row["finished_at"]).astimezone()
    who = "/".join(part for part in (row["agent_id"] or row["key_id"], row["session_id"][:12]) if part)
    answered = f"{row['provider']}/{row['model']}" if row["provider"] else "nobody"
    tokens = f"{row['input_tokens']}+{row['output_tokens']} tok"
    if row["cached_read_tokens"] and row["input_tokens"]:
        tokens += f" ({100 * row['cached_read_tokens'] // row['input_tokens']}% cached)"
    cost = "cost unknown" if row["cost_usd"] is None else f"${row['cost_usd']}"
    outcome = row["outcome"]
    # 0: nobody was answered.
    if outcome != "ok" and row["status"]:
        outcome += f" {row['status']}"
    if row["error_code"]:
        outcome += f" {row['error_code']}"
    parts = [
        f"{at:%H:%M:%S}",
        who,
        f"{row['model_asked'] or row['route']} -> {answered}",
        tokens,
        cost,
        f"{row['duration_us'] / 1e6:.2f} s",
        outcome,
        why(row),
    ]
    return plain("  ".join(part for part in parts if part))


def why(row: Mapping[str, Any]) -> str:
    """Why this target answered, in short."""
    parts = [f"cache {row['affinity']}" if row["affinity"] else "", row["reason"]]
    if row.get("cache", "").startswith("hit-"):
        saved = row.get("saved_usd")
        parts.insert(0, f"{row['cache']} saved {'nobody knows what' if saved is None else f'${saved}'}")
    if row["fallbacks"]:
        parts.append(f"after {row['fallbacks']} fallback{'s' if row['fallbacks'] > 1 else ''}")
    return "; ".join(part for part in parts if part)
