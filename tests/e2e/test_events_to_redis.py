"""Events of a server in a real Redis Stream, and a configuration that cannot have one."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from domain.errors import InvalidRequest
from entrypoints.lifespan import open_faces
from entrypoints.settings import load_settings
from tests.e2e.event_world import until
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG
from tests.redis_world import RedisServer, required_server

STREAM = "events: {redis_stream: {stream: 'ic:told', types: [integration.*, key.*]}}\n"
CHAT = {"model": "assistant", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    running = RedisServer(required_server(), tmp_path / "redis")
    yield running
    running.kill()


def told(server: RedisServer) -> list[dict[str, str]]:
    with server.client() as redis:
        return [said for _, said in redis.xrange("ic:told")]


def test_requests_of_everybody_come_to_redis_and_wait_while_it_is_away(
    server: RedisServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    with (
        Stack(data, CONFIG + STREAM, environ={"REDIS_URL": server.url}) as stack,
        stack.client() as client,
    ):
        first = asked(client)
        until(lambda: [each for each in told(server) if first in str(each)])
        server.kill()
        second = asked(client)
        server.start()
        found = until(lambda: [each for each in told(server) if second in str(each)])

    events = [json.loads(text(each, "event")) for each in found]
    assert [event["data"]["request_id"] for event in events] == [second]
    assert text(found[0], "id") == events[0]["id"]


def asked(client: httpx.Client) -> str:
    answer = client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


def text(entry: dict[str, str], name: str) -> str:
    found = {str(key if isinstance(key, str) else key.decode()): value for key, value in entry.items()}[name]
    return found if isinstance(found, str) else bytes(found).decode()


async def test_a_stream_without_a_redis_keeps_a_server_from_starting(tmp_path: Path) -> None:
    config = tmp_path / "interchange.yaml"
    config.write_text(STREAM)
    loaded = load_settings({"INTERCHANGE_DATA_DIR": str(tmp_path / "data")}, config_path=config)

    with pytest.raises(InvalidRequest, match=r"events.redis_stream needs a Redis"):
        async with open_faces(loaded):
            raise AssertionError("it started")
