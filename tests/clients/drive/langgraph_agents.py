"""LangGraph's prebuilt agent on `langchain-openai` (chat and Responses) and `langchain-anthropic`."""

from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pydantic
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.prebuilt import create_react_agent

from tests.clients.families import target
from tests.clients.scenarios import (
    LARGER,
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

sdk = Client("langgraph_agents")

APIS = ("chat", "responses", "messages")


class Weather(pydantic.BaseModel):
    """The weather of a city."""

    city: str
    days: int


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: 17 degrees"


def model(here: Interchange, name: str, api: str, **more: Any) -> BaseChatModel:
    if api == "messages":
        options: Any = {"model": name, "api_key": here.key, "base_url": here.url, "max_tokens": 4000}
        return ChatAnthropic(max_retries=0, timeout=20, **options, **more)
    options = {"model": name, "api_key": here.key, "base_url": f"{here.url}/v1"}
    return ChatOpenAI(max_retries=0, timeout=20, use_responses_api=api == "responses", **options, **more)


def on_each(name: str, *apis: str) -> Callable[[Any], Any]:
    """The scenario with each of LangChain's models."""

    def mark(run: Any) -> Any:
        for api in apis or APIS:

            async def one(here: Interchange, family: str, api: str = api) -> None:
                await run(here, family, api)

            sdk.does(f"{api}: {name}")(one)
        return run

    return mark


def text_of(message: Any) -> str:
    """The text of a message, whichever form its content has."""
    text = message.text
    return text() if callable(text) else str(text)


@on_each(TOOLS)
async def tools(here: Interchange, family: str, api: str) -> None:
    agent = create_react_agent(model(here, target(family), api), [get_weather], checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "one"}}
    plan = 'call get_weather {"city": "Bern"}, then call get_weather {"city": "Chur"}'
    first = await agent.ainvoke({"messages": [("user", plan)]}, thread)
    has(text_of(first["messages"][-1]), "Chur: 17 degrees")
    more = {"messages": [("user", 'call get_weather {"city": "Visp"}')]}
    has(text_of((await agent.ainvoke(more, thread))["messages"][-1]), "Visp: 17 degrees")
    has(here.text_sent(family), "Bern: 17 degrees", "Visp: 17 degrees")


@on_each(f"{STREAM} with a tool")
async def stream(here: Interchange, family: str, api: str) -> None:
    agent = create_react_agent(model(here, target(family), api), [get_weather])
    asked: Any = {"messages": [("user", 'call get_weather {"city": "Bern"}')]}
    texts = [
        text_of(chunk)
        async for chunk, _ in agent.astream(asked, stream_mode="messages")
        if chunk.type == "AIMessageChunk"
    ]
    assert len([text for text in texts if text]) > 3
    has("".join(texts), "Bern: 17 degrees")


@on_each(PARSED)
async def parsed(here: Interchange, family: str, api: str) -> None:
    asked = model(here, target(family), api).with_structured_output(Weather)
    assert isinstance(await asked.ainvoke("The weather."), Weather)


@on_each(REASONING, "responses", "messages")
async def reasoning(here: Interchange, family: str, api: str) -> None:
    more: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    if api == "responses":
        more = {"include": ["reasoning.encrypted_content"], "store": False, "reasoning": {"effort": "low"}}
    llm = model(here, target(family, "think"), api, **more)
    first = await llm.ainvoke([("user", "hello")])
    kinds = [block["type"] for block in first.content if isinstance(block, dict)]
    assert {"thinking", "reasoning"} & set(kinds), first.content
    second = await llm.ainvoke([("user", "hello"), first, ("user", "And now?")])
    has(text_of(second), "And now?")
    marks = {"openai": '"encrypted_content": "', "anthropic": '"signature"', "gemini": "thoughtSignature"}
    if api == "responses" or family != "openai":  # Chat has no way to give reasoning back.
        has(here.text_sent(family), marks[family])


@on_each(LEAVING)
async def leaving(here: Interchange, family: str, api: str) -> None:
    async with here.leaving_async(family) as name:
        answering: Any = model(here, name, api).astream("hello")
        async for _ in answering:
            break
        await answering.aclose()


@on_each(PROVIDER_ERROR)
async def provider_error(here: Interchange, family: str, api: str) -> None:
    vendor: Any = anthropic if api == "messages" else openai
    for status, kind in {400: vendor.BadRequestError, 500: vendor.InternalServerError}.items():
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        try:
            await model(here, f"{family}-fail-{status}", api).ainvoke("hello")
        except kind as error:
            has(error, f"Trouble number {status}.")
        else:
            raise AssertionError(f"{status} raised nothing")


@on_each(OVERFLOW)
async def overflow(here: Interchange, family: str, api: str) -> None:
    try:
        await model(here, f"{family}-tight-ctx60k", api).ainvoke("far too long " * 24_000)
    except Exception as error:  # noqa: BLE001 - the class is what is looked at
        assert "ContextOverflow" in "".join(cls.__name__ for cls in type(error).__mro__), repr(error)[:300]
    else:
        raise AssertionError("a prompt of 70,000 tokens was taken")


@on_each(LARGER)
async def larger_window(here: Interchange, family: str, api: str) -> None:
    answer = await model(here, f"roomy-{family}", api).ainvoke("quite long " * 26_000)
    has(text_of(answer), "model small")


@sdk.does("embeddings", "openai", "gemini", why_not="Anthropic has no embeddings")
def embeddings(here: Interchange, family: str) -> None:
    options: Any = {"api_key": here.key, "base_url": f"{here.url}/v1", "model": target(family, "embed")}
    # Without it LangChain sends tokens of a tokenizer it would have to download.
    vectors = OpenAIEmbeddings(check_embedding_ctx_length=False, **options).embed_documents(["a", "b"])
    assert len(vectors) == 2 and vectors[0] != vectors[1]


if __name__ == "__main__":
    sdk.main()
