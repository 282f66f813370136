"""An OpenAPI document becomes an integration by one command, and its operations answer as tools."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entrypoints.cli.integrations import integrations
from tests.e2e.stack import Stack

TOKEN = "token-of-the-pets-0123456789"
CONFIG = "profile: embedded\nsimulator: {enabled: false}\negress: {allow: [127.0.0.1]}\n"
DOCUMENT = """
openapi: 3.1.0
info: {title: Pets, version: "1"}
servers: [{url: "http://127.0.0.1:PORT"}]
security: [{token: []}]
components: {securitySchemes: {token: {type: http, scheme: bearer}}}
paths:
  /pets/{id}:
    get:
      operationId: getPet
      tags: [pets]
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: One.}}
    delete:
      operationId: deletePet
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"204": {description: Gone.}}
  /pictures:
    post:
      operationId: upload
      requestBody: {required: true, content: {image/png: {schema: {type: string, format: binary}}}}
      responses: {"200": {description: Kept.}}
"""


class Pets(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers["authorization"] == f"Bearer {TOKEN}"
        raw = json.dumps({"path": self.path}).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(raw)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pets) as pets:
        serving = threading.Thread(target=pets.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        file = tmp_path_factory.mktemp("documents") / "pets.yaml"
        file.write_text(DOCUMENT.replace("PORT", str(pets.server_port)))
        yield file
        pets.shutdown()
        serving.join(5)


def imported(document: Path, *options: str, stdin: str | None = None) -> Result:
    arguments = ["import-openapi", str(document), "--name", "pets", *options]
    return CliRunner().invoke(integrations, arguments, input=stdin)


def at(stack: Stack) -> tuple[str, ...]:
    return ("--url", stack.url, "--key", stack.key)


def test_a_dry_run_shows_the_body_and_no_secret(document: Path) -> None:
    done = imported(document, "--dry-run", "--exclude", "deletePet", "--secret", "token", stdin=TOKEN)

    assert done.exit_code == 0, done.output
    body = json.loads(done.stdout)
    assert (body["integration_id"], body["type"]) == ("pets", "api")
    assert list(body["configuration"]["tools"]) == ["getPet"]
    assert body["configuration"]["authentication"] == {"type": "bearer"}
    assert "left out: POST /pictures" in done.stderr
    assert TOKEN not in done.output


def test_an_imported_operation_answers_as_a_tool(stack: Stack, document: Path) -> None:
    done = imported(document, *at(stack), "--secret", "token", "--include", "pets", stdin=TOKEN)

    assert done.exit_code == 0, done.output
    assert "pets is active, with 1 tool" in done.stdout
    asked = {"integration_id": "pets", "tool_name": "getPet", "parameters": {"id": 7}}
    with stack.client() as api:
        answer = api.post("/api/v1/tools/execute", json=asked)
    assert answer.json()["result"] == {"status": 200, "data": {"path": "/pets/7"}}


def test_another_import_replaces_it_only_when_asked(stack: Stack, document: Path) -> None:
    secret = document.with_name("secret")
    secret.write_text(TOKEN)
    given = (*at(stack), "--secret-file", f"token={secret}")
    imported(document, *given)

    again, replaced = imported(document, *given), imported(document, *given, "--replace")

    assert again.exit_code == 1 and "integration_exists" in again.output
    assert replaced.exit_code == 0 and "with 2 tools" in replaced.stdout


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("openapi: 2.0", (), "must be OpenAPI 3.0 or 3.1"),
        (DOCUMENT, ("--include", "nothing"), "nothing is called 'nothing'"),
        (DOCUMENT, ("--auth", "type"), "--auth is written as name=value"),
        (DOCUMENT.replace("http://127.0.0.1:PORT", "/v1"), (), "the document names no server"),
    ],
)
def test_what_cannot_be_imported_says_why(
    tmp_path: Path, text: str, options: tuple[str, ...], said: str
) -> None:
    file = tmp_path / "document.yaml"
    file.write_text(text)

    done = imported(file, "--dry-run", *options)

    assert done.exit_code != 0
    assert said in done.output + str(done.exception)


def test_a_file_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    assert "cannot be read" in imported(tmp_path / "none.yaml", "--dry-run").output
