"""The vendors' own clients understand the simulated provider."""

import json
from typing import Any

import anthropic
import openai
import pytest

from entrypoints.simulator.server import SimulatedProvider
from tests.unit.simulator.conftest import WEATHER


async def test_the_openai_client_reads_answers_streams_and_errors(provider: SimulatedProvider) -> None:
    async with openai.AsyncOpenAI(
        api_key="k", base_url=provider.url_of("alpha") + "/v1", max_retries=0, timeout=5
    ) as client:
        tool: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
        messages: Any = [{"role": "user", "content": "use get_weather"}]

        whole = await client.chat.completions.create(model="small", messages=messages)
        streamed = ""
        async for chunk in await client.chat.completions.create(
            model="small", messages=messages, stream=True
        ):
            streamed += chunk.choices[0].delta.content or ""
        called = await client.chat.completions.create(model="small", messages=messages, tools=[tool])
        vectors = await client.embeddings.create(model="embed", input=["a", "b"], dimensions=4)
        provider.fault({"kind": "status", "status": 429, "retry_after_s": 1})
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="small", messages=messages)

    assert whole.choices[0].message.content == streamed
    calls: Any = called.choices[0].message.tool_calls
    assert json.loads(calls[0].function.arguments)["city"]
    assert [len(one.embedding) for one in vectors.data] == [4, 4]


async def test_the_anthropic_client_reads_answers_streams_and_errors(provider: SimulatedProvider) -> None:
    async with anthropic.AsyncAnthropic(
        api_key="k", base_url=provider.url_of("beta"), max_retries=0, timeout=5
    ) as client:
        messages: Any = [{"role": "user", "content": "hello"}]

        whole = await client.messages.create(model="think", max_tokens=200, messages=messages)
        async with client.messages.stream(model="think", max_tokens=200, messages=messages) as stream:
            streamed = await stream.get_final_message()
        provider.fault({"kind": "status", "status": 529})
        with pytest.raises(anthropic.APIStatusError) as raised:
            await client.messages.create(model="small", max_tokens=5, messages=messages)

    assert [_said(block) for block in streamed.content] == [_said(block) for block in whole.content]
    assert streamed.stop_reason == whole.stop_reason == "end_turn"
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert raised.value.status_code == 529


def _said(block: Any) -> Any:
    return (block.thinking, block.signature) if block.type == "thinking" else block.text
