"""What goes wrong, as the official `openai` SDK shows it, in front of each of the three upstream wires."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import WIRES, simulate

HELLO: Any = [{"role": "user", "content": "hello there"}]
EVERY_WIRE = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


ERRORS = [
    (400, openai.BadRequestError),
    (404, openai.NotFoundError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]


@EVERY_WIRE
@pytest.mark.parametrize(("status", "kind"), ERRORS)
@pytest.mark.parametrize("streamed", [False, True])
def test_provider_errors_become_the_sdks_own(
    client: openai.OpenAI,
    stack: Stack,
    wire: str,
    status: int,
    kind: type[openai.APIStatusError],
    streamed: bool,
) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": status, "message": "said the provider"}, match={"provider": wire}
        ),
    )
    with pytest.raises(kind) as raised:
        client.chat.completions.create(
            model=f"{wire}-fail-{status}{'-streamed' if streamed else ''}",
            messages=HELLO,
            stream=streamed,
        )
    error = raised.value
    assert error.response.headers["x-should-retry"] == "false"
    assert error.body is not None
    assert "said the provider" in str(error)
    assert error.status_code == (502 if status == 500 and wire != "alpha" else status)
    if wire != "alpha":
        body: Any = error.body
        assert body["code"].startswith("upstream_")
        assert body["request_id"]


@EVERY_WIRE
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_provider_key_is_the_operators_business(
    client: openai.OpenAI, stack: Stack, wire: str, status: int
) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": status, "message": f"Incorrect API key: provider-secret-{wire}"},
            match={"provider": wire},
        ),
    )
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=f"{wire}-fail-{status}", messages=HELLO)
    assert raised.value.status_code == 502
    assert "provider-secret" not in raised.value.response.text
    assert raised.value.code == "upstream_auth"


def test_a_same_family_error_body_comes_back_unmodified(client: openai.OpenAI, stack: Stack) -> None:
    body = '{"error":{"message":"odd","type":"brand_new","param":"x","code":"y","extra":[1]}}'
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": 422, "body": body}, match={"provider": "alpha"}
        ),
    )
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.chat.completions.create(model="alpha-fail-422", messages=HELLO)
    assert raised.value.response.text == body


@EVERY_WIRE
def test_an_over_long_prompt_is_a_typed_error(client: openai.OpenAI, wire: str) -> None:
    long_text: Any = [{"role": "user", "content": "word " * 200}]
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=f"{wire}/ctx40", messages=long_text)
    assert "context" in str(raised.value)


def test_own_errors_are_the_sdks_own_too(client: openai.OpenAI, stack: Stack) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="alpha/smal", messages=HELLO)
    assert unknown.value.code == "model_not_found"
    assert unknown.value.param == "model"
    assert "alpha/small" in str(unknown.value)
    with (
        openai.OpenAI(api_key="ik_wrong", base_url=f"{stack.url}/v1", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        stranger.chat.completions.create(model="alpha/small", messages=HELLO)
    assert refused.value.code == "invalid_api_key"


def test_a_cut_stream_raises_in_the_sdk(client: openai.OpenAI, stack: Stack) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "cut_after", "tokens": 3}, match={"provider": "alpha", "model": "small"}, times=1
        ),
    )
    text = ""
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model="alpha/small", messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""
    assert text
    assert raised.value.code == "stream_interrupted"


@EVERY_WIRE
def test_the_sdk_does_not_repeat_what_we_have_repeated(stack: Stack, wire: str) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault({"kind": "status", "status": 500}, match={"provider": wire}),
    )
    with (
        openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", timeout=20) as eager,
        pytest.raises(openai.InternalServerError),
    ):
        eager.chat.completions.create(model=f"{wire}-fail-500-again", messages=HELLO)
    assert len(stack.simulator.requests) == 1


@EVERY_WIRE
def test_the_sdk_skips_keep_alives_before_a_slow_first_token(
    client: openai.OpenAI, stack: Stack, wire: str
) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=200))
    stream = client.chat.completions.create(model=f"{wire}-patient", messages=HELLO, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert "hello there" in text


@EVERY_WIRE
def test_a_failure_after_keep_alives_raises_in_the_sdk(
    client: openai.OpenAI, stack: Stack, wire: str
) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=200))
    simulate(
        stack,
        lambda: stack.simulator.fault({"kind": "error_frame_after", "tokens": 0}, match={"provider": wire}),
    )
    stream = client.chat.completions.create(model=f"{wire}-patient", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError) as raised:
        list(stream)
    assert str(raised.value.code).startswith("upstream_")
