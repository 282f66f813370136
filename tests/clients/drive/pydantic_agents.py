"""`pydantic-ai`: agents with tools and typed output over chat, Responses, Messages and Gemini's API."""

import asyncio
import gc
import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pydantic
from google import genai
from pydantic_ai import Agent, ModelHTTPError, NativeOutput, ToolOutput
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.families import target
from tests.clients.scenarios import (
    LEAVING,
    OVERFLOW,
    PARSED,
    PROVIDER_ERROR,
    REASONING,
    STREAM,
    TOOLS,
    Client,
    Interchange,
    has,
)

sdk = Client("pydantic_agents")

APIS = ("chat", "responses", "messages", "gemini")


class Weather(pydantic.BaseModel):
    """The weather of a city."""

    city: str
    days: int


def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: 17 degrees"


def model(here: Interchange, name: str, api: str) -> Model:
    """It knows its vendors' models by name; what ours can do is told in profiles."""
    able: Any
    match api:
        case "messages":
            ours = anthropic.AsyncAnthropic(api_key=here.key, base_url=here.url, max_retries=0, timeout=20)
            able = {"supports_json_schema_output": True}
            return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=ours), profile=able)
        case "gemini":
            options: Any = {"base_url": here.url, "timeout": 20_000}
            client = genai.Client(api_key=here.key, http_options=options)
            return GoogleModel(name, provider=GoogleProvider(client=client))
        case _:
            theirs = openai.AsyncOpenAI(
                api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, timeout=20
            )
            provider = OpenAIProvider(openai_client=theirs)
            if api == "chat":
                return OpenAIChatModel(name, provider=provider)
            able = {"openai_supports_encrypted_reasoning_content": True, "openai_supports_reasoning": True}
            return OpenAIResponsesModel(name, provider=provider, profile=able)


def on_each(name: str, *apis: str) -> Callable[[Any], Any]:
    """The scenario with each of the APIs."""

    def mark(run: Any) -> Any:
        for api in apis or APIS:

            async def one(here: Interchange, family: str, api: str = api) -> None:
                await run(here, family, api)

            sdk.does(f"{api}: {name}")(one)
        return run

    return mark


@on_each(TOOLS)
async def tools(here: Interchange, family: str, api: str) -> None:
    agent: Agent[None, str] = Agent(model(here, target(family), api), tools=[get_weather])
    plan = 'call get_weather {"city": "Bern"}, then call get_weather {"city": "Chur"}'
    first = await agent.run(plan)
    has(first.output, "Chur: 17 degrees")
    again = await agent.run('call get_weather {"city": "Visp"}', message_history=first.all_messages())
    has(again.output, "Visp: 17 degrees")
    has(here.text_sent(family), "Bern: 17 degrees", "Visp: 17 degrees")


@on_each(f"{STREAM} with a tool")
async def stream(here: Interchange, family: str, api: str) -> None:
    agent: Agent[None, str] = Agent(model(here, target(family), api), tools=[get_weather])
    async with agent.run_stream('call get_weather {"city": "Bern"}') as running:
        texts = [text async for text in running.stream_text(delta=True, debounce_by=None)]
    assert len(texts) > 3
    has("".join(texts), "Bern: 17 degrees")


@on_each(f"{PARSED} by a tool")
async def parsed_by_tool(here: Interchange, family: str, api: str) -> None:
    agent: Any = Agent(model(here, target(family), api), output_type=ToolOutput(Weather))
    assert isinstance((await agent.run("The weather.")).output, Weather)


@on_each(f"{PARSED} by a schema")
async def parsed_by_schema(here: Interchange, family: str, api: str) -> None:
    agent: Any = Agent(model(here, target(family), api), output_type=NativeOutput(Weather))
    assert isinstance((await agent.run("The weather.")).output, Weather)


@on_each(REASONING)
async def reasoning(here: Interchange, family: str, api: str) -> None:
    settings: Any = {
        "messages": {"anthropic_thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000},
        "gemini": {"google_thinking_config": {"include_thoughts": True, "thinking_budget": 1024}},
        "responses": {"openai_reasoning_effort": "low", "openai_reasoning_summary": "auto"},
        "chat": {},
    }[api]
    agent: Agent[None, str] = Agent(model(here, target(family, "think"), api), model_settings=settings)
    first = await agent.run("hello")
    second = await agent.run("And now?", message_history=first.all_messages())
    has(second.output, "And now?")
    if api != "chat":
        kinds = [part.part_kind for part in first.all_messages()[-1].parts]
        assert "thinking" in kinds, kinds
    if api == "responses" or (family != "openai" and api != "chat"):
        mark = {"openai": '"encrypted_content": "', "anthropic": '"signature"', "gemini": "thoughtSignature"}
        has(json.dumps([one["body"] for one in here.sent(family)]), mark[family])


@on_each(LEAVING)
async def leaving(here: Interchange, family: str, api: str) -> None:
    async with here.leaving_async(family) as name:
        started = asyncio.Event()

        async def listen() -> None:
            agent: Agent[None, str] = Agent(model(here, name, api))
            async with agent.run_stream("hello") as running:
                async for _ in running.stream_text(debounce_by=None):
                    started.set()

        listening = asyncio.create_task(listen())
        await asyncio.wait_for(started.wait(), 10)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        # Of its own accord it closes Google's stream only when the garbage is collected.
        del listening
        gc.collect()


@on_each(PROVIDER_ERROR)
async def provider_error(here: Interchange, family: str, api: str) -> None:
    for status in (400, 500):
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        agent: Agent[None, str] = Agent(model(here, f"{family}-fail-{status}", api))
        try:
            await agent.run("hello")
        except ModelHTTPError as error:
            has(error, f"Trouble number {status}.")
            assert error.status_code // 100 == status // 100, error
        else:
            raise AssertionError(f"{status} raised nothing")


@on_each(OVERFLOW)
async def overflow(here: Interchange, family: str, api: str) -> None:
    agent: Agent[None, str] = Agent(model(here, f"{family}-tight-ctx60k", api))
    try:
        await agent.run("far too long " * 24_000)
    except ModelHTTPError as error:
        assert error.status_code == 400, error
    else:
        raise AssertionError("a prompt of 70,000 tokens was taken")


if __name__ == "__main__":
    sdk.main()
