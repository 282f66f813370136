"""The supervisor, with a stand-in for Node that is a few lines of Python."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entrypoints.jobs.gateway_install import GatewayUnavailable, InstalledGateway
from entrypoints.jobs.gateway_process import GatewayPacing, GatewayProcess, GatewayState

PACING = GatewayPacing(
    start_s=5.0,
    probe_every_s=0.02,
    probe_timeout_s=0.1,
    silent_probes_max=2,
    restart_first_s=0.02,
    restart_max_s=0.05,
    reinstall_first_s=0.02,
    reinstall_max_s=0.05,
    stop_grace_s=0.1,
)

SERVER = """#!{python}
import json, os, pathlib, signal, socket, sys
here = pathlib.Path.cwd()
(here / "environment.json").write_text(json.dumps(dict(os.environ)))
(here / "arguments.json").write_text(json.dumps(sys.argv))
behaviour = (here / "behaviour").read_text()
if behaviour == "crash":
    print("it broke", flush=True)
    sys.exit(3)
if "stubborn" in behaviour:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", 0))
print("interchange-gateway-port", listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    behaviour = (here / "behaviour").read_text()
    connection.recv(65536)
    if "silent" in behaviour:
        silent = connection
        continue
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nconnection: close\\r\\n\\r\\nAI Gateway says hey!")
    connection.close()
"""


class StandIn:
    """An installation whose Node is a script; it may fail a few times first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failures_left = 0
        self.behave("well")
        node = folder / "node"
        node.write_text(SERVER.replace("{python}", sys.executable))
        node.chmod(node.stat().st_mode | stat.S_IXUSR)
        self.node = node

    def behave(self, how: str) -> None:
        (self.folder / "behaviour").write_text(how)

    async def ensure(self) -> InstalledGateway:
        if self.failures_left:
            self.failures_left -= 1
            raise GatewayUnavailable("npm could not install the gateway: offline")
        return InstalledGateway(node=self.node, folder=self.folder)


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


@pytest.fixture
async def supervised(stand_in: StandIn, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    gateway = GatewayProcess(
        tmp_path,
        pacing=PACING,
        installation=stand_in,  # type: ignore[arg-type]
        trusted_hosts=["10.0.0.7"],
    )
    yield gateway
    await gateway.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it waits for other processes
            await asyncio.sleep(0.01)


async def test_start_returns_at_once_and_the_address_follows(supervised: GatewayProcess) -> None:
    await supervised.start()
    assert supervised.url is None
    assert await supervised.wait_until_up(10)
    assert supervised.url is not None
    assert supervised.url.startswith("http://127.0.0.1:")
    assert supervised.last_error is None


async def test_a_crash_is_followed_by_a_restart_at_a_new_address(supervised: GatewayProcess) -> None:
    await supervised.start()
    assert await supervised.wait_until_up(10)
    first = supervised.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervised.state is GatewayState.UP and supervised.pid not in (None, first))
    assert supervised.restarts == 1


async def test_a_gateway_that_never_starts_is_down_and_says_why(
    supervised: GatewayProcess, stand_in: StandIn
) -> None:
    stand_in.behave("crash")
    await supervised.start()
    await until(lambda: supervised.restarts >= 2)
    assert supervised.url is None
    assert supervised.last_error is not None
    assert "status 3" in supervised.last_error
    assert "it broke" in (stand_in.folder / "portkey" / "gateway.log").read_text()


async def test_a_gateway_that_stops_answering_is_replaced(
    supervised: GatewayProcess, stand_in: StandIn
) -> None:
    await supervised.start()
    assert await supervised.wait_until_up(10)
    first = supervised.pid
    stand_in.behave("silent")
    await until(lambda: supervised.state is GatewayState.DOWN)
    assert supervised.url is None
    await until(lambda: supervised.restarts >= 1)
    stand_in.behave("well")
    await until(lambda: supervised.state is GatewayState.UP)
    assert supervised.pid != first


async def test_a_late_answer_brings_the_same_child_back(
    supervised: GatewayProcess, stand_in: StandIn
) -> None:
    await supervised.start()
    assert await supervised.wait_until_up(10)
    first = supervised.pid
    stand_in.behave("silent")
    await until(lambda: supervised.state is GatewayState.DOWN)
    stand_in.behave("well")
    await until(lambda: supervised.state is GatewayState.UP)
    assert supervised.pid == first


async def test_a_failed_installation_is_reported_and_tried_again(
    supervised: GatewayProcess, stand_in: StandIn
) -> None:
    stand_in.failures_left = 2
    await supervised.start()
    assert not await supervised.wait_until_up(10)
    assert supervised.state is GatewayState.FAILED
    assert supervised.last_error == "npm could not install the gateway: offline"
    await until(lambda: supervised.state is GatewayState.UP)
    assert supervised.last_error is None


async def test_stop_ends_even_a_child_that_ignores_the_request(
    supervised: GatewayProcess, stand_in: StandIn
) -> None:
    stand_in.behave("well stubborn")
    await supervised.start()
    assert await supervised.wait_until_up(10)
    pid = supervised.pid
    assert pid is not None
    await supervised.stop()
    assert supervised.state is GatewayState.STOPPED
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_stop_without_start_does_nothing(supervised: GatewayProcess) -> None:
    await supervised.stop()
    assert supervised.state is GatewayState.STOPPED


async def test_every_change_is_told_once(stand_in: StandIn, tmp_path: Path) -> None:
    seen: list[tuple[GatewayState, bool]] = []
    gateway = GatewayProcess(
        tmp_path,
        pacing=PACING,
        installation=stand_in,  # type: ignore[arg-type]
        on_change=lambda it: seen.append((it.state, it.url is not None)),
    )
    await gateway.start()
    assert await gateway.wait_until_up(10)
    await asyncio.sleep(0.1)
    await gateway.stop()
    assert seen == [
        (GatewayState.INSTALLING, False),
        (GatewayState.STARTING, False),
        (GatewayState.UP, True),
        (GatewayState.STOPPED, False),
    ]


async def test_the_child_sees_nothing_of_our_environment(
    supervised: GatewayProcess, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")
    await supervised.start()
    assert await supervised.wait_until_up(10)
    environment = (stand_in.folder / "environment.json").read_text()
    assert "ours" not in environment
    assert '"NODE_ENV": "production"' in environment
    assert '"TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1,10.0.0.7"' in environment
    assert "loopback_preload.cjs" in (stand_in.folder / "arguments.json").read_text()


async def test_a_defect_of_the_supervisor_shows_as_failed(tmp_path: Path) -> None:
    class Broken:
        async def ensure(self) -> InstalledGateway:
            raise ZeroDivisionError("a defect")

    gateway = GatewayProcess(tmp_path, pacing=PACING, installation=Broken())  # type: ignore[arg-type]
    await gateway.start()
    assert not await gateway.wait_until_up(5)
    assert gateway.state is GatewayState.FAILED
    assert "a defect" in (gateway.last_error or "")
    await gateway.stop()
