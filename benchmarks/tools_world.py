"""What `benchmarks.tools` measures: a mock, one Interchange in this process and one beside it."""

import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple

from application.ports.connector import Connector
from application.ports.http import Endpoint, HttpRequest, HttpTransport
from application.tools.execute import PERMISSION, ExecuteTool, ToolAsked
from benchmarks.processes import Running
from benchmarks.servers import BUDGETS
from domain.connectors.tool import ToolCall
from domain.tenancy.principal import Principal
from entrypoints.garbage_collection import leave_out_of_collections
from entrypoints.http.tools import EXECUTE
from entrypoints.lifespan import open_faces
from entrypoints.settings import load_settings
from tests.contract.postgres_network import PASSWORD

ROOT: Final = Path(__file__).parents[1]
START_S: Final = 180.0
SQL: Final = "SELECT id, name FROM people WHERE id = {place}"
ASKED: Final = {"database": ("crm", "person"), "api": ("things", "thing")}
"""Of each kind, the integration and its tool; both take the same parameter."""
PARAMETERS: Final = {"id": 2}
CALLER: Final = Principal(
    tenant_id="default",
    key_id="bench",
    key_name="bench",
    role="agent",
    permissions=frozenset({PERMISSION}),
)


def configuration(postgres_port: int, database: str, mock_port: int) -> str:
    """Everything on: a price per call, three hard budgets, two rate limits, rows and audit."""
    said: dict[str, Any] = {
        "simulator": {"enabled": False},
        "egress": {"allow": [f"127.0.0.1:{postgres_port}", f"127.0.0.1:{mock_port}"]},
        "rate_limits": [
            {"name": "all", "scope": {"tenant": "default"}, "requests": 60_000_000, "per": "minute"},
            {"name": "keys", "scope": {"key": "*"}, "requests": 60_000_000, "per": "minute"},
        ],
        "integrations": {
            "crm": {
                "type": "database",
                "configuration": {
                    "endpoint": f"postgresql://127.0.0.1:{postgres_port}/{database}",
                    "authentication": {"type": "password", "username": "agent", "password": PASSWORD},
                    "cost_usd_per_call": 0.0001,
                    "queries": {
                        "person": {
                            "sql": SQL.format(place=":id"),
                            "parameters": {"id": {"type": "integer"}},
                            "returns": "row",
                        }
                    },
                },
            },
            "things": {
                "type": "api",
                "configuration": {
                    "endpoint": f"http://127.0.0.1:{mock_port}",
                    "authentication": {"type": "bearer", "token": "token-for-the-mock"},
                    "cost_usd_per_call": 0.0001,
                    "tools": {
                        "thing": {
                            "path": "/things/{id}",
                            "parameters": {
                                "type": "object",
                                "properties": {"id": {"type": "integer"}},
                                "required": ["id"],
                                "additionalProperties": False,
                            },
                        }
                    },
                },
            },
        },
    }
    # JSON is YAML; the budgets are those of the other benchmarks.
    return "\n".join([*(f"{key}: {json.dumps(value)}" for key, value in said.items()), *BUDGETS]) + "\n"


class Inside(NamedTuple):
    """An Interchange in this process."""

    execute: ExecuteTool
    connectors: dict[str, Connector]
    calls: dict[str, ToolCall]

    async def asked(self, kind: str, number: int) -> object:
        """One call through the whole pipeline."""
        integration, tool = ASKED[kind]
        asked = ToolAsked(integration_id=integration, tool_name=tool, parameters=PARAMETERS)
        return await self.execute.execute(CALLER, asked, request_id=f"req_bench{number:012d}")


@asynccontextmanager
async def inside(folder: Path, text: str) -> AsyncIterator[Inside]:
    """As a worker opens it, with its connectors open."""
    write_configuration(folder, text)
    loaded = load_settings(environment(folder, 0))
    async with open_faces(loaded, built=leave_out_of_collections) as faces:
        execute: ExecuteTool = vars(faces.hot[EXECUTE])["_execute"]
        connectors: dict[str, Connector] = {}
        calls: dict[str, ToolCall] = {}
        for kind, (integration, tool) in ASKED.items():
            entry = execute.book.find(CALLER, integration)
            connectors[kind] = await execute.book.ready(entry)
            calls[kind] = ToolCall(
                tenant_id="default",
                integration_id=integration,
                tool=(await execute.book.way(entry, tool)).tool,
                parameters=PARAMETERS,
                timeout_s=30.0,
                request_id="req_bench",
            )
        yield Inside(execute, connectors, calls)


class Beside(NamedTuple):
    """An Interchange in a process of its own, asked over one connection that stays open."""

    endpoint: Endpoint
    key: str
    transport: HttpTransport

    async def asked(self, kind: str) -> bytes:
        integration, tool = ASKED[kind]
        body = {"integration_id": integration, "tool_name": tool, "parameters": PARAMETERS}
        return await exchange(
            self.transport,
            HttpRequest(
                method="POST",
                endpoint=self.endpoint,
                path=EXECUTE[1],
                headers=[("authorization", f"Bearer {self.key}"), ("content-type", "application/json")],
                body=json.dumps(body).encode(),
            ),
        )


async def exchange(transport: HttpTransport, request: HttpRequest) -> bytes:
    """The body of an answer that has to be 200."""
    answer = await transport.send(request)
    body = await answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{request.path} answered {answer.status}: {body[:300]!r}")
    return body


def start_mock(stack: ExitStack, folder: Path) -> int:
    """The port of a REST API that answers at once."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.mock.json_mock", "--port", str(port)]
    running = Running("mock", command, log=folder / "mock.log", folder=ROOT)
    stack.callback(running.stop)
    wait_until_up(running, port, "/")
    return port


def start_beside(stack: ExitStack, folder: Path, text: str, transport: HttpTransport) -> Beside:
    """A server as people run it, with one worker."""
    write_configuration(folder, text)
    port = free_port()
    command = [sys.executable, "-m", "entrypoints.cli.main", "serve", "--no-portkey", "--exit-with-parent"]
    running = Running(
        "server", command, log=folder / "output.log", environment=environment(folder, port), folder=ROOT
    )
    stack.callback(running.stop)
    wait_until_up(running, port, "/health/live")
    key = (folder / "admin.key").read_text().strip()
    return Beside(Endpoint("http", "127.0.0.1", port), key, transport)


def write_configuration(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "interchange.yaml").write_text(text)


def environment(folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", ""),
        "INTERCHANGE_CONFIG": str(folder / "interchange.yaml"),
        "INTERCHANGE_DATA_DIR": str(folder),
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(running: Running, port: int, path: str) -> None:
    """Raises RuntimeError."""
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at and not running.ended:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError(f"{running.name} does not answer: {running.last_lines()}")
