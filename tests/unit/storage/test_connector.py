"""The tools of storage: what they give, hold to, and refuse."""

import base64
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.connector import PART_BYTES_MAX, StorageConnector
from adapters.storage.local import LocalStore
from application.ports.object_store import PART_BYTES_MIN
from domain.connectors.storage_policy import READING, StoragePolicy
from domain.connectors.tool import Tool, ToolCall
from domain.errors import InvalidParameters, ObjectNotFound, ToolFailed, ToolRefused

POLICY = StoragePolicy(prefix="team-a/", size_bytes_max=12_000_000)


def call(connector: StorageConnector, name: str, parameters: Mapping[str, Any]) -> ToolCall:
    tool = next((each for each in connector.tools if each.name == name), None)
    return ToolCall(
        tenant_id="acme",
        integration_id="files",
        tool=tool or Tool(name=name, description="", parameters={}),
        parameters=parameters,
        timeout_s=10.0,
        request_id="req",
    )


async def run(connector: StorageConnector, name: str, **parameters: Any) -> Mapping[str, Any]:
    return (await connector.execute(call(connector, name, parameters))).value


async def upload(
    connector: StorageConnector, name: str, *chunks: bytes, size: int | None = None, **parameters: Any
) -> Mapping[str, Any]:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return (await connector.upload(call(connector, name, parameters), body(), size)).value


@pytest.fixture
async def connector(tmp_path: Path) -> AsyncIterator[StorageConnector]:
    made = StorageConnector(LocalStore(tmp_path), POLICY, read_bytes_max=1000)
    yield made
    await made.aclose()


async def test_content_is_given_as_what_it_is(connector: StorageConnector) -> None:
    await run(connector, "put_object", key="t", content="Größe")
    await run(connector, "put_object", key="j", content={"a": [1, None]}, encoding="json")
    await run(
        connector, "put_object", key="b", content=base64.b64encode(b"\xff\0").decode(), encoding="base64"
    )

    shown = {key: await run(connector, "get_object", key=key) for key in "tjb"}

    assert [(each["content"], each["encoding"]) for each in shown.values()] == [
        ("Größe", "text"),
        ({"a": [1, None]}, "json"),
        ("/wA=", "base64"),
    ]
    assert shown["t"]["content_type"] == "text/plain; charset=utf-8"
    assert (await run(connector, "get_object", key="t", **{"as": "base64"}))["encoding"] == "base64"
    with pytest.raises(ToolFailed):
        await run(connector, "get_object", key="b", **{"as": "text"})
    with pytest.raises(ToolFailed):
        await run(connector, "get_object", key="t", **{"as": "json"})


@pytest.mark.parametrize(
    "content", ['{"a": NaN}', "[" * 100_000, '"\\uD800"', '"\ud800"'.encode("utf-8", "surrogatepass")]
)
async def test_json_that_cannot_be_said_comes_as_bytes(tmp_path: Path, content: str | bytes) -> None:
    connector = StorageConnector(LocalStore(tmp_path), StoragePolicy(), read_bytes_max=1_000_000)
    raw = content.encode() if isinstance(content, str) else content
    await upload(connector, "upload_object", raw, key="j", content_type="application/json")

    got = await run(connector, "get_object", key="j")

    assert (got["encoding"], base64.b64decode(got["content"])) == ("base64", raw)
    await connector.aclose()


async def test_keys_stay_below_the_prefix(connector: StorageConnector, tmp_path: Path) -> None:
    (tmp_path / "team-b").mkdir()
    (tmp_path / "team-b" / "secret").write_text("theirs")
    await run(connector, "put_object", key="mine", content="ours")

    assert (tmp_path / "team-a" / "mine").read_text() == "ours"
    listed = await run(connector, "list_objects")
    assert [each["key"] for each in listed["objects"]] == ["mine"]
    for name, parameters in (
        ("get_object", {"key": "../team-b/secret"}),
        ("get_metadata", {"key": "../team-b/secret"}),
        ("list_objects", {"prefix": "../team-b/"}),
        ("delete_object", {"key": "../team-b/secret"}),
        ("copy_object", {"from_key": "../team-b/secret", "to_key": "x"}),
        ("copy_object", {"from_key": "mine", "to_key": "../team-b/secret"}),
        ("begin_upload", {"key": "../team-b/secret"}),
    ):
        with pytest.raises(ToolRefused):
            await run(connector, name, **parameters)
    assert (tmp_path / "team-b" / "secret").read_text() == "theirs"


async def test_what_is_too_large_for_json_is_refused_with_the_way_out(connector: StorageConnector) -> None:
    await upload(connector, "upload_object", b"x" * 1001, key="big")
    with pytest.raises(ToolRefused, match="download_object"):
        await run(connector, "get_object", key="big")
    part = await run(connector, "get_object", key="big", range={"offset": 1000})
    assert (part["length"], part["size_bytes"]) == (1, 1001)


@pytest.mark.parametrize("said", [True, False])
async def test_uploads_over_the_size_leave_nothing(connector: StorageConnector, said: bool) -> None:
    pieces = [b"x" * 1_000_000] * 13
    with pytest.raises(ToolRefused, match="size_bytes_max"):
        await upload(connector, "upload_object", *pieces, size=13_000_000 if said else None, key="big")
    assert not (await run(connector, "list_objects"))["objects"]


async def test_an_upload_in_parts_is_held_to_the_same(connector: StorageConnector) -> None:
    begun = await run(connector, "begin_upload", key="big", content_type="text/plain")
    part = b"x" * PART_BYTES_MIN
    named = {"key": "big", "upload_id": begun["upload_id"]}
    for number in (1, 2):
        await upload(connector, "upload_part", part, **named, part_number=number)
    with pytest.raises(ToolRefused, match="size_bytes_max"):
        await upload(connector, "upload_part", part, **named, part_number=3)
    with pytest.raises(ToolRefused):
        await upload(connector, "upload_part", b"x" * (PART_BYTES_MAX + 1), **named, part_number=1)
    assert (await run(connector, "list_parts", **named))["size_bytes"] == 2 * PART_BYTES_MIN

    made = await run(connector, "complete_upload", **named, size_bytes=2 * PART_BYTES_MIN)

    assert (made["key"], made["size_bytes"], made["content_type"]) == (
        "big",
        2 * PART_BYTES_MIN,
        "text/plain",
    )
    with pytest.raises(ObjectNotFound):
        await run(connector, "list_parts", **named)


async def test_a_download_says_what_comes(connector: StorageConnector) -> None:
    await upload(connector, "upload_object", b"0123456789", key="d", content_type="text/plain")
    stream = await connector.stream(call(connector, "download_object", {"key": "d"}), "any")
    headers = dict(stream.headers)

    assert connector.figures().busy == 1
    assert (stream.content_type, headers["content-length"]) == ("text/plain", "10")
    assert await stream.next_chunk() == b"0123456789"
    assert await stream.next_chunk() == b""
    await stream.aclose()
    await stream.aclose()
    assert connector.figures().busy == 0


async def test_tools_are_those_that_are_allowed(tmp_path: Path) -> None:
    connector = StorageConnector(LocalStore(tmp_path), StoragePolicy(operations=READING), read_bytes_max=1)
    names = {tool.name for tool in connector.tools}
    assert names == {"list_objects", "get_object", "get_metadata", "download_object"}
    for name, parameters in (
        ("put_object", {"key": "a", "content": "x"}),
        ("delete_object", {"key": "a"}),
        ("copy_object", {"from_key": "a", "to_key": "b"}),
        ("begin_upload", {"key": "a"}),
        ("presign", {"key": "a", "method": "GET"}),
    ):
        with pytest.raises(ToolRefused):
            await run(connector, name, **parameters)
    await connector.aclose()


async def test_conditions_that_exclude_each_other_are_refused(connector: StorageConnector) -> None:
    with pytest.raises(InvalidParameters):
        await run(connector, "put_object", key="a", content="x", only_if_absent=True, if_match="e")


def test_every_tool_has_a_closed_schema(tmp_path: Path) -> None:
    connector = StorageConnector(LocalStore(tmp_path), StoragePolicy(), read_bytes_max=1)
    for tool in connector.tools:
        assert tool.parameters["additionalProperties"] is False
        for example in tool.examples:
            assert set(example) <= set(tool.parameters["properties"])
