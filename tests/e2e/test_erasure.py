"""A user's data, exported and forgotten: nothing of it is left in any file, and nobody else's is touched."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from application.use_cases import erase_user
from entrypoints.cli.main import interchange
from entrypoints.cli.privacy import privacy
from entrypoints.cli.requests import requests
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG

ALICE, BOB = "alice-7f3a91/a&%", "bob-22c0d4"
SECRET = "purple-hedgehog-41"
DOCUMENT = Document()
ERASABLE = CONFIG.replace(
    "  assistant: {strategy",
    "  kept: {targets: [alpha/small], record: {prompts: true, answers: true},"
    " cache: {mode: exact, scope: user}}\n"
    "  kept-here: {targets: [alpha/small], responses: {store: true}}\n"
    "  assistant: {strategy",
    1,
)


@pytest.fixture(autouse=True, scope="module")
def nobody_else() -> Iterator[None]:
    """Other instances are not waited for: there are none. `test_erasure_everywhere` waits for its own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(erase_user, "SETTLE_S", 0.5)
        patched.setattr(erase_user, "LOOK_EVERY_S", 0.2)
        yield


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Of one test alone: what is in its files is told by name."""
    with Stack(tmp_path / "data", ERASABLE) as running:
        yield running


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Where it does not matter what others left."""
    with Stack(tmp_path_factory.mktemp("data"), ERASABLE) as running:
        yield running


def of(user: str) -> dict[str, str]:
    return {"x-interchange-user-id": user, "x-interchange-session-id": f"s-{SECRET}"}


def ask(client: httpx.Client, user: str, text: str) -> httpx.Response:
    answer = client.post(
        "/v1/chat/completions",
        json={"model": "kept", "messages": [{"role": "user", "content": text}]},
        headers=of(user),
    )
    assert answer.status_code == 200, answer.text
    return answer


def leave_traces(client: httpx.Client, user: str) -> str:
    """Everything that can name a user. The id of one recorded request."""
    request_id = ask(client, user, f"{user} says {SECRET}").headers["x-request-id"]
    kept = client.post(
        "/v1/responses", json={"model": "kept-here", "input": f"{user} keeps {SECRET}"}, headers=of(user)
    )
    assert kept.status_code == 200, kept.text
    made = [
        client.post("/api/v1/stops", json={"user_id": user, "reason": "a test"}),
        client.post(
            "/api/v1/budgets",
            json={"name": f"b{len(user)}", "scope": {"user": user}, "period": "month", "limit_usd": "5"},
        ),
        client.post(
            "/api/v1/limits",
            json={"name": f"l{len(user)}", "scope": {"user": user}, "requests": 100, "per": "minute"},
        ),
    ]
    for each in made:
        assert each.status_code == 201, each.text
    client.delete(f"/api/v1/stops/{made[0].json()['stop_id']}")
    key = client.post(
        "/api/v1/keys",
        json={"name": "theirs", "tenant_id": "default", "role": "agent", "assertable": [f"user:{user}"]},
    )
    assert key.status_code == 201, key.text
    lines = json.dumps({"custom_id": "1", "note": f"{user} {SECRET}"}).encode()
    file = client.post(
        "/v1/files",
        files={"file": ("a.jsonl", lines)},
        data={"purpose": "batch"},
        headers={"authorization": f"Bearer {key.json()['key']}"},
    )
    assert file.status_code in (200, 201), file.text
    return request_id


def path_of(user: str) -> str:
    from urllib.parse import quote

    return f"/api/v1/privacy/subjects/{quote(user, safe='')}"


def exported(client: httpx.Client, user: str) -> list[dict[str, Any]]:
    answer = client.get(path_of(user))
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def erased(client: httpx.Client, user: str) -> dict[str, Any]:
    begun = client.delete(path_of(user))
    assert begun.status_code == 202, begun.text
    DOCUMENT.check(begun)
    for _ in range(400):
        now: dict[str, Any] = DOCUMENT.check(
            client.get(f"/api/v1/privacy/erasures/{begun.json()['erasure_id']}")
        ).json()
        if now["state"] == "done":
            return now
        time.sleep(0.05)
    raise AssertionError(now)


def found_in_files(stack: Stack, *texts: str) -> list[str]:
    wanted = [form for text in texts for form in {text.encode(), json.dumps(text)[1:-1].encode()}]
    return sorted(
        str(path.relative_to(stack.data_dir))
        for path in stack.data_dir.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in wanted)
    )


def settled(stack: Stack) -> None:
    """Everything that is written behind requests is written."""
    time.sleep(0.2)
    faces = stack.application.faces
    assert faces is not None
    pipeline = faces.hot[("POST", "/v1/chat/completions")]._gate.pipeline  # type: ignore[attr-defined]
    for each in pipeline._inspectors:
        if hasattr(each, "recorder"):
            stack.run(each.recorder.flush())
    stack.run(pipeline.usage_log.flush())


def test_everything_about_a_user_is_exported_and_then_forgotten(stack: Stack) -> None:
    with stack.client() as client:
        leave_traces(client, ALICE)
        bobs = leave_traces(client, BOB)
        settled(stack)

        records = exported(client, ALICE)

        kinds = {record["record"] for record in records}
        assert {
            "user", "recording", "stored_answer", "stop", "budget", "rate_limit", "key", "file", "request",
            "end",
        } <= kinds  # fmt: skip
        assert any(SECRET in (record.get("content") or "") for record in records)
        assert BOB not in json.dumps(records)
        before = [record for record in exported(client, BOB) if record["record"] != "audit"][:-1]

        report = erased(client, ALICE)

        assert report["counts"]["recording"] == 2
        assert {"request", "stored_answer", "budget", "rate_limit", "key", "file"} <= set(report["counts"])
        left = exported(client, ALICE)
        assert {record["record"] for record in left} == {"user", "audit", "end"}
        assert found_in_files(stack, "alice-7f3a91") == []
        # Bob's and everybody's rows are as they were.
        after = [record for record in exported(client, BOB) if record["record"] != "audit"][:-1]
        assert after == before
        assert client.get(f"/api/v1/requests/{bobs}/content").status_code == 200


def test_after_all_users_are_forgotten_no_file_holds_a_word_of_them(stack: Stack) -> None:
    with stack.client() as client:
        leave_traces(client, ALICE)
        settled(stack)
        assert found_in_files(stack, "alice-7f3a91", SECRET) != []

        erased(client, ALICE)

        assert found_in_files(stack, "alice-7f3a91", SECRET) == []


def test_money_stays_and_the_trail_still_verifies(stack: Stack) -> None:
    with stack.client() as client:
        request_id = leave_traces(client, ALICE)
        settled(stack)
        spent = client.get(f"/api/v1/requests/{request_id}").json()

        report = erased(client, ALICE)

        now = client.get(f"/api/v1/requests/{request_id}").json()
        assert now == {**spent, "user_id": report["pseudonym"], "session_id": "", **_no_words()}
        entries = client.get("/api/v1/audit", params={"action": "privacy.erase"}).json()["entries"]
        assert entries[0]["subject"].startswith("user:")
        assert ALICE not in json.dumps(entries, ensure_ascii=False)
        entry = client.get("/api/v1/audit", params={"request_id": request_id}).json()["entries"][0]
    faces = stack.application.faces
    assert faces is not None
    from adapters.sql.audit_leaves import usage_digest
    from domain.analytics.event import AttemptEvent, RequestEvent

    row = _event(stack, request_id, RequestEvent, AttemptEvent)
    assert entry["details"]["usage_sha256"] == usage_digest(row)


def test_a_trail_with_an_erasure_in_it_verifies_here_and_from_an_export(stack: Stack, tmp_path: Path) -> None:
    def command(*words: str) -> Any:
        env = {"INTERCHANGE_DATA_DIR": str(stack.data_dir)}
        return CliRunner().invoke(interchange, ["audit", *words], env=env)

    with stack.client() as client:
        leave_traces(client, ALICE)
        settled(stack)
        before, key = tmp_path / "before.txt", command("key").stdout.strip()
        before.write_text(command("checkpoint").stdout)

        erased(client, ALICE)

    after, export = tmp_path / "after.txt", tmp_path / "export.jsonl"
    after.write_text(command("checkpoint").stdout)
    assert command("export", str(export)).exit_code == 0
    kept = ("--checkpoints", str(before), "--checkpoints", str(after))
    for checked in (command("verify"), command("verify", *kept)):
        assert checked.exit_code == 0, checked.output
        assert "entries are as they were written" in checked.stdout
    offline = command("verify", "--export", str(export), *kept, "--public-key", key, "--json")
    assert offline.exit_code == 0, offline.output
    told = json.loads(offline.stdout)
    assert told["findings"] == []
    assert told["confirmed_size"] > 0
    assert "privacy.erase" in export.read_text()
    assert ALICE not in export.read_text()


def _no_words() -> dict[str, str]:
    return {"client_request_id": "", "metadata": ""}


def _event(stack: Stack, request_id: str, kind: Any, attempt: Any) -> Any:
    import sqlite3

    with sqlite3.connect(stack.data_dir / "interchange.db") as database:
        row = database.execute("SELECT * FROM usage_requests WHERE request_id = ?", (request_id,)).fetchone()
        attempts = database.execute(
            "SELECT * FROM usage_attempts WHERE request_id = ? ORDER BY ordinal", (request_id,)
        ).fetchall()
    flags = {
        name
        for name, hint in {**kind.__annotations__, **attempt.__annotations__}.items()
        if hint in (bool, "bool")
    }

    def made(of: Any, values: Any) -> Any:
        named = dict(zip(of._fields, values, strict=False))
        return {name: bool(value) if name in flags else value for name, value in named.items()}

    return kind(**made(kind, row), attempts=tuple(attempt(**made(attempt, each)) for each in attempts))


def test_another_tenants_user_of_the_same_name_is_not_touched(stack: Stack) -> None:
    with stack.client() as client:
        made = client.post("/api/v1/keys", json={"name": "b", "role": "owner", "tenant_id": "other"})
        other = httpx.Client(
            base_url=stack.url, headers={"authorization": f"Bearer {made.json()['key']}"}, timeout=30
        )
        with other:
            leave_traces(client, ALICE)
            theirs = ask(other, ALICE, "Theirs stays.").headers["x-request-id"]
            settled(stack)

            erased(client, ALICE)

            assert other.get(f"/api/v1/requests/{theirs}").json()["user_id"] == ALICE
            assert other.get(f"/api/v1/requests/{theirs}/content").status_code == 200
            records = exported(other, ALICE)
            assert {"request", "recording"} <= {record["record"] for record in records}


def test_commands_export_erase_and_show(stack: Stack, tmp_path: Path) -> None:
    named = ["--url", stack.url, "--key", stack.key]
    file = tmp_path / "alice.jsonl"
    run = CliRunner()
    with stack.client() as client:
        request_id = leave_traces(client, ALICE)
        settled(stack)

    shown = run.invoke(requests, ["show", request_id, *named])
    content = run.invoke(requests, ["show", request_id, "--content", *named])
    out = run.invoke(privacy, ["export-user", ALICE, "--output", str(file), *named])
    gone = run.invoke(privacy, ["erase-user", ALICE, "--yes", *named])

    assert (shown.exit_code, content.exit_code, out.exit_code, gone.exit_code) == (0, 0, 0, 0), gone.output
    assert "attempt:" in shown.output
    assert SECRET in content.output
    assert json.loads(file.read_text().splitlines()[-1])["record"] == "end"
    assert "recording 2" in gone.output


@pytest.mark.parametrize("role", ["admin", "auditor", "operator", "viewer", "agent"])
def test_only_owners_export_and_erase(shared_stack: Stack, role: str) -> None:
    with shared_stack.client() as client:
        key = client.post(
            "/api/v1/keys", json={"name": f"a-{role}", "role": role, "tenant_id": "default"}
        ).json()["key"]
        headers = {"authorization": f"Bearer {key}"}
        assert client.get(path_of(ALICE), headers=headers).status_code == 403
        assert client.delete(path_of(ALICE), headers=headers).status_code == 403
        assert client.get("/api/v1/privacy/erasures", headers=headers).status_code == 403
