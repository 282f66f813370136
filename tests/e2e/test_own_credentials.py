"""Callers with a provider credential of their own: it goes to one provider, where a route says so."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import anthropic
import openai
import pytest

from entrypoints.simulator.state import fingerprint
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, sent_headers, simulate

SUBSCRIPTION = "sk-ant-oat01-of-the-caller"
OWN_OPENAI = "sk-proj-of-the-caller"
OAUTH_BETA = "oauth-2025-04-20"
_MODELS = "models: {small: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}"


def _provider(name: str, kind: str, path: str) -> str:
    where = f'kind: {kind}, base_url: "{{sim}}/{path}", api_key: ours-{name}, via: direct'
    return f"  {name}: {{{where}, {_MODELS}}}\n"


CONFIG = (
    "providers:\n"
    + _provider("claude", "anthropic", "claude")
    + _provider("gpt", "openai", "gpt/v1")
    + _provider("elsewhere", "openai", "elsewhere/v1")
    + """
routes:
  mine: {targets: [claude/small], passthrough_credentials: only, retries: 0}
  mine-gpt:
    {targets: [gpt/small, elsewhere/small], strategy: priority, passthrough_credentials: true, retries: 0}
  only-gpt:
    {targets: [gpt/small, elsewhere/small], strategy: priority, passthrough_credentials: only, retries: 0}
  ours: {targets: [claude/small]}
  ours-gpt: {targets: [gpt/small]}
"""
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("own"), CONFIG) as running:
        yield running


def claude(stack: Stack) -> anthropic.Anthropic:
    """As Claude Code signs in with a subscription."""
    return anthropic.Anthropic(
        base_url=stack.url,
        auth_token=SUBSCRIPTION,
        max_retries=0,
        default_headers={"x-interchange-key": stack.key, "anthropic-beta": OAUTH_BETA},
    )


def gpt(stack: Stack) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{stack.url}/v1",
        api_key=OWN_OPENAI,
        max_retries=0,
        default_headers={"x-interchange-key": stack.key},
    )


def redacted(secret: str) -> str:
    return f"[redacted {fingerprint(secret)}]"


def last_attempts(stack: Stack, request_id: str) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]]:
        with closing(sqlite3.connect(stack.data_dir / "interchange.db")) as database:
            database.row_factory = sqlite3.Row
            query = "SELECT * FROM usage_attempts WHERE request_id = ? ORDER BY ordinal"
            return [dict(row) for row in database.execute(query, (request_id,))]

    return eventually(look)


HELLO: Any = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize("stream", [False, True])
def test_a_subscription_token_goes_upstream_as_it_is(stack: Stack, stream: bool) -> None:
    answer = claude(stack).messages.with_raw_response.create(
        model="mine", max_tokens=20, messages=HELLO, stream=stream
    )
    answer.read() if hasattr(answer, "read") else answer.parse()
    if stream:
        for _ in answer.parse():
            pass
    headers = sent_headers(stack, "claude")
    assert headers["authorization"] == redacted(SUBSCRIPTION)
    assert "x-api-key" not in headers
    assert "x-interchange-key" not in headers
    assert headers["anthropic-beta"] == OAUTH_BETA
    (row,) = last_attempts(stack, answer.headers["x-request-id"])
    assert (row["credential"], row["billed_as"]) == ("caller", "caller")
    assert (row["cost_nano_usd"], row["estimated"]) == (0, 0)
    assert row["input_tokens"] > 0


def test_the_openai_sdk_brings_its_own_key(stack: Stack) -> None:
    answer = gpt(stack).chat.completions.with_raw_response.create(model="mine-gpt", messages=HELLO)
    assert sent_headers(stack, "gpt")["authorization"] == redacted(OWN_OPENAI)
    (row,) = last_attempts(stack, answer.headers["x-request-id"])
    assert (row["credential"], row["cost_nano_usd"]) == ("caller", 0)


def test_a_route_without_the_option_never_forwards_it(stack: Stack) -> None:
    claude(stack).messages.create(model="ours", max_tokens=20, messages=HELLO)
    gpt(stack).chat.completions.create(model="ours-gpt", messages=HELLO)
    headers = sent_headers(stack, "claude")
    assert headers["x-api-key"] == redacted("ours-claude")
    assert "authorization" not in headers
    assert sent_headers(stack, "gpt")["authorization"] == redacted("ours-gpt")


def test_a_caller_of_another_family_keeps_its_credential_to_itself(stack: Stack) -> None:
    """An OpenAI key is nothing Anthropic should see."""
    with pytest.raises(openai.BadRequestError):
        gpt(stack).chat.completions.create(model="mine", messages=HELLO)


def test_without_a_credential_of_their_own_callers_are_told(stack: Stack) -> None:
    client = anthropic.Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0)
    with pytest.raises(anthropic.BadRequestError, match="x-interchange-key"):
        client.messages.create(model="mine", max_tokens=20, messages=HELLO)


def test_no_second_provider_sees_the_credential(stack: Stack) -> None:
    simulate(
        stack, lambda: stack.simulator.fault({"kind": "status", "status": 500}, match={"provider": "gpt"})
    )
    try:
        answer = gpt(stack).chat.completions.with_raw_response.create(model="mine-gpt", messages=HELLO)
        assert sent_headers(stack, "elsewhere")["authorization"] == redacted("ours-elsewhere")
        rows = last_attempts(stack, answer.headers["x-request-id"])
        assert [row["credential"] for row in rows] == ["caller", ""]
        before = len([one for one in stack.simulator.requests if one["provider"] == "elsewhere"])
        with pytest.raises(openai.InternalServerError):
            gpt(stack).chat.completions.create(model="only-gpt", messages=HELLO)
        after = len([one for one in stack.simulator.requests if one["provider"] == "elsewhere"])
        assert before == after
    finally:
        simulate(stack, lambda: stack.simulator.heal("gpt"))


def test_a_refused_credential_is_the_callers_business_and_nobody_elses(stack: Stack) -> None:
    client = gpt(stack).with_options(api_key="bad-key")
    for _ in range(8):
        with pytest.raises(openai.AuthenticationError) as caught:
            client.chat.completions.create(model="only-gpt", messages=HELLO)
        assert "bad-key" not in caught.value.response.text
    gpt(stack).chat.completions.create(model="ours-gpt", messages=HELLO)


def test_a_key_tells_about_itself(stack: Stack) -> None:
    with stack.client() as client:
        made = client.post(
            "/api/v1/keys",
            json={"tenant_id": "default", "name": "robot", "role": "agent", "allowed_models": ["ours-gpt"]},
        ).json()
        own = {"authorization": f"Bearer {made['key']}"}
        asked = {"model": "ours-gpt", "messages": HELLO}
        assert eventually(lambda: client.post("/v1/chat/completions", json=asked, headers=own).is_success)

        def used() -> Any:
            data = client.get("/api/v1/key", headers=own).json()["data"]
            return data if data["usage_daily"]["requests"] else None

        told = eventually(used)
        assert (told["label"], told["role"], told["tenant_id"]) == ("robot", "agent", "default")
        assert told["allowed_models"] == ["ours-gpt"]
        assert "llm.call" in told["permissions"]
        assert told["limit"] is None
        assert told["usage_monthly"]["cost_usd"] > 0
        assert client.get("/api/v1/key", headers={"authorization": "Bearer nonsense"}).status_code == 401
        assert made["key"] not in client.get("/api/v1/key", headers=own).text


def test_nothing_that_is_kept_holds_a_callers_credential(stack: Stack) -> None:
    for file in stack.data_dir.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert SUBSCRIPTION.encode() not in content, file
            assert OWN_OPENAI.encode() not in content, file
