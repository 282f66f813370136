"""What `interchange batch` tells, and how it ends."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import click
import pytest

from entrypoints.cli import batch as command
from entrypoints.cli.api_client import ApiClient, NotAnswering
from entrypoints.cli.batch_client import BatchClient
from entrypoints.cli.batch_progress import JsonProgress, bar_progress


def shown(status: str = "completed", total: int = 3, completed: int = 3, failed: int = 0) -> dict[str, Any]:
    return {
        "id": "batch_1",
        "status": status,
        "endpoint": "/v1/embeddings",
        "metadata": None,
        "request_counts": {"total": total, "completed": completed, "failed": failed},
        "errors": {"data": [{"line": 2, "code": "c", "message": "why", "param": None}]},
        "output_file_id": "file-o",
        "error_file_id": None,
        "interchange": {
            "cost_usd": "0.5", "stopped_by": None, "uncosted_tries": 0, "unresolved_tries": 1,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("finished", "status"),
    [
        (shown(), 0),
        (shown(completed=2, failed=1), 1),
        (shown("expired"), 1),
        (shown("failed", completed=1, failed=2), 1),
        (shown("failed", total=0, completed=0), 2),
    ],
)
def test_the_exit_status_says_how_it_ended(finished: dict[str, Any], status: int) -> None:
    assert command.exit_status(finished) == status


def test_json_progress_prints_each_change_once_and_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonProgress() as progress:
        for state in (shown("in_progress", completed=1), shown("in_progress", completed=1), shown()):
            progress.show(state)
        progress.away()
        progress.say("a sentence for people")
        progress.end(shown(), {"output_file_id": Path("out.jsonl")})
    told = capsys.readouterr()
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [line["event"] for line in lines] == ["progress", "progress", "away", "summary"]
    assert lines[-1]["output"] == "out.jsonl" and lines[-1]["problems"][0]["line"] == 2
    assert "a sentence" in told.err


def test_a_wait_for_a_budget_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = shown("in_progress", completed=1)
    waiting["interchange"]["waiting_for"] = "agents"
    with JsonProgress() as progress:
        progress.show(waiting)
    assert json.loads(capsys.readouterr().out)["waiting_for"] == "agents"


def test_people_get_sentences_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with bar_progress() as progress:
        progress.show(shown("in_progress"))
        progress.away()
        progress.end(shown(completed=2, failed=1), {"output_file_id": Path("out.jsonl")})
    told = capsys.readouterr().err
    assert "line 2: why (c)" in told and "2 of 3 lines answered" in told and "wrote out.jsonl" in told
    assert "nobody knows" in told


class Away:
    """A server that is away for some polls."""

    def __init__(self, times: int) -> None:
        self.times = times

    def get(self, batch_id: str) -> Any:
        self.times -= 1
        if self.times >= 0:
            raise NotAnswering("away")
        return shown()


def test_a_server_that_is_away_is_waited_for_but_not_for_ever() -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    client: Any = Away(5)
    progress = JsonProgress()
    assert command.watch(client, "b", progress, now=lambda: clock[0], sleep=sleep)["status"] == "completed"
    with pytest.raises(click.ClickException):
        command.watch(Away(10**6), "b", progress, now=lambda: clock[0], sleep=sleep)  # type: ignore[arg-type]
    assert clock[0] < command.PATIENCE_S + 10


def test_runs_of_the_same_file_and_settings_find_each_other(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"url": "/v1/embeddings"}\n')
    plain = {"file": file, "concurrency": None, "retries": None, "budget": None, "mode": None}
    assert command.metadata(plain) == command.metadata(dict(plain))
    assert command.metadata({**plain, "budget": "2"})["interchange_budget_usd"] == "2"
    assert command.endpoint_of(file) == "/v1/embeddings"
    before = command.metadata(plain)
    file.write_text('{"url": "/v1/embeddings"} \n')
    assert command.metadata(plain) != before


class CutOff(BaseHTTPRequestHandler):
    """Says how long a file is, and sends half of it the first time."""

    times = 0

    def do_GET(self) -> None:
        CutOff.times += 1
        content = b"x" * 1000
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: 500 if CutOff.times == 1 else None])

    def log_message(self, *said: Any) -> None:
        del said


def test_a_file_that_was_cut_is_fetched_again_and_never_taken_for_whole(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), CutOff) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            client = BatchClient(ApiClient(f"http://127.0.0.1:{server.server_port}", "Bearer key"))
            wanted = tmp_path / "out.jsonl"
            with pytest.raises(NotAnswering, match="500 bytes are missing"):
                client.download("file-o", wanted)
            assert not wanted.exists()
            CutOff.times = 0
            asked = {"output": wanted, "errors": None}
            command._fetch(client, shown(), asked, JsonProgress())
        finally:
            server.shutdown()
    assert wanted.read_bytes() == b"x" * 1000
    assert CutOff.times == 2
