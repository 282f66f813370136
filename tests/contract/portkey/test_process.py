"""The real gateway as our child: where it listens, what it answers, how it ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from entrypoints.jobs.gateway_install import PACKAGE_FILES, PRELOAD, GatewayInstallation, GatewayUnavailable
from entrypoints.jobs.gateway_process import GatewayProcess, GatewayState
from tests.contract.portkey.recording import RecordingServer, Reply
from tests.node_parts import gateway_folder

pytestmark = pytest.mark.portkey

LISTENING = "0A"
LOOPBACK = "0100007F"
PROVIDER = {"x-portkey-provider": "openai", "authorization": "Bearer sk-x"}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def listening_addresses(pid: int) -> set[tuple[str, int]]:
    """Local address (hex) and port of every listening TCP socket of a process, IPv4 and IPv6."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            link = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if link.startswith("socket:["):
            inodes.add(link[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == LISTENING and columns[9] in inodes:
                address, port = columns[1].split(":")
                found.add((address, int(port, 16)))
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's socket tables")
async def test_the_gateway_listens_on_loopback_only(gateway_process: GatewayProcess) -> None:
    assert gateway_process.pid is not None
    assert gateway_process.url is not None
    port = int(gateway_process.url.rsplit(":", 1)[1])
    assert listening_addresses(gateway_process.pid) == {(LOOPBACK, port)}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads Linux's process table")
def test_the_gateway_has_no_secret_of_ours(gateway_process: GatewayProcess) -> None:
    raw = Path(f"/proc/{gateway_process.pid}/environ").read_bytes()
    names = {entry.partition(b"=")[0].decode() for entry in raw.split(b"\0") if entry}
    assert names <= {
        "NODE_ENV",
        "TRUSTED_CUSTOM_HOSTS",
        "NODE_EXTRA_CA_CERTS",
        "SSL_CERT_FILE",
        "SYSTEMROOT",
        "TZ",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/proxy/chat/completions", 404),
        ("POST", "/v1/./proxy/chat/completions", 404),
        ("POST", "/v1/%70roxy/chat/completions", 404),
        ("POST", "//v1/proxy/x", 404),
        ("POST", "/v1/files", 404),
        ("GET", "/v1/models", 404),
        ("DELETE", "/v1/chat/completions", 404),
        ("GET", "/public/", 404),
        ("GET", "/", 200),
    ],
)
async def test_only_the_routes_we_use_are_answered(
    gateway_url: str, method: str, path: str, status: int
) -> None:
    host, port = gateway_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 0\r\nConnection: close\r\n"
        "x-portkey-provider: openai\r\n\r\n".encode()
    )
    answer = await asyncio.wait_for(reader.read(-1), 5)
    writer.close()
    assert answer.split(b" ")[1] == str(status).encode()


async def test_a_name_rebound_to_loopback_is_turned_away(gateway_url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{gateway_url}/v1/chat/completions", json=CHAT, headers={**PROVIDER, "host": "evil.example"}
        ) as answer,
    ):
        assert answer.status == 403


async def test_a_websocket_is_turned_away(gateway_url: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.ws_connect(f"{gateway_url}/v1/realtime", headers=PROVIDER)


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
async def test_a_caller_who_leaves_ends_the_call_to_the_provider(
    gateway_url: str, provider: RecordingServer, streamed: bool
) -> None:
    """Without our preload the gateway lets the provider finish, and be paid for, an answer nobody reads."""
    first_chunk = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    provider.reply = Reply(
        hang=True, chunks=[first_chunk] if streamed else [], content_type="text/event-stream"
    )
    async with aiohttp.ClientSession() as session:
        headers = {**PROVIDER, "x-portkey-custom-host": provider.url, "x-portkey-request-timeout": "20000"}
        call = session.post(
            f"{gateway_url}/v1/chat/completions", json={**CHAT, "stream": streamed}, headers=headers
        )
        if streamed:
            answer = await call
            await answer.content.readany()
            answer.close()
        else:
            waiting = asyncio.ensure_future(call)
            await asyncio.wait_for(provider.received.wait(), 5)
            waiting.cancel()
    await asyncio.wait_for(provider.caller_left.wait(), 5)


async def test_a_taken_port_is_replaced_by_a_free_one(gateway_process: GatewayProcess) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    wanted = taken.getsockname()[1]
    gateway = GatewayProcess(gateway_folder(), port=wanted)
    try:
        await gateway.start()
        assert await gateway.wait_until_up(30)
        assert gateway.url is not None
        assert not gateway.url.endswith(f":{wanted}")
    finally:
        await gateway.stop()
        taken.close()
    assert gateway.state is GatewayState.STOPPED


async def test_the_gateway_dies_with_a_parent_that_was_killed(gateway_process: GatewayProcess) -> None:
    """The parent is killed outright, so nothing of ours can clean up."""
    code = (
        "import asyncio, sys, pathlib\n"
        "from entrypoints.jobs.gateway_process import GatewayProcess\n"
        "async def main():\n"
        f"    gateway = GatewayProcess(pathlib.Path({str(gateway_folder())!r}), port=0)\n"
        "    await gateway.start()\n"
        "    await gateway.wait_until_up(30)\n"
        "    print(gateway.pid, flush=True)\n"
        "    await asyncio.sleep(30)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen(  # noqa: ASYNC220 - it must not belong to this loop
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        child = int(await asyncio.wait_for(asyncio.to_thread(parent.stdout.readline), 30))
        os.kill(child, 0)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait(5)
        if parent.stdout:
            parent.stdout.close()
    async with asyncio.timeout(5):
        while alive(child):  # noqa: ASYNC110 - it waits for another process
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether it still runs; a zombie waiting for whoever inherited it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_lock_pins_what_was_tested_and_names_no_download_place() -> None:
    lock = json.loads((PACKAGE_FILES / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages["node_modules/@portkey-ai/gateway"]["version"] == "1.15.2"
    assert packages["node_modules/hono"]["version"] == "4.9.7"
    assert packages["node_modules/@hono/node-server"]["version"] == "1.13.5"
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert not [name for name, entry in packages.items() if not entry.get("integrity")]
    assert PRELOAD.is_file()


async def test_without_node_npm_pip_or_uv_the_reason_is_clear(tmp_path: Path) -> None:
    installation = GatewayInstallation(
        tmp_path / "portkey",
        tmp_path / "install.log",
        environment={"PATH": str(tmp_path), "PIP_INDEX_URL": "file:///nowhere", "PIP_NO_INDEX": "1"},
    )
    with pytest.raises(GatewayUnavailable, match=r"Node >= 18 is not on PATH"):
        await installation.ensure()
    assert not installation.complete
    assert not list((tmp_path / "portkey").glob(".building-*"))


async def test_an_offline_machine_gets_a_clear_reason(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "npm_config_cache": str(tmp_path / "cache"),
        "npm_config_offline": "true",
    }
    installation = GatewayInstallation(
        tmp_path / "portkey", tmp_path / "install.log", environment=environment
    )
    with pytest.raises(GatewayUnavailable, match=r"npm could not install the gateway.*offline"):
        await installation.ensure()
    assert not installation.complete
