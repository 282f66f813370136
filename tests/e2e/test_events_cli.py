"""`interchange events` against a running server."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.main import interchange
from tests.e2e.documented import Document
from tests.e2e.event_world import until
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG

VERIFY = "/api/v1/webhooks/verify"
SECRET = "it's a secret to everybody"
DOCUMENT = Document()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG + "events: {stream_s_max: 0.3}\n") as running:
        yield running


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        stored = http.post("/api/v1/credentials", json={"name": "github-hook", "value": SECRET})
        assert stored.status_code == 201, stored.text
        yield http


def ran(stack: Stack, *arguments: str) -> Result:
    return CliRunner().invoke(interchange, [*arguments, "--url", stack.url, "--key", stack.key])


def signed(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def asked(body: str, **more: Any) -> dict[str, Any]:
    headers = {"X-Hub-Signature-256": signed(body.encode())}
    return {"source": "github", "credentials": ["github-hook"], "headers": headers, "body": body, **more}


def test_the_newest_events_are_listed(stack: Stack, client: httpx.Client) -> None:
    until(lambda: client.get("/api/v1/events", params={"types": "key.created"}).json()["events"])

    shown = ran(stack, "events", "list", "--type", "key.*")
    assert shown.exit_code == 0, shown.output
    assert "key.created" in shown.output and "role=owner" in shown.output
    (first, *_) = ran(stack, "events", "list", "--type", "key.*", "--json").output.splitlines()
    assert json.loads(first)["type"] == "key.created"
    assert ran(stack, "events", "list", "--type", "nothing.such").exit_code == 1


def test_events_are_followed_across_streams(
    stack: Stack, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: client.get("/api/v1/events", params={"types": "key.created"}).json()["events"])
    rounds = 0

    def pause(_seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("entrypoints.cli.events.time", SimpleNamespace(sleep=pause))
    shown = ran(stack, "events", "follow", "--type", "key.created", "--after", "0", "--json")

    assert rounds == 3
    assert [json.loads(each)["type"] for each in shown.output.splitlines() if each.startswith("{")] == [
        "key.created"
    ]


def test_schemas_are_shown(stack: Stack) -> None:
    assert "cost.budget_alert" in ran(stack, "events", "schemas").output
    one = json.loads(ran(stack, "events", "schemas", "key.created").output)
    assert one["schema"]["title"] == "key.created"
    assert ran(stack, "events", "schemas", "nothing").exit_code == 2


def test_a_webhook_of_somebody_else_is_genuine_once(stack: Stack, client: httpx.Client) -> None:
    def verdict(body: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(VERIFY, json=body)
        DOCUMENT.check(answer)
        told: dict[str, Any] = answer.json()
        return told

    assert verdict(asked('{"n": 1}')) == {
        "verified": True,
        "verdict": "genuine",
        "message_id": None,
        "sent_at_s": None,
    }
    assert verdict(asked('{"n": 1}'))["verdict"] == "replayed"
    assert verdict(asked('{"n": 1}', check_replay=False))["verified"]
    forged = asked('{"n": 1}') | {"body": '{"n": 2}'}
    assert verdict(forged) == {**verdict(forged), "verified": False, "verdict": "not_genuine"}
    assert SECRET not in client.get("/api/v1/audit").text


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"source": "somebody"}, 400, "source"),
        ({"credentials": ["none-such"]}, 404, "credentials.0"),
        ({"credentials": []}, 400, "credentials"),
        ({"body_base64": "e30="}, 400, "body"),
        ({"body": None}, 400, "body"),
        ({"body": None, "body_base64": "?"}, 400, "body_base64"),
        ({"tolerance_s": 1e9}, 400, "tolerance_s"),
        ({"unknown": 1}, 400, "unknown"),
    ],
)
def test_what_cannot_be_verified_names_the_field(
    client: httpx.Client, change: dict[str, Any], status: int, param: str
) -> None:
    answer = client.post(VERIFY, json=asked("{}") | change)

    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def test_a_received_webhook_is_verified_from_files(
    stack: Stack, client: httpx.Client, tmp_path: Path
) -> None:
    del client  # the secret is there
    body, headers = tmp_path / "body", tmp_path / "headers"
    body.write_bytes(b'{"from": "files"}')
    headers.write_text(f"X-Hub-Signature-256: {signed(body.read_bytes())}\n\nX-Other: a: b\n")
    command = ("events", "verify", "--source", "github", "--secret", "github-hook", "--headers", str(headers))

    genuine = ran(stack, *command, str(body))
    assert (genuine.exit_code, genuine.output) == (0, "genuine\n")
    replayed = ran(stack, *command, str(body))
    assert (replayed.exit_code, replayed.output) == (1, "replayed\n")
    assert ran(stack, *command, "--again", str(body)).exit_code == 0
    headers.write_text("no header")
    assert ran(stack, *command, str(body)).exit_code == 2
