"""Rate limits from outside: every wire's words, both owners, batches that wait, and the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from click.testing import CliRunner

from entrypoints.cli.main import interchange
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import CONFIG, eventually

LIMITS = "/api/v1/limits"
LIMITED = (
    CONFIG + "rate_limits:\n"
    "  - {name: declared, scope: {tenant: default}, requests: 100000, tokens: 10000000, per: minute}\n"
)
DOCUMENT = Document()


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack with a wide limit, for all tests of this module."""
    with Stack(tmp_path_factory.mktemp("data"), LIMITED) as running:
        yield running


@pytest.fixture
def client(limited: Stack) -> Iterator[httpx.Client]:
    hooks = {"response": [documented]}
    headers = {"authorization": f"Bearer {limited.key}"}
    with httpx.Client(base_url=limited.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        yield http
        for limit in http.get(LIMITS).json()["limits"]:
            if limit["owner"] == "api":
                http.delete(f"{LIMITS}/{limit['limit_id']}")


def documented(answer: httpx.Response) -> None:
    answer.read()
    if answer.status_code >= 400 or answer.request.url.path.startswith(LIMITS):
        DOCUMENT.check(answer)


def chat(client: httpx.Client, **more: Any) -> httpx.Response:
    body = {"model": "assistant", "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}], **more}
    return client.post("/v1/chat/completions", json=body)


def make(client: httpx.Client, name: str, **words: Any) -> str:
    body = {"name": name, "scope": {"tenant": "default", "key": "*"}, "per": "minute", **words}
    answer = client.post(LIMITS, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["limit_id"])


def test_an_answer_tells_what_is_left(client: httpx.Client) -> None:
    answer = chat(client)

    assert answer.status_code == 200
    headers = answer.headers
    assert headers["x-ratelimit-limit-requests"] == "100000"
    assert int(headers["x-ratelimit-remaining-requests"]) < 100_000
    assert headers["x-ratelimit-reset-requests"].endswith("s")
    assert int(headers["x-ratelimit-remaining-tokens"]) < 10_000_000
    assert '"declared";q=100000;w=60;qu="requests"' in headers["ratelimit-policy"]
    assert headers["ratelimit"].startswith('"declared";r=')


def test_a_stream_tells_it_too(client: httpx.Client) -> None:
    assert "x-ratelimit-remaining-requests" in chat(client, stream=True).headers


def test_what_is_beyond_a_limit_is_refused_with_our_words(client: httpx.Client) -> None:
    make(client, "two", requests=2)

    answers = [chat(client) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    error = answers[2].json()["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert error["details"]["limit"] == "two"
    assert answers[2].headers["retry-after"] == "30"
    assert answers[2].headers["x-ratelimit-remaining-requests"] == "0"


def test_the_sdks_know_it_for_a_rate_limit(limited: Stack, client: httpx.Client) -> None:
    make(client, "one", requests=1)
    assert chat(client).status_code == 200
    messages: Any = [{"role": "user", "content": "hi"}]
    theirs = openai.OpenAI(base_url=f"{limited.url}/v1", api_key=limited.key, max_retries=0)
    claude = anthropic.Anthropic(base_url=limited.url, api_key=limited.key, max_retries=0)

    with pytest.raises(openai.RateLimitError) as refused:
        theirs.chat.completions.create(model="assistant", messages=messages)
    with pytest.raises(anthropic.RateLimitError) as of_claude:
        claude.messages.create(model="assistant", max_tokens=9, messages=messages)

    assert refused.value.code == "rate_limit_exceeded"
    headers = of_claude.value.response.headers
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert "x-ratelimit-limit-requests" not in headers


def test_gemini_callers_read_resource_exhausted(client: httpx.Client) -> None:
    make(client, "one", requests=1)
    path = "/v1beta/models/assistant:generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}

    answers = [client.post(path, json=body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].json()["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_each_key_has_its_own_and_sees_how_it_stands(limited: Stack, client: httpx.Client) -> None:
    limit_id = make(client, "each", requests=1)
    other = new_key(client, name="other")
    assert chat(client).status_code == 200

    with with_key(limited, other["key"]) as theirs:
        assert chat(theirs).status_code == 200
        assert chat(theirs).status_code == 429
        mine = theirs.get("/api/v1/key").json()["data"]["rate_limits"]
        assert theirs.get(LIMITS).status_code == 403

    standing = next(each for each in mine if each["limit_id"] == limit_id)
    assert (standing["remaining"], standing["amount"]) == (0, 1)
    accounts = client.get(f"{LIMITS}/{limit_id}").json()["accounts"]
    assert {account["subject"].partition("=")[0] for account in accounts} == {"key"}


def test_tokens_are_limited_and_corrected(client: httpx.Client) -> None:
    make(client, "tokens", tokens=2000)

    first = chat(client, max_tokens=1500)
    second = chat(client, max_tokens=1500)

    assert (first.status_code, second.status_code) == (200, 200)
    assert 1500 < int(second.headers["x-ratelimit-remaining-tokens"]) < 2000


def test_a_quota_ends_with_the_day(client: httpx.Client) -> None:
    make(client, "daily", requests=1, per="day", calendar=True)

    answers = [chat(client) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert 0 < int(answers[1].headers["retry-after"]) <= 86_400


def test_a_limit_is_changed_and_taken_away(client: httpx.Client) -> None:
    limit_id = make(client, "one", requests=1)
    assert [chat(client).status_code for _ in range(2)] == [200, 429]

    wider = {"name": "one", "scope": {"tenant": "default", "key": "*"}, "per": "minute", "requests": 500}
    assert client.put(f"{LIMITS}/{limit_id}", json=wider).json()["requests"] == 500
    assert chat(client).status_code == 200
    assert client.delete(f"{LIMITS}/{limit_id}").json() == {"limit_id": limit_id, "removed": True}
    assert client.get(f"{LIMITS}/{limit_id}").status_code == 404


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"requests": None}, "requests"),
        ({"requests": 0}, "requests"),
        ({"per": "fortnight"}, "per"),
        ({"burst": 10_000}, "burst"),
        ({"burst_tokens": 5}, "burst_tokens"),
        ({"scope": {"provider": "x"}}, "scope"),
        ({"scope": {}}, "scope"),
        ({"calendar": True, "per": "minute"}, "per"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_work_is_refused_at_its_field(
    client: httpx.Client, change: dict[str, Any], param: str
) -> None:
    good = {"name": "x", "scope": {"tenant": "default"}, "per": "minute", "requests": 5}

    answer = client.post(LIMITS, json={**good, **change})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_what_the_file_declares_only_the_file_changes(client: httpx.Client) -> None:
    body = {"name": "declared", "scope": {"tenant": "default"}, "per": "minute", "requests": 1}

    answers = [
        client.put(f"{LIMITS}/file:declared", json=body),
        client.delete(f"{LIMITS}/file:declared"),
        client.post(LIMITS, json=body),
    ]

    assert {answer.status_code for answer in answers} == {409}
    assert {answer.json()["error"]["code"] for answer in answers} == {"owned_by_file"}


def test_a_batch_waits_where_a_caller_is_refused(client: httpx.Client) -> None:
    make(client, "slow", requests=120, burst=2, scope={"tenant": "default"})
    body = {"model": "assistant", "messages": [{"role": "user", "content": "hi"}]}
    lines = [
        {"custom_id": str(number), "method": "POST", "url": "/v1/chat/completions", "body": body}
        for number in range(5)
    ]
    document = "\n".join(json.dumps(line) for line in lines)
    file = client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("b.jsonl", document)}).json()
    asked = {
        "input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h",
    }  # fmt: skip
    batch = client.post("/v1/batches", json=asked).json()

    def ended() -> Any:
        found = client.get(f"/v1/batches/{batch['id']}").json()
        return found if found["status"] == "completed" else None

    counts = eventually(ended)["request_counts"]
    assert (counts["completed"], counts["failed"]) == (5, 0)


def test_the_metrics_count_refusals(client: httpx.Client) -> None:
    make(client, "counted", requests=1)
    assert [chat(client).status_code for _ in range(3)] == [200, 429, 429]

    assert 'interchange_rate_limited_total{limit="counted",tenant="default"} 2' in client.get("/metrics").text


def test_the_command_line_works_on_a_server(limited: Stack) -> None:
    server = ["--url", limited.url, "--key", limited.key]
    runner = CliRunner()

    scope = ["--scope", "key=*", "--scope", "tenant=default"]
    made = runner.invoke(interchange, ["limits", "set", "cli", "--requests", "7", *scope, *server])
    changed = runner.invoke(interchange, ["limits", "set", "cli", "--burst", "3", *server])
    listed = runner.invoke(interchange, ["limits", "list", *server])
    shown = runner.invoke(interchange, ["limits", "show", "cli", "--json", *server])
    gone = runner.invoke(interchange, ["limits", "delete", "cli", *server])

    assert [each.exit_code for each in (made, changed, listed, shown, gone)] == [0] * 5, made.output
    assert "7 requests per minute (burst 3)" in listed.output
    assert json.loads(shown.output)["scope"] == {"key": "*", "tenant": "default"}
    assert "removed cli" in gone.output


def test_the_command_line_works_on_stores(tmp_path: Path) -> None:
    config = tmp_path / "interchange.yaml"
    config.write_text(f"data_dir: {tmp_path / 'data'}\n")
    runner = CliRunner()

    made = runner.invoke(
        interchange, ["limits", "set", "stored", "--tokens", "9000", "--config", str(config)]
    )
    listed = runner.invoke(interchange, ["limits", "list", "--config", str(config)])
    wrong = runner.invoke(interchange, ["limits", "set", "bad", "--scope", "x=1", "--config", str(config)])

    assert made.exit_code == 0, made.output
    assert "9000 tokens per minute" in listed.output
    assert wrong.exit_code == 2
