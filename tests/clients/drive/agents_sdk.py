"""`openai-agents`: runs with tools and a handoff, over Responses and over chat."""

import asyncio
import json
from typing import Any

import openai
import pydantic
from agents import (
    Agent,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)

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

sdk = Client("agents_sdk")
set_tracing_disabled(True)


class Weather(pydantic.BaseModel):
    """What an agent is to answer with."""

    city: str
    days: int


@function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: 17 degrees"


def model(here: Interchange, name: str, api: str) -> Model:
    client = openai.AsyncOpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, timeout=20)
    if api == "chat":
        return OpenAIChatCompletionsModel(name, client)
    return OpenAIResponsesModel(name, client)


def agent(here: Interchange, name: str, api: str, **more: Any) -> Agent[None]:
    return Agent(name="Guide", instructions="Be brief.", model=model(here, name, api), **more)


def both(name: str, *families: str, why_not: str = "") -> Any:
    """The scenario over Responses and over chat."""

    def mark(run: Any) -> Any:
        for api in ("responses", "chat"):

            async def one(here: Interchange, family: str, api: str = api) -> None:
                await run(here, family, api)

            sdk.does(f"{api}: {name}", *families, why_not=why_not)(one)
        return run

    return mark


@both(TOOLS)
async def tools(here: Interchange, family: str, api: str) -> None:
    guide = agent(here, target(family), api, tools=[get_weather])
    plan = 'call get_weather {"city": "Bern"}, then call get_weather {"city": "Chur"}'
    first = await Runner.run(guide, plan)
    has(first.final_output, "Chur: 17 degrees")
    again: Any = [*first.to_input_list(), {"role": "user", "content": 'call get_weather {"city": "Visp"}'}]
    has((await Runner.run(guide, again)).final_output, "Visp: 17 degrees")
    has(here.text_sent(family), "Bern: 17 degrees", "Visp: 17 degrees")


@both(f"{STREAM} with a tool")
async def stream(here: Interchange, family: str, api: str) -> None:
    guide = agent(here, target(family), api, tools=[get_weather])
    running = Runner.run_streamed(guide, 'call get_weather {"city": "Bern"}')
    kinds = [event.type async for event in running.stream_events()]
    assert kinds.count("raw_response_event") > 3 and "run_item_stream_event" in kinds
    has(running.final_output, "Bern: 17 degrees")


@both("handoff to another agent")
async def handoff(here: Interchange, family: str, api: str) -> None:
    expert = Agent(name="Expert", instructions="Know it.", model=model(here, target(family), api))
    guide = agent(here, target(family), api, handoffs=[expert])
    done = await Runner.run(guide, "call transfer_to_expert {}")
    assert done.last_agent.name == "Expert" and done.final_output


@both(PARSED)
async def parsed(here: Interchange, family: str, api: str) -> None:
    done = await Runner.run(agent(here, target(family), api, output_type=Weather), "The weather.")
    assert isinstance(done.final_output, Weather)


@both(REASONING)
async def reasoning(here: Interchange, family: str, api: str) -> None:
    settings = ModelSettings(response_include=["reasoning.encrypted_content"], store=False)
    guide = agent(
        here, target(family, "think"), api, tools=[get_weather],
        model_settings=settings if api == "responses" else ModelSettings(),
    )  # fmt: skip
    first = await Runner.run(guide, 'call get_weather {"city": "Bern"}')
    has(first.final_output, "Bern: 17 degrees")
    again: Any = [*first.to_input_list(), {"role": "user", "content": "And now?"}]
    has((await Runner.run(guide, again)).final_output, "And now?")
    if api == "responses":
        assert any(item.type == "reasoning_item" for item in first.new_items), first.new_items
        mark = {"openai": '"encrypted_content": "', "anthropic": '"signature"', "gemini": "thoughtSignature"}
        has(json.dumps([one["body"] for one in here.sent(family)]), mark[family])


@both(LEAVING)
async def leaving(here: Interchange, family: str, api: str) -> None:
    async with here.leaving_async(family) as name:
        running = Runner.run_streamed(agent(here, name, api), "hello")
        async for event in running.stream_events():
            if event.type == "raw_response_event":
                running.cancel()
                break
        if running.run_loop_task is not None:
            await asyncio.gather(running.run_loop_task, return_exceptions=True)


@both(PROVIDER_ERROR)
async def provider_error(here: Interchange, family: str, api: str) -> None:
    for status, kind in {400: openai.BadRequestError, 500: openai.InternalServerError}.items():
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        try:
            await Runner.run(agent(here, f"{family}-fail-{status}", api), "hello")
        except kind as error:
            has(error, f"Trouble number {status}.")
        else:
            raise AssertionError(f"{status} raised nothing")


@both(OVERFLOW)
async def overflow(here: Interchange, family: str, api: str) -> None:
    try:
        await Runner.run(agent(here, f"{family}-tight-ctx60k", api), "far too long " * 24_000)
    except openai.BadRequestError as error:
        assert error.code == "context_length_exceeded", error
    else:
        raise AssertionError("a prompt of 70,000 tokens was taken")


if __name__ == "__main__":
    sdk.main()
