"""Everything that runs side by side: the mocks, Interchange twice, Portkey and LiteLLM, one process each."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.mock.nginx_mock import NginxMock
from benchmarks.processes import Running
from benchmarks.shots import Shot, chat_body
from entrypoints.jobs.gateway_install import PRELOAD, GatewayInstallation, GatewayUnavailable

ROOT = Path(__file__).parents[1]
BUDGETS = (
    "budgets:",
    "  - {name: all, scope: {tenant: default}, period: month, limit_usd: 1000000, hard: true}",
    '  - {name: keys, scope: {tenant: default, key: "*"}, period: day, limit_usd: 1000000, hard: true}',
    '  - {name: models, scope: {tenant: default, model: "*"}, period: total, limit_usd: 1000000, hard: true}',
)
"""Everything is on: each attempt is held on three hard budgets."""
INPUT_USD_PER_MTOK, OUTPUT_USD_PER_MTOK = "0.15", "0.6"
PROVIDER_KEY = "sk-bench-not-a-secret"
LITELLM_KEY = "sk-bench-master"
MODEL = "mock"
STRAIGHT, DIRECT, THROUGH_PORTKEY, PORTKEY, LITELLM = (
    "straight to the mock",
    "Interchange direct",
    "Interchange through Portkey",
    "Portkey alone",
    "LiteLLM proxy",
)
_START_S = 180.0


class CannotStart(Exception):
    """A contender is not there; the message says why and what would help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way from a caller to the mock. `pids` are the processes it consists of, by what they are."""

    name: str
    shot: Callable[[int, bool], Shot]
    pids: Callable[[], dict[str, list[int]]]
    data_dir: Path | None = None
    """Of Interchange, where its rows are."""

    def all_pids(self) -> list[int]:
        return [pid for pids in self.pids().values() for pid in pids]


@dataclass(slots=True, kw_only=True)
class Servers:
    """What is up. Ending the stack ends every process."""

    unary_mock: NginxMock
    stream_url: str
    contenders: dict[str, Contender] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Contenders that could not be started, and why."""


def start_all(stack: ExitStack, work: Path) -> Servers:
    """Starts everything that can be started; `work` holds what is installed and written."""
    unary_mock = stack.enter_context(NginxMock())
    stream_url = start_stream_mock(stack, work, "--writes", "separate")
    servers = Servers(unary_mock=unary_mock, stream_url=stream_url)
    hosts = {False: unary_mock.url, True: stream_url}
    servers.contenders[STRAIGHT] = Contender(
        name=STRAIGHT, shot=lambda size, stream: straight_shot(hosts[stream], size, stream), pids=dict
    )
    _start_interchange_direct(stack, work, servers, hosts)
    try:
        gateway_url, gateway = start_portkey(stack, work)
        _add_portkey(stack, work, servers, hosts, gateway_url, gateway)
    except CannotStart as error:
        missing = {PORTKEY, THROUGH_PORTKEY} - set(servers.contenders)
        servers.absent |= dict.fromkeys(missing, str(error))
    try:
        _add_litellm(stack, work, servers, hosts)
    except CannotStart as error:
        servers.absent[LITELLM] = str(error)
    return servers


def straight_shot(url: str, size_bytes: int, stream: bool) -> Shot:
    """A request to a mock itself."""
    return _shot(
        url, chat_body(MODEL, size_bytes, stream=stream), {"authorization": f"Bearer {PROVIDER_KEY}"}
    )


def start_stream_mock(stack: ExitStack, work: Path, *options: str) -> str:
    """The address of one stream mock of its own."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.mock.stream_mock", "--port", str(port), *options]
    prices = ["--input-usd-per-mtok", INPUT_USD_PER_MTOK, "--output-usd-per-mtok", OUTPUT_USD_PER_MTOK]
    running = Running("stream mock", [*command, *prices], log=work / f"stream-mock-{port}.log", folder=ROOT)
    stack.callback(running.stop)
    url = f"http://127.0.0.1:{port}"
    _wait_until(running, lambda: _status(url, "GET", "/v1/models") == 200)
    return url


def start_interchange(
    stack: ExitStack,
    work: Path,
    name: str,
    providers: Mapping[str, tuple[str, str]],
    *,
    gateway_url: str | None = None,
    limits: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
) -> tuple[str, str, Running]:
    """Address, key and process of one Interchange. `providers`: name -> (mock's address, via).

    `kinds` are the providers' wires where they are not OpenAI's.
    """
    folder = work / name
    data_dir = folder / "data"
    data_dir.mkdir(parents=True, exist_ok=True)
    lines = [f'portkey: {{gateways: ["{gateway_url}"]}}'] if gateway_url else []
    lines.append("providers:")
    for provider, (url, via) in providers.items():
        lines += [
            f"  {provider}:",
            f"    kind: {(kinds or {}).get(provider, 'openai')}",
            f"    base_url: {url}/v1",
            f"    api_key: {PROVIDER_KEY}",
            f"    via: {via}",
            "    models:",
            f"      {MODEL}: {{input_usd_per_mtok: {INPUT_USD_PER_MTOK}, "
            f"output_usd_per_mtok: {OUTPUT_USD_PER_MTOK}, context_tokens: 200000, max_output_tokens: 8192, "
            "quality: 0.6, capabilities: [text, streaming, function_calling]}",
        ]
    config = folder / "interchange.yaml"
    config.write_text("\n".join([*lines, *BUDGETS]) + "\n")
    port = free_port()
    environment = _plain_environment() | {
        "INTERCHANGE_CONFIG": str(config),
        "INTERCHANGE_DATA_DIR": str(data_dir),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        **(limits or {}),
    }
    command = [sys.executable, "-m", "entrypoints.cli.main", "serve"]
    command += ["--no-portkey", "--no-simulator", "--exit-with-parent"]
    running = Running(name, command, log=folder / "output.log", environment=environment, folder=ROOT)
    stack.callback(running.stop)
    url = f"http://127.0.0.1:{port}"
    _wait_until(running, lambda: _status(url, "GET", "/health/live") == 200)
    return url, (data_dir / "admin.key").read_text().strip(), running


def interchange_shot(url: str, key: str, provider: str, size_bytes: int, stream: bool) -> Shot:
    """A request to Interchange for one provider's model."""
    body = chat_body(f"{provider}/{MODEL}", size_bytes, stream=stream)
    return _shot(url, body, {"authorization": f"Bearer {key}"})


def _start_interchange_direct(
    stack: ExitStack, work: Path, servers: Servers, hosts: Mapping[bool, str]
) -> None:
    providers = {"unary": (hosts[False], "direct"), "streams": (hosts[True], "direct")}
    url, key, running = start_interchange(stack, work, "interchange-direct", providers)
    contender = Contender(
        name=DIRECT,
        shot=lambda size, stream: interchange_shot(url, key, "streams" if stream else "unary", size, stream),
        pids=lambda: {"Interchange": running.pids()},
        data_dir=work / "interchange-direct" / "data",
    )
    _answers(running, contender)
    servers.contenders[DIRECT] = contender


def start_portkey(stack: ExitStack, work: Path) -> tuple[str, Running]:
    """The gateway that Interchange ships with, started as Interchange starts it. Raises CannotStart."""
    installation = GatewayInstallation(work / "portkey", work / "portkey" / "install.log")
    try:
        installed = asyncio.run(installation.ensure())
    except (GatewayUnavailable, OSError) as error:
        raise CannotStart(str(error)) from error
    port = free_port()
    command: list[str | Path] = [
        installed.node,
        "--require",
        PRELOAD,
        "--max-http-header-size=65536",
        installed.script,
    ]
    environment = _plain_environment() | {
        "NODE_ENV": "production",
        "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost",
    }
    running = Running(
        "portkey",
        [*command, f"--port={port}", "--headless"],
        log=work / "portkey" / "output.log",
        environment=environment,
        keeps_stdin=True,
        folder=installed.folder,
    )
    stack.callback(running.stop)
    url = f"http://127.0.0.1:{port}"
    _wait_until(running, lambda: _status(url, "GET", "/") == 200)
    return url, running


def _add_portkey(
    stack: ExitStack,
    work: Path,
    servers: Servers,
    hosts: Mapping[bool, str],
    gateway_url: str,
    gateway: Running,
) -> None:
    def alone(size: int, stream: bool) -> Shot:
        headers = {
            "authorization": f"Bearer {PROVIDER_KEY}",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"{hosts[stream]}/v1",
        }
        return _shot(gateway_url, chat_body(MODEL, size, stream=stream), headers)

    portkey = Contender(name=PORTKEY, shot=alone, pids=lambda: {"Portkey": gateway.pids()})
    _answers(gateway, portkey)
    servers.contenders[PORTKEY] = portkey
    providers = {"unary": (hosts[False], "portkey"), "streams": (hosts[True], "portkey")}
    url, key, running = start_interchange(
        stack, work, "interchange-portkey", providers, gateway_url=gateway_url
    )
    through = Contender(
        name=THROUGH_PORTKEY,
        shot=lambda size, stream: interchange_shot(url, key, "streams" if stream else "unary", size, stream),
        pids=lambda: {"Interchange": running.pids(), "Portkey": gateway.pids()},
        data_dir=work / "interchange-portkey" / "data",
    )
    _answers(running, through)
    servers.contenders[THROUGH_PORTKEY] = through


def _add_litellm(stack: ExitStack, work: Path, servers: Servers, hosts: Mapping[bool, str]) -> None:
    program = install_litellm(work)
    lines = ["model_list:"]
    for name, url in (("unary", hosts[False]), ("streams", hosts[True])):
        lines += [
            f"  - model_name: {name}",
            "    litellm_params:",
            f"      model: openai/{MODEL}",
            f"      api_base: {url}/v1",
            f"      api_key: {PROVIDER_KEY}",
            f"      input_cost_per_token: {float(INPUT_USD_PER_MTOK) / 1e6:.12f}",
            f"      output_cost_per_token: {float(OUTPUT_USD_PER_MTOK) / 1e6:.12f}",
        ]
    lines += ["general_settings:", f"  master_key: {LITELLM_KEY}", "litellm_settings:", "  telemetry: false"]
    config = work / "litellm.yaml"
    config.write_text("\n".join(lines) + "\n")
    port = free_port()
    command: list[str | Path] = [
        program,
        "--config",
        config,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--num_workers",
        "1",
    ]
    environment = _plain_environment() | {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    environment["PATH"] = f"{program.parent}{os.pathsep}{environment.get('PATH', '')}"
    running = Running("litellm", command, log=work / "litellm.log", environment=environment, folder=work)
    stack.callback(running.stop)
    url = f"http://127.0.0.1:{port}"
    _wait_until(running, lambda: _status(url, "GET", "/health/liveliness") == 200)
    headers = {"authorization": f"Bearer {LITELLM_KEY}"}
    contender = Contender(
        name=LITELLM,
        shot=lambda size, stream: _shot(
            url, chat_body("streams" if stream else "unary", size, stream=stream), headers
        ),
        pids=lambda: {"LiteLLM": running.pids()},
    )
    _answers(running, contender)
    servers.contenders[LITELLM] = contender


def install_litellm(work: Path) -> Path:
    """The proxy's program, installed into an environment of its own the first time. Raises CannotStart."""
    folder = work / "litellm"
    program = folder / "bin" / "litellm"
    if program.exists():
        return program
    print("Installing LiteLLM into an environment of its own (once, some minutes) ...", flush=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    log = work / "litellm-install.log"
    try:
        with log.open("wb") as output:
            for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, "install", "litellm[proxy]"]):
                subprocess.run(command, stdout=output, stderr=output, timeout=600, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotStart(f"LiteLLM could not be installed (see {log.name}): {error}") from error
    return program


def versions(work: Path) -> dict[str, str]:
    """Of what is compared."""
    found = {"Python": sys.version.split()[0]}
    for path in (work / "litellm").glob("lib/*/site-packages/litellm-*.dist-info"):
        found["LiteLLM"] = path.name.removeprefix("litellm-").removesuffix(".dist-info")
    for path in (work / "portkey").glob("gateway-*/node_modules/@portkey-ai/gateway/package.json"):
        found["Portkey gateway"] = json.loads(path.read_text())["version"]
    nginx = subprocess.run(
        ["nginx", "-v"], capture_output=True, text=True, check=False, env={"PATH": _path()}
    )
    if match := re.search(r"nginx/([\d.]+)", nginx.stderr):
        found["nginx"] = match[1]
    return found


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def _plain_environment() -> dict[str, str]:
    """What programs need to run, and none of the caller's keys and settings."""
    passed = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in passed if name in os.environ}


def _shot(url: str, body: bytes, headers: Mapping[str, str]) -> Shot:
    host, _, port = url.removeprefix("http://").partition(":")
    return Shot(
        host=host,
        port=int(port),
        path="/v1/chat/completions",
        headers=(("content-type", "application/json"), ("accept", "*/*"), *headers.items()),
        body=body,
    )


def _status(url: str, method: str, path: str, shot: Shot | None = None) -> int:
    """The status of one exchange; 0 when there was none."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = HTTPConnection(host, int(port), timeout=20)
    try:
        connection.request(method, path, shot.body if shot else None, dict(shot.headers) if shot else {})
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def _answers(running: Running, contender: Contender) -> None:
    """Waits until it forwards, unary and streamed."""
    for stream in (False, True):
        shot = contender.shot(1024, stream)
        origin = f"http://{shot.host}:{shot.port}"
        _wait_until(running, lambda s=shot, o=origin: _status(o, "POST", s.path, s) == 200)  # type: ignore[misc]


def _wait_until(running: Running, ready: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + _START_S
    while not ready():
        if running.ended or time.monotonic() > give_up_at:
            what = "ended at once" if running.ended else f"does not answer within {_START_S:.0f} s"
            raise CannotStart(f"{running.name} {what}: {running.last_lines()}")
        time.sleep(0.1)
