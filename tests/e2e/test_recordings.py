"""Prompts and answers that are kept where a route or a key asks for it, and who gets to read them."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG

EMAIL = "bob.stone@example.com"
DOCUMENT = Document()
RECORDED = CONFIG.replace(
    "  assistant: {strategy",
    "  kept: {targets: [alpha/small], record: {prompts: true, answers: true}}\n"
    "  prompts-only: {targets: [alpha/small], record: {prompts: true}}\n"
    "  never-drawn: {targets: [alpha/small], record: {prompts: true, answers: true, sample: 0}}\n"
    "  plain: {targets: [alpha/small]}\n"
    "  hidden: {targets: [alpha/small], privacy: redact, record: {prompts: true, answers: true}}\n"
    "  tokens: {targets: [alpha/small], privacy: tokenise, record: {prompts: true, answers: true}}\n"
    "  cached: {targets: [alpha/small], cache: {mode: exact}, record: {prompts: true, answers: true}}\n"
    "  assistant: {strategy",
    1,
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), RECORDED) as running:
        yield running


def ask(stack: Stack, route: str, text: str, **more: Any) -> httpx.Response:
    with stack.client() as client:
        return client.post(
            "/v1/chat/completions",
            json={"model": route, "messages": [{"role": "user", "content": text}], **more},
        )


def recorder(stack: Stack) -> Any:
    faces = stack.application.faces
    assert faces is not None
    return next(
        each
        for each in faces.hot[("POST", "/v1/chat/completions")]._gate.pipeline._inspectors  # type: ignore[attr-defined]
        if hasattr(each, "recorder")
    ).recorder


def content(stack: Stack, request_id: str) -> dict[str, Any]:
    stack.run(recorder(stack).flush())
    with stack.client() as client:
        answer = client.get(f"/api/v1/requests/{request_id}/content")
    assert answer.status_code == 200, answer.text
    DOCUMENT.check(answer)
    return {part["part"]: part for part in answer.json()["parts"]}


def test_what_was_asked_and_answered_is_kept_and_said_so(stack: Stack) -> None:
    asked = ask(stack, "kept", "What is kept here?")
    kept = content(stack, asked.headers["x-request-id"])
    assert asked.headers["x-interchange-recorded"] == "1"
    assert "What is kept here?" in kept["prompt"]["content"]
    assert json.loads(kept["answer"]["content"]) == asked.json()
    assert not kept["answer"]["truncated"]


def test_nothing_is_kept_where_nobody_asked_for_it(stack: Stack) -> None:
    for route in ("plain", "never-drawn"):
        asked = ask(stack, route, "Nobody keeps this.")
        assert "x-interchange-recorded" not in asked.headers
        stack.run(recorder(stack).flush())
        with stack.client() as client:
            answer = client.get(f"/api/v1/requests/{asked.headers['x-request-id']}/content")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_one_part_may_be_kept_alone(stack: Stack) -> None:
    asked = ask(stack, "prompts-only", "Keep only the question.")
    assert set(content(stack, asked.headers["x-request-id"])) == {"prompt"}


def test_a_stream_is_kept_as_it_went_to_the_caller(stack: Stack) -> None:
    asked = ask(stack, "kept", "Stream this.", stream=True)
    kept = content(stack, asked.headers["x-request-id"])
    assert asked.headers["x-interchange-recorded"] == "1"
    assert kept["answer"]["content_type"] == "text/event-stream"
    assert kept["answer"]["content"] in asked.text
    assert not kept["answer"]["truncated"]


@pytest.mark.parametrize("route", ["hidden", "tokens"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_kept_is_what_the_privacy_policy_left(stack: Stack, route: str, stream: bool) -> None:
    asked = ask(stack, route, f"Write to {EMAIL}.", stream=stream)
    assert asked.status_code == 200
    kept = content(stack, asked.headers["x-request-id"])
    assert EMAIL not in kept["prompt"]["content"]
    assert EMAIL not in kept["answer"]["content"]
    if route == "tokens" and not stream:
        assert EMAIL in asked.text


def test_an_answer_that_is_given_again_is_kept_again(stack: Stack) -> None:
    ask(stack, "cached", "Say it twice.")
    again = ask(stack, "cached", "Say it twice.")
    assert again.headers["x-interchange-cache"].startswith("hit")
    kept = content(stack, again.headers["x-request-id"])
    assert json.loads(kept["answer"]["content"])["choices"] == again.json()["choices"]


def test_the_database_holds_no_word_of_it(stack: Stack) -> None:
    asked = ask(stack, "kept", "A-very-particular-sentence")
    content(stack, asked.headers["x-request-id"])
    with sqlite3.connect(stack.data_dir / "interchange.db") as database:
        (sealed,) = database.execute(
            "SELECT content FROM recordings WHERE request_id = ? AND part = 'prompt'",
            (asked.headers["x-request-id"],),
        ).fetchone()
    assert b"particular" not in sealed
    for file in stack.data_dir.glob("interchange.db*"):
        assert b"A-very-particular-sentence" not in file.read_bytes()


def test_each_view_is_in_the_audit_trail(stack: Stack) -> None:
    asked = ask(stack, "kept", "Who looks at this?")
    content(stack, asked.headers["x-request-id"])
    with stack.client() as client:
        entries = client.get("/api/v1/audit", params={"action": "prompts.read"}).json()["entries"]
    assert entries[0]["kind"] == "read"
    assert asked.headers["x-request-id"] in entries[0]["subject"]


@pytest.mark.parametrize(("role", "status"), [("auditor", 200), ("admin", 403), ("viewer", 403)])
def test_only_owners_and_auditors_read_it(stack: Stack, role: str, status: int) -> None:
    asked = ask(stack, "kept", "Who may look?")
    request_id = asked.headers["x-request-id"]
    content(stack, request_id)
    with stack.client() as client:
        made = client.post("/api/v1/keys", json={"name": f"a-{role}", "role": role, "tenant_id": "default"})
        assert made.status_code == 201, made.text
        key = made.json()["key"]
        answer = client.get(
            f"/api/v1/requests/{request_id}/content", headers={"authorization": f"Bearer {key}"}
        )
    assert answer.status_code == status


def test_another_tenants_owner_finds_nothing(stack: Stack) -> None:
    asked = ask(stack, "kept", "Not for others.")
    request_id = asked.headers["x-request-id"]
    content(stack, request_id)
    with stack.client() as client:
        made = client.post("/api/v1/keys", json={"name": "b", "role": "owner", "tenant_id": "other"})
        answer = client.get(
            f"/api/v1/requests/{request_id}/content",
            headers={"authorization": f"Bearer {made.json()['key']}"},
        )
    assert answer.status_code == 404
