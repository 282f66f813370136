"""`interchange serve`: one parent that starts, watches and stops everything that runs.

The simulated provider comes first, because the workers want its address; the Portkey gateway is fetched and
started in the background and never waited for; the web server's workers come last and leave first. The
addresses that are known only later are published as small files in the data directory, which the workers
watch: `simulator.json`, `gateway.json` and `server.json`, each `{"url": …}`.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domain.tenancy.networks import parse_networks
from entrypoints.config.environment import CONFIG_VARIABLE, FLAGS_VARIABLE
from entrypoints.config.loading import LoadedSettings
from entrypoints.jobs.children import Child, ChildFailed, ChildPlan, write_state
from entrypoints.jobs.data_directory import DataDirectoryInUse, DataDirectoryLock
from entrypoints.jobs.gateway_process import GatewayProcess, GatewayState
from entrypoints.jobs.listener_tls import CertificateUnusable, CertificateWatch, check_pair
from entrypoints.jobs.metrics_listener import MetricsListener
from entrypoints.jobs.ports import free_port, owner_of, port_is_free, reachable_host
from entrypoints.jobs.start_page import Running, start_page
from entrypoints.jobs.web_server import KILL_MARGIN_S
from entrypoints.logs import line_format
from entrypoints.metrics_opening import forget_metrics, open_reading_page
from entrypoints.settings import ServerSettings

APPLICATION: Final = "entrypoints.main:build_application"
SIMULATOR_MODULE: Final = "entrypoints.simulator"
SIMULATOR_URL_VARIABLE: Final = "INTERCHANGE_SIMULATOR_URL"
GATEWAY_FILE: Final = "gateway.json"
SIMULATOR_FILE: Final = "simulator.json"
SERVER_FILE: Final = "server.json"
RELOAD_FILE: Final = "reload.json"
"""Written anew on SIGHUP; the workers watch it as they watch the configuration file."""


class CannotServe(Exception):
    """Why nothing was started, in one sentence for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What to serve. `flags` were given on the command line, in the configuration's shape."""

    loaded: LoadedSettings
    version: str
    flags: Mapping[str, Any]
    application: str = APPLICATION
    providers: tuple[str, ...] = ()
    """Real providers that will be reachable, for the start page."""


class Supervisor:
    """Runs until it is told to stop. `say` prints one line to whoever started it."""

    def __init__(self, options: ServeOptions, *, say: Callable[[str], None]) -> None:
        self._options = options
        self._settings = options.loaded.settings
        self._say = say
        self._stop = asyncio.Event()
        self._signals = 0
        self._simulator: Child | None = None
        self._web: Child | None = None
        self._gateway: GatewayProcess | None = None
        self._metrics: MetricsListener | None = None
        self._gateway_line = ""
        self._announced = False
        self._reloads_asked = 0

    async def run(self) -> int:
        """Serves, and answers the exit status: 0 when asked to stop, 1 when it could not go on.

        Raises:
            CannotServe: nothing was started.
        """
        self._check_certificate()
        lock = self._take_data_directory()
        try:
            port = self._choose_port()
            forget_metrics(self._settings.data_dir)
            for name in (GATEWAY_FILE, SIMULATOR_FILE, SERVER_FILE, RELOAD_FILE):
                self._forget(name)
            self._install_signal_handlers()
            try:
                return await self._serve(port)
            finally:
                await self._stop_everything()
        finally:
            lock.release()

    def _check_certificate(self) -> None:
        tls = self._settings.server.tls
        try:
            if tls is not None:
                check_pair(tls.cert_file, tls.key_file)
        except CertificateUnusable as error:
            raise CannotServe(f"server.tls: {error}") from None

    def _take_data_directory(self) -> DataDirectoryLock:
        try:
            return DataDirectoryLock(self._settings.data_dir).acquire()
        except DataDirectoryInUse as error:
            raise CannotServe(str(error)) from error
        except OSError as error:
            raise CannotServe(
                f"cannot use the data directory {self._settings.data_dir}: {error.strerror}"
            ) from error

    def _choose_port(self) -> int:
        host, port = self._settings.server.host, self._settings.server.port
        try:
            if port == 0:
                return free_port(host)
            if port_is_free(host, port):
                return port
        except OSError as error:
            raise CannotServe(f"cannot listen on {host}:{port}: {error.strerror}") from error
        owner = owner_of(port)
        who = f" by process {owner.pid} ({owner.command})" if owner else ""
        raise CannotServe(f"port {port} is in use{who}; choose another: PORT={port + 1} make run")

    def _install_signal_handlers(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup, stdin_is_terminal())

    def _on_hangup(self, had_terminal: bool) -> None:
        """Read the configuration again; the end, when the terminal that started us is gone."""
        if had_terminal and not stdin_is_terminal():
            self._on_signal()
            return
        write_state(self._file(RELOAD_FILE), {"asked_by": os.getpid(), "times": self._reloads_asked})
        self._reloads_asked += 1
        self._say("Reading the configuration again; the log and `interchange config status` tell the outcome")

    def _on_signal(self) -> None:
        """The first asks politely; the second ends what still runs."""
        self._signals += 1
        if self._signals == 1:
            self._stop.set()
            self._say("Stopping: running requests may finish (again to stop at once) …")
            return
        for child in (self._web, self._simulator):
            if child is not None:
                child.kill()

    async def _serve(self, port: int) -> int:
        await self._start_metrics(port)
        simulator_url = await self._start_simulator()
        await self._start_gateway()
        try:
            stopped = await self._start_web(port, simulator_url)
        except ChildFailed as error:
            self._say(f"{error}; the lines above say why")
            return 1
        if stopped:
            return 0
        assert self._web is not None
        tls = self._settings.server.tls
        scheme = "http" if tls is None else "https"
        url = f"{scheme}://{reachable_host(self._settings.server.host)}:{port}"
        state = {"url": url, "pid": os.getpid()}
        # Commands on this machine trust the file that the server itself uses, whatever name is in it.
        write_state(
            self._file(SERVER_FILE), state if tls is None else {**state, "cert_file": str(tls.cert_file)}
        )
        gateway = self._gateway_line or "not used: calls go directly to providers"
        running = Running(
            url=url,
            version=self._options.version,
            simulator_url=simulator_url,
            gateway=gateway,
            providers=self._options.providers,
        )
        self._say(start_page(self._options.loaded, running))
        self._announced = True
        gave_up = asyncio.create_task(self._web.gave_up.wait())
        asked = asyncio.create_task(self._stop.wait())
        watching = asyncio.create_task(self._watch_certificate(self._web))
        await asyncio.wait({gave_up, asked}, return_when=asyncio.FIRST_COMPLETED)
        for task in (gave_up, asked, watching):
            task.cancel()
        return 0 if self._stop.is_set() else 1

    async def _start_metrics(self, port: int) -> None:
        """The metrics page on its own port, where one is configured. Raises CannotServe."""
        telemetry = self._settings.telemetry
        if not telemetry.metrics_enabled or telemetry.metrics_port is None:
            return
        host, own_port = telemetry.metrics_host, telemetry.metrics_port
        if own_port == port:
            raise CannotServe(f"METRICS_PORT {own_port} is the port of the server itself; choose another")
        networks = parse_networks(telemetry.metrics_networks, "telemetry.metrics_networks")
        self._metrics = MetricsListener(open_reading_page(self._settings.data_dir), networks)
        try:
            await self._metrics.start(host, own_port)
        except OSError as error:
            raise CannotServe(
                f"cannot listen on METRICS_PORT, {host}:{own_port}: {error.strerror}"
            ) from error

    async def _watch_certificate(self, web: Child) -> None:
        """Gives workers the renewed certificate; returns at once where TLS ends elsewhere."""
        tls = self._settings.server.tls
        if tls is not None:
            loop = asyncio.get_running_loop()
            watch = CertificateWatch(
                tls.cert_file, tls.key_file, renewed=lambda: loop.call_soon_threadsafe(web.hang_up)
            )
            await watch.run()

    async def _start_simulator(self) -> str | None:
        """Its address; None when it is not wanted, or does not start: the server is of use without it."""
        if not self._settings.runs_simulator:
            return None
        port = free_port("127.0.0.1")
        command = (sys.executable, "-m", SIMULATOR_MODULE, "--port", str(port), "--exit-with-parent")
        plan = ChildPlan(
            name="the simulated provider",
            command=command,
            host="127.0.0.1",
            port=port,
            probe_path="/_sim/stats",
            environment=_without_secrets(self._options.loaded.environ),
            start_timeout_s=10.0,
            log=self._file("simulator.log"),
        )
        self._simulator = Child(plan, on_end=self._say)
        try:
            await self._until_stopped(self._simulator)
        except ChildFailed as error:
            self._say(f"{error} (see {self._file('simulator.log')}); going on without it")
            self._simulator = None
            return None
        url = f"http://127.0.0.1:{port}"
        write_state(self._file(SIMULATOR_FILE), {"url": url})
        return url

    async def _start_gateway(self) -> None:
        if not self._settings.runs_gateway:
            if self._settings.portkey.gateways:
                self._gateway_line = ", ".join(self._settings.portkey.gateways)
            return
        self._gateway = GatewayProcess(self._settings.data_dir, on_change=self._on_gateway_change)
        await self._gateway.start()

    def _on_gateway_change(self, gateway: GatewayProcess) -> None:
        """Publishes the address while there is one, and tells the operator what happens."""
        if gateway.url is not None:
            write_state(self._file(GATEWAY_FILE), {"url": gateway.url})
        else:
            self._forget(GATEWAY_FILE)
        line = {
            GatewayState.INSTALLING: "being fetched in the background; calls go direct until it is up",
            GatewayState.STARTING: "starting in the background; calls go direct until it is up",
            GatewayState.UP: f"up at {gateway.url}",
            GatewayState.DOWN: f"down ({gateway.last_error}); calls go direct, it is restarted",
            GatewayState.FAILED: f"not available ({gateway.last_error}); calls go direct",
            GatewayState.STOPPED: "",
        }[gateway.state]
        if line and line != self._gateway_line:
            self._gateway_line = line
            if self._announced and not self._stop.is_set():
                self._say(f"Portkey gateway: {line}")

    async def _start_web(self, port: int, simulator_url: str | None) -> bool:
        """Whether we were asked to stop meanwhile. Raises ChildFailed."""
        server = self._settings.server
        command = (
            sys.executable,
            "-m",
            "entrypoints.jobs.web_server",
            *("--application", self._options.application),
            *("--host", server.host),
            *("--port", str(port)),
            *("--workers", str(server.workers)),
            *("--max-concurrent-requests", str(self._settings.limits.max_concurrent_requests)),
            *("--drain-timeout-s", str(server.drain_timeout_s)),
            *("--log-format", line_format(self._settings.logs.format, sys.stderr)),
            *("--parent-pid", str(os.getpid())),
            *tls_arguments(server),
        )
        plan = ChildPlan(
            name="the web server",
            command=command,
            host=reachable_host(server.host),
            port=port,
            probe_path="/health/live",
            environment=self._web_environment(port, simulator_url),
            stop_timeout_s=server.drain_timeout_s + 2 * KILL_MARGIN_S,
            tls=server.tls is not None,
        )
        self._web = Child(plan, on_end=self._say)
        return await self._until_stopped(self._web)

    def _web_environment(self, port: int, simulator_url: str | None) -> dict[str, str]:
        """The workers read the same configuration as we did, whatever their working directory."""
        environment = dict(self._options.loaded.environ)
        flags = json.loads(json.dumps(self._options.flags))
        flags.setdefault("server", {})["port"] = port
        environment[FLAGS_VARIABLE] = json.dumps(flags)
        environment["INTERCHANGE_DATA_DIR"] = str(self._settings.data_dir)
        if self._options.loaded.config_file is not None:
            environment[CONFIG_VARIABLE] = str(self._options.loaded.config_file)
        environment.pop(SIMULATOR_URL_VARIABLE, None)
        if simulator_url is not None:
            environment[SIMULATOR_URL_VARIABLE] = simulator_url
        return environment

    async def _until_stopped(self, child: Child) -> bool:
        """Starts a child, unless we are asked to stop first; answers whether we were."""
        starting = asyncio.create_task(child.start())
        asked = asyncio.create_task(self._stop.wait())
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            return True
        starting.result()
        return self._stop.is_set()

    async def _stop_everything(self) -> None:
        """Workers drain first; what they call goes after them. Each step is bounded."""
        self._forget(SERVER_FILE)
        self._forget(RELOAD_FILE)
        if self._web is not None:
            await self._web.stop()
        if self._metrics is not None:
            await self._metrics.aclose()
        if self._gateway is not None:
            await self._gateway.stop()
        if self._simulator is not None:
            await self._simulator.stop()
        for name in (GATEWAY_FILE, SIMULATOR_FILE):
            self._forget(name)

    def _file(self, name: str) -> Path:
        return self._settings.data_dir / name

    def _forget(self, name: str) -> None:
        with contextlib.suppress(OSError):
            self._file(name).unlink()


def stdin_is_terminal() -> bool:
    """Whether a terminal stands behind our standard input and has not been hung up."""
    try:
        return os.isatty(0)
    except OSError:
        return False


def tls_arguments(server: ServerSettings) -> tuple[str, ...]:
    """The web server's own arguments for its certificate."""
    tls = server.tls
    if tls is None:
        return ()
    files = ("--tls-cert-file", str(tls.cert_file), "--tls-key-file", str(tls.key_file))
    return (*files, "--tls-min", tls.min)


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """What the simulated provider needs of our environment: how Python runs, and no key of anybody."""
    passed_on = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONUNBUFFERED")
    return {name: environ[name] for name in passed_on if name in environ}
