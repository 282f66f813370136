"""Objects in Azure and Google Cloud Storage through the whole server, made as integrations by API."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from azure.storage.blob import ContainerClient

from tests.azurite.running import ACCOUNT, ACCOUNT_KEY, running_azurite
from tests.conftest import missing
from tests.contract.gcs_fake import GcsFake
from tests.contract.gcs_world import fake_gcs, key_file
from tests.e2e.stack import Stack

CONFIG = """
profile: embedded
simulator: {enabled: false}
egress:
  allow: [127.0.0.1]
"""
MEBIBYTE = 1024 * 1024
ROOT = "/api/v1/integrations"


@pytest.fixture(scope="module")
def google() -> Iterator[GcsFake]:
    """The stand-in, in a thread with a loop of its own."""
    ready: list[GcsFake] = []
    begun, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with fake_gcs() as fake:
            fake.make_bucket("bucket")
            ready.append(fake)
            begun.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert begun.wait(10)
    yield ready[0]
    ended.set()
    thread.join(10)


@pytest.fixture(scope="module")
def azure() -> Iterator[str]:
    with running_azurite() as found:
        if isinstance(found, str):
            missing(f"azurite ({found})")
            return
        ContainerClient(found.service_url, "container", credential=ACCOUNT_KEY).create_container()
        yield found.service_url


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as running:
        yield running


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def make(api: httpx.Client, name: str, **configuration: Any) -> None:
    asked = {"integration_id": name, "type": "storage", "configuration": configuration}
    made = api.post(ROOT, json=asked)
    assert made.status_code in (200, 201), made.text
    assert ACCOUNT_KEY not in made.text and "PRIVATE KEY" not in made.text


def live_of(api: httpx.Client, name: str) -> None:
    """An object of several parts in, out, partly, and away; and what the store knows of it."""
    content = bytes(range(256)) * (13 * 4096)
    root = f"{ROOT}/{name}/objects"

    made = api.put(f"{root}/folder/large.bin", content=content, headers={"if-none-match": "*"})
    assert made.status_code == 200, made.text
    again = api.put(f"{root}/folder/large.bin", content=b"x", headers={"if-none-match": "*"})
    got = api.get(f"{root}/folder/large.bin")
    part = api.get(f"{root}/folder/large.bin", headers={"range": "bytes=3-6"})

    assert again.status_code == 412 and again.json()["error"]["code"] == "precondition_failed"
    assert got.status_code == 200 and got.content == content
    assert got.headers["etag"] == f'"{made.json()["etag"]}"'
    assert (part.status_code, part.content) == (206, content[3:7])
    asked = {"integration_id": name, "tool_name": "list_objects", "parameters": {}}
    listed = api.post("/api/v1/tools/execute", json=asked)
    assert listed.status_code == 200, listed.text
    assert [each["key"] for each in listed.json()["result"]["objects"]] == ["folder/large.bin"]
    assert api.delete(f"{root}/folder/large.bin").status_code == 200
    assert api.get(f"{root}/folder/large.bin").status_code == 404


def test_objects_live_in_google_cloud_storage(api: httpx.Client, google: GcsFake) -> None:
    make(
        api,
        "google",
        endpoint="gs://bucket/team-a",
        authentication={"type": "service_account", "key": key_file().reveal().decode()},
        service_url=google.url,
        token_url=google.token_url,
        part_bytes=5 * MEBIBYTE,
    )
    live_of(api, "google")
    assert set(google.buckets["bucket"]) == {"team-a/folder/large.bin"}  # older generations
    assert google.remains("bucket") == 0


def test_objects_live_in_azure(api: httpx.Client, azure: str) -> None:
    make(
        api,
        "azure",
        endpoint="azure://container/team-a",
        account=ACCOUNT,
        authentication={"type": "account_key", "account_key": ACCOUNT_KEY},
        service_url=azure,
        part_bytes=5 * MEBIBYTE,
    )
    live_of(api, "azure")
