"""The whole of Interchange in one process, on real sockets, for end-to-end tests.

An event loop in a thread of its own runs the simulated provider and the application behind the real web
server, so that blocking SDKs, asynchronous SDKs and plain sockets can all be pointed at it.
"""

import asyncio
import json
import shutil
import socket
import threading
import time
from collections.abc import Coroutine, Mapping
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from entrypoints.config.environment import FLAGS_VARIABLE
from entrypoints.http.app import Application
from entrypoints.lifespan import open_faces
from entrypoints.settings import load_settings
from entrypoints.simulator.server import SimulatedProvider
from tests.contract.sql_world import migrated_sqlite

T = TypeVar("T")
START_TIMEOUT_S = 120.0
PACE = "admin_requests_per_minute"


class Stack:
    """`config` is YAML; `{sim}` in it stands for the simulator's base URL. Use as a context manager."""

    def __init__(
        self,
        data_dir: Path,
        config: str = "",
        *,
        environ: Mapping[str, str] | None = None,
        simulator_url: str | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._config = config
        self._environ = dict(environ or {})
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.simulator = SimulatedProvider()
        self._simulator_url = simulator_url
        self._server: Any = None
        self._serving: asyncio.Task[None] | None = None
        self.port = 0
        self.url = ""
        self.key = ""

    @property
    def database_url(self) -> str:
        """Where the server keeps its rows."""
        return self._environ.get("DATABASE_URL") or f"sqlite:///{self.data_dir / 'interchange.db'}"

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 30.0) -> T:
        """Runs a coroutine on the stack's loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self._start())
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        self.key = (self.data_dir / "admin.key").read_text().strip()
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.run(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    async def _start(self) -> None:
        await self.simulator.start()
        self._lay_database()
        environ = {**self._environ, "INTERCHANGE_DATA_DIR": str(self.data_dir)}
        environ.setdefault("INTERCHANGE_USAGE_WRITER", "thread")  # a process for each stack would be many
        config_path = None
        if self._config:
            config_path = self.data_dir / "interchange.yaml"
            config_path.parent.mkdir(parents=True, exist_ok=True)
            config_path.write_text(self._config.replace("{sim}", self.simulator.base_url))
        else:
            environ["INTERCHANGE_SIMULATOR_URL"] = self.simulator.base_url
        if PACE not in self._config:
            # Tests ask faster than any administrator.
            environ.setdefault(FLAGS_VARIABLE, json.dumps({"limits": {PACE: 1_000_000}}))
        loaded = load_settings(environ, config_path=config_path)
        application = self.application = Application(partial(open_faces, loaded))
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = Server(
            application,
            address="127.0.0.1",
            port=self.port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            websockets=False,
            backlog=2048,
            backpressure=4096,
            log_enabled=False,
        )
        self._serving = asyncio.create_task(self._server.serve())

    def _lay_database(self) -> None:
        """A new installation's database, copied: making it takes a second, and others test that."""
        path = self.data_dir / "interchange.db"
        if "DATABASE_URL" in self._environ or path.exists():
            return
        self.data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated_sqlite(), path)
        path.chmod(0o600)

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up:
            assert self._serving is not None
            if self._serving.done():
                self._serving.result()
                raise RuntimeError("the server ended while starting")
            if self._lives():
                return
            time.sleep(0.02)
        raise TimeoutError("the server did not start")

    def _lives(self) -> bool:
        """Asked without a client of its own each time: making one costs more than all of a question."""
        asking = HTTPConnection("127.0.0.1", self.port, timeout=1.0)
        try:
            asking.request("GET", "/health/live")
            return asking.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            asking.close()

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.stop()
        if self._serving is not None:
            await asyncio.wait((self._serving,), timeout=15)
        await self.simulator.stop()

    def routes(self) -> set[tuple[str, str]]:
        """Every (method, path) the application answers, HEAD aside."""
        faces = self.application.faces
        assert faces is not None
        rest = {
            (method, route.path)
            for route in faces.rest.routes  # type: ignore[attr-defined]
            for method in route.methods
            if method != "HEAD"
        }
        below = {(entry.method, path) for entry in faces.below for path in entry.templates}
        return rest | below | set(faces.hot)

    def client(self, **headers: str) -> httpx.Client:
        """A plain HTTP client with the owner's key."""
        return httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {self.key}", **headers}, timeout=30.0
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
