"""One supervised child: started, replaced, and ended even when it does not want to."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from entrypoints.jobs.children import Child, ChildFailed, ChildPlan, answers, write_state
from entrypoints.jobs.gateway_process import GatewayProcess, GatewayState
from entrypoints.jobs.ports import (
    free_port,
    owner_of,
    port_is_free,
    process_exists,
    raise_file_limit,
    reachable_host,
)
from entrypoints.jobs.supervisor import CannotServe, ServeOptions, Supervisor
from entrypoints.settings import load_settings

POLITE = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + POLITE


def plan(script: str, port: int, **options: object) -> ChildPlan:
    defaults: dict[str, object] = {
        "name": "the child",
        "command": (sys.executable, "-c", script, str(port)),
        "host": "127.0.0.1",
        "port": port,
        "probe_path": "/",
        "environment": {"PATH": os.environ["PATH"]},
        "log": Path(os.devnull),
    }
    return ChildPlan(**{**defaults, **options})  # type: ignore[arg-type]


@asynccontextmanager
async def running(child: Child) -> AsyncIterator[Child]:
    await child.start()
    try:
        yield child
    finally:
        await child.stop()


async def eventually_new_pid(child: Child, old: int) -> int:
    async with asyncio.timeout(20):
        while child.pid in (None, old):  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.02)
    assert child.pid is not None
    return child.pid


async def test_a_started_child_answers_and_a_stopped_one_is_gone() -> None:
    port = free_port("127.0.0.1")
    child = Child(plan(POLITE, port), on_end=lambda line: None)

    async with running(child):
        pid = child.pid
        assert pid is not None and await answers("127.0.0.1", port, "/")

    assert not process_exists(pid)
    assert child.pid is None


async def test_a_child_that_dies_is_started_again_and_that_is_told() -> None:
    told: list[str] = []
    async with running(Child(plan(POLITE, free_port("127.0.0.1")), on_end=told.append)) as child:
        first = child.pid
        assert first is not None

        child.kill()

        assert await eventually_new_pid(child, first) != first
    assert "starting it again" in told[0]


async def test_a_child_that_ignores_sigterm_is_killed() -> None:
    child = Child(plan(STUBBORN, free_port("127.0.0.1"), stop_timeout_s=0.1), on_end=lambda line: None)
    async with running(child):
        pid = child.pid

    assert pid is not None and not process_exists(pid)


async def test_a_child_that_ends_at_once_is_reported() -> None:
    child = Child(plan("raise SystemExit(5)", 1), on_end=lambda line: None)

    with pytest.raises(ChildFailed, match="ended with status 5"):
        await child.start()


async def test_a_child_that_never_answers_is_given_up_and_ended() -> None:
    child = Child(
        plan("import time; time.sleep(60)", free_port("127.0.0.1"), start_timeout_s=0.15),
        on_end=lambda line: None,
    )

    with pytest.raises(ChildFailed, match="did not answer"):
        await child.start()

    assert child.pid is None


async def test_a_program_that_is_not_there_is_reported() -> None:
    child = Child(plan("", 1, command=("/no/such/program",)), on_end=lambda line: None)

    with pytest.raises(ChildFailed, match="does not start"):
        await child.start()


def test_state_files_are_written_whole(tmp_path: Path) -> None:
    write_state(tmp_path / "s.json", {"url": "http://a"})

    assert json.loads((tmp_path / "s.json").read_text()) == {"url": "http://a"}
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_a_port_in_use_is_seen_even_when_it_would_be_shared() -> None:
    with socket.socket() as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", 0))
        shared.listen()
        port = shared.getsockname()[1]

        assert not port_is_free("127.0.0.1", port)
        owner = owner_of(port)
        assert owner is not None and owner.pid == os.getpid()
    assert port_is_free("127.0.0.1", port)
    assert owner_of(port) is None


@pytest.mark.parametrize(
    ("listening", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("10.0.0.1", "10.0.0.1")],
)
def test_a_wildcard_address_is_reached_through_loopback(listening: str, reached: str) -> None:
    assert reachable_host(listening) == reached


def test_the_limit_of_open_files_is_only_raised() -> None:
    assert raise_file_limit() <= raise_file_limit()


def supervisor(data_dir: Path, said: list[str], **flags: object) -> Supervisor:
    loaded = load_settings({"INTERCHANGE_DATA_DIR": str(data_dir)}, flags=flags)
    return Supervisor(ServeOptions(loaded=loaded, version="test", flags=flags), say=said.append)


async def test_an_address_of_another_machine_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match=r"cannot listen on 192\.0\.2\.1:8080"):
        await supervisor(tmp_path, [], server={"host": "192.0.2.1"}).run()


async def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CannotServe, match="cannot use the data directory"):
        await supervisor(tmp_path / "file" / "data", []).run()


def test_the_gateways_address_is_published_while_it_is_up(tmp_path: Path) -> None:
    said: list[str] = []
    watching = supervisor(tmp_path, said)
    watching._announced = True
    gateway = GatewayProcess(tmp_path)
    gateway._port = 4711

    gateway.state = GatewayState.UP
    watching._on_gateway_change(gateway)
    published = json.loads((tmp_path / "gateway.json").read_text())
    gateway.state = GatewayState.DOWN
    gateway.last_error = "it ended"
    watching._on_gateway_change(gateway)

    assert published == {"url": "http://127.0.0.1:4711"}
    assert not (tmp_path / "gateway.json").exists()
    assert said == [
        "Portkey gateway: up at http://127.0.0.1:4711",
        "Portkey gateway: down (it ended); calls go direct, it is restarted",
    ]
