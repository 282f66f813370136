"""The audit trail over HTTP and from the command line: what is entered, who sees it, what proves it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from domain.audit.checkpoint import parse_checkpoint, parse_note
from domain.audit.merkle import consistent, root_from_path
from domain.errors import StoreUnavailable
from entrypoints.cli.main import interchange
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import CONFIG, eventually

AUDIT = "/api/v1/audit"
DOCUMENT = Document()
CHAT = {"model": "assistant", "messages": [{"role": "user", "content": "A-SECRET-PROMPT"}]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG + "audit: {checkpoint_every_s: 1}\n") as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def entries(client: httpx.Client, **asked: str) -> list[dict[str, Any]]:
    answer = client.get(AUDIT, params=asked)
    DOCUMENT.check(answer)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


def test_an_admin_act_is_entered_before_it_is_done_and_with_its_outcome(client: httpx.Client) -> None:
    body = {"agent_id": "looper", "reason": "A-SECRET-REASON", "for_s": 60}

    made = client.post("/api/v1/stops", json=body).json()

    ended, begun = entries(client, action="stops.create", limit="2")
    assert (begun["outcome"], begun["ended"]) == ("begun", "done")
    assert (ended["outcome"], ended["refers_to"]) == ("done", begun["id"])
    assert ended["details"]["fields"] == ["agent_id", "for_s", "reason"]
    assert made["stop_id"] in json.dumps(ended["details"]["result"])
    assert ended["actor"]["address"] == "127.0.0.1"
    assert "A-SECRET-REASON" not in json.dumps([ended, begun])
    client.delete(f"/api/v1/stops/{made['stop_id']}")
    assert entries(client, action="stops.lift")[0]["subject"] == f"stop_id={made['stop_id']}"


def test_an_act_that_was_refused_says_with_which_code(client: httpx.Client) -> None:
    client.delete("/api/v1/stops/stop_nobody_made")

    ended, begun = entries(client, action="stops.lift", limit="2")
    assert (begun["ended"], ended["outcome"]) == ("not_found", "not_found")


def test_a_model_call_is_one_entry_without_its_prompt(client: httpx.Client) -> None:
    answer = client.post("/v1/chat/completions", json=CHAT, headers={"x-interchange-user-id": "A-USER"})
    request_id = answer.headers["x-request-id"]

    def entered() -> list[dict[str, Any]]:
        return entries(client, kind="access", request_id=request_id)

    eventually(lambda: bool(entered()))
    [entry] = entered()
    assert entry["action"] == "llm.chat"
    assert entry["outcome"] == "ok"
    assert entry["details"]["attempts"][0][3] == "ok"
    assert len(entry["details"]["usage_sha256"]) == 64
    assert "A-SECRET-PROMPT" not in json.dumps(entry)
    assert "A-USER" not in json.dumps(entry)


def test_who_is_turned_away_is_entered_once_for_many_times(stack: Stack, client: httpx.Client) -> None:
    viewer = new_key(client, name="looks-only", role="viewer")
    with with_key(stack, viewer["key"]) as weak:
        for _ in range(5):
            assert weak.post("/api/v1/stops", json={"agent_id": "x"}).status_code == 403
    for _ in range(3):
        assert (
            httpx.get(f"{stack.url}/api/v1/keys", headers={"authorization": "Bearer no"}).status_code == 401
        )

    stack.run(door_audit(stack).denials.write())  # by hand instead of after a minute

    refused = entries(client, kind="denied", action="stops.create")
    unknown = entries(client, kind="denied", action="authenticate")
    assert [(each["outcome"], each["details"]["times"]) for each in refused] == [("forbidden", 5)]
    assert refused[0]["actor"]["name"] == "looks-only"
    assert unknown[0]["details"]["times"] == 3
    assert unknown[0]["actor"]["kind"] == "nobody"


def test_who_looks_for_what_is_anothers_is_entered(stack: Stack, client: httpx.Client) -> None:
    prying = new_key(client, name="pries", role="auditor", tenant_id="prying")
    with with_key(stack, prying["key"]) as theirs:
        assert theirs.get("/api/v1/keys", params={"tenant_id": "default"}).status_code == 403
        stack.run(door_audit(stack).denials.write())
        [denied] = entries(theirs, kind="denied")
    assert (denied["action"], denied["outcome"]) == ("GET /api/v1/keys", "forbidden")
    assert denied["actor"]["name"] == "pries"


def test_views_of_stored_content_and_of_the_trail_are_entered(client: httpx.Client) -> None:
    client.get("/v1/files/file-nobody/content")
    entries(client, action="nothing")

    assert entries(client, kind="read", action="files.read_content")[0]["subject"] == "file_id=file-nobody"
    assert entries(client, kind="read", action="audit.read")


def test_another_tenants_auditor_sees_nothing_of_this_one(stack: Stack, client: httpx.Client) -> None:
    other = new_key(client, name="their-auditor", role="auditor", tenant_id="other")
    with with_key(stack, other["key"]) as theirs:
        assert {each["tenant_id"] for each in entries(theirs)} <= {"other"}
        assert theirs.get(AUDIT, params={"tenant_id": "default"}).status_code == 403
        assert theirs.get(f"{AUDIT}/proof/default.1").status_code == 404
    agent = new_key(client, name="agent", role="agent")
    with with_key(stack, agent["key"]) as weak:
        for path in ("", "/checkpoints", "/proof/default.1"):
            assert weak.get(f"{AUDIT}{path}").status_code == 403


def test_an_entry_is_proved_to_be_in_a_signed_checkpoint_that_continues_an_older_one(
    client: httpx.Client,
) -> None:
    client.get(AUDIT)  # one entry at least

    def covered() -> bool:
        return client.get(f"{AUDIT}/proof/default.1").status_code == 200

    eventually(covered)
    answer = client.get(f"{AUDIT}/proof/default.1")
    DOCUMENT.check(answer)
    proof = answer.json()
    checkpoint = parse_checkpoint(parse_note(proof["checkpoint"]["note"])[0])
    path = [base64.b64decode(each) for each in proof["path"]]
    root = root_from_path(proof["leaf"], checkpoint.size, bytes.fromhex(proof["entry"]["hash"]), path)
    assert root == checkpoint.root

    grown = client.get(f"{AUDIT}/checkpoints", params={"from_size": str(checkpoint.size)})
    DOCUMENT.check(grown)
    newest = parse_checkpoint(parse_note(grown.json()["checkpoints"][0]["note"])[0])
    steps = [base64.b64decode(each) for each in grown.json()["consistency"]["path"]]
    assert consistent(checkpoint.size, newest.size, checkpoint.root, newest.root, steps)


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "0"},
        {"limit": "x"},
        {"kind": "x"},
        {"from": "x"},
        {"before": "x.1"},
        {"subject": "a\0"},
        {"n": "1"},
    ],
)
def test_a_question_that_cannot_be_answered_says_why(client: httpx.Client, asked: dict[str, str]) -> None:
    answer = client.get(AUDIT, params=asked)

    assert answer.status_code == 400
    DOCUMENT.check(answer)


def test_an_act_is_refused_and_not_done_while_the_trail_takes_no_entry(
    stack: Stack, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: Any) -> Any:
        raise StoreUnavailable("the database cannot be used")

    before = client.get("/api/v1/stops").json()
    with monkeypatch.context() as patched:
        patched.setattr(door_audit(stack).trail._store, "append", down)
        answer = client.post("/api/v1/stops", json={"agent_id": "never"})

    assert answer.status_code == 503
    assert client.get("/api/v1/stops").json() == before


def test_the_command_line_verifies_the_servers_trail_online_and_offline(
    stack: Stack, client: httpx.Client, tmp_path: Path
) -> None:
    def command(*words: str) -> Any:
        return CliRunner().invoke(
            interchange, ["audit", *words], env={"INTERCHANGE_DATA_DIR": str(stack.data_dir)}
        )

    client.post("/v1/chat/completions", json=CHAT)
    checkpoint, key = command("checkpoint"), command("key")
    kept, export = tmp_path / "kept.txt", tmp_path / "export.jsonl"
    kept.write_text(checkpoint.stdout)
    assert command("export", str(export)).exit_code == 0

    online = command("verify", "--checkpoints", str(kept))
    offline = ("--export", str(export), "--checkpoints", str(kept), "--public-key", key.stdout.strip())
    assert online.exit_code == 0, online.output
    assert command("verify", *offline).exit_code == 0
    nothing = tmp_path / "nothing.txt"
    nothing.write_text("")
    assert command("verify", "--checkpoints", str(nothing)).exit_code == 2
    assert command("list", "--since", "yesterday").exit_code == 2

    export.write_text(export.read_text().replace('"action":"stops.create"', '"action":"stops.creates"', 1))
    changed = command("verify", *offline)
    assert changed.exit_code == 1
    assert changed.stdout.startswith("default.")


def door_audit(stack: Stack) -> Any:
    """What the server keeps its trail with."""
    faces = stack.application.faces
    assert faces is not None
    return next(
        cell.cell_contents.audit
        for route in faces.rest.routes  # type: ignore[attr-defined]
        for cell in route.endpoint.__closure__ or ()
        if hasattr(cell.cell_contents, "audit")
    )
