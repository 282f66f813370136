"""A running simulated provider, and a caller that talks to it over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest

from entrypoints.simulator.server import SimulatedProvider


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The JSON of each `data:` line; `[DONE]` stays text."""
        found = []
        for line in self.body.decode().splitlines():
            if line.startswith("data: "):
                data = line.removeprefix("data: ")
                found.append(data if data == "[DONE]" else json.loads(data))
        return found


class Caller:
    """Calls the provider with a key."""

    def __init__(self, provider: SimulatedProvider, session: aiohttp.ClientSession) -> None:
        self.provider = provider
        self.session = session

    async def send(
        self, method: str, path: str, body: Any = None, *, key: str | None = "test-key", **headers: str
    ) -> Reply:
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        async with asyncio.timeout(10):
            async with self.session.request(
                method, self.provider.base_url + path, json=body, headers=headers
            ) as response:
                names = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, names, await response.read())

    async def post(self, path: str, body: Any, **options: Any) -> Reply:
        return await self.send("POST", path, body, **options)

    async def chat(self, content: Any = "hello there", *, model: str = "small", **more: Any) -> Reply:
        body = {"model": model, "messages": [{"role": "user", "content": content}], **more}
        return await self.post("/v1/chat/completions", body)


@pytest.fixture
async def provider() -> AsyncIterator[SimulatedProvider]:
    async with SimulatedProvider() as running:
        yield running


@pytest.fixture
async def caller(provider: SimulatedProvider) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(provider, session)


WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city"],
}
