"""Proof that a batch survives: a server killed in the middle, resumed, every line answered once, bill exact.

    python -m benchmarks.batch_proof --lines 10000 --kills 2

Starts the simulated provider and `interchange serve` as processes of their own, runs `interchange batch run`
against them, kills server and command with SIGKILL on the way, starts them again, and compares: custom ids,
usage rows, and the ledger's bill with the provider's own, to the nano-dollar.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.processes import descendants

ROOT = Path(__file__).parents[1]
INPUT_USD_PER_MTOK, OUTPUT_USD_PER_MTOK = "0.13", "0.57"
START_S = 180.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was seen at the end."""

    lines: int
    kills: int
    exit_status: int
    duration_s: float
    answered: Counter[str]
    failed: Counter[str]
    rows: int
    attempts: int
    billed_nano_usd: int
    ledger_nano_usd: int
    provider_requests: int
    repeats: int
    summary: dict[str, Any]

    @property
    def exact(self) -> bool:
        """Whether nothing is missing, double or unpaid."""
        once = len(self.answered) == self.lines and set(self.answered.values()) == {1}
        money = self.billed_nano_usd == self.ledger_nano_usd and self.provider_requests == self.lines
        return once and not self.failed and money and self.rows == self.lines and self.exit_status == 0


class World:
    """Processes below one folder; each kill is a SIGKILL of a whole process group."""

    def __init__(
        self, folder: Path, *, latency_ms: float, honours: bool = True, more_config: str = ""
    ) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: subprocess.Popen[bytes] | None = None
        self._simulator = subprocess.Popen(
            [sys.executable, "-m", "entrypoints.simulator", "--exit-with-parent"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._simulator.stdout is not None
        self.simulator_url = str(json.loads(self._simulator.stdout.readline())["url"])
        price = {"input_usd_per_mtok": INPUT_USD_PER_MTOK, "output_usd_per_mtok": OUTPUT_USD_PER_MTOK}
        self.simulated("PUT", "/_sim/prices", {"*": price})
        if latency_ms:
            latency = {"ttft_ms": latency_ms, "sigma": 0.3}
            self.simulated("PUT", "/_sim/latency", {"latency": latency})
        self.config = folder / "interchange.yaml"
        self.config.write_text(_config(self.simulator_url, honours) + more_config)
        self.data_dir = folder / "data"

    def simulated(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of the simulator's control API."""
        parts = urlsplit(self.simulator_url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def environment(self) -> dict[str, str]:
        """What our processes run in: no key of anybody."""
        passed = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "PYTHONPATH")
        return {name: os.environ[name] for name in passed if name in os.environ} | {
            "INTERCHANGE_CONFIG": str(self.config),
            "INTERCHANGE_DATA_DIR": str(self.data_dir),
        }

    def start_server(self) -> None:
        """`interchange serve`, ready to answer."""
        log = (self.folder / "server.log").open("ab")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "entrypoints.cli.main", "serve", "--no-portkey", "--no-simulator"],
            cwd=ROOT, env=self.environment() | {"HOST": "127.0.0.1", "PORT": str(self.port)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        log.close()
        give_up = time.monotonic() + START_S
        while not self._ready():
            if self._server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError((self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.05)

    def _ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health/live")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def kill_server(self) -> None:
        """SIGKILL to the supervisor and all its workers at once."""
        assert self._server is not None
        for pid in (self._server.pid, *descendants(self._server.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()
        self._server = None
        while self._ready():  # the kernel needs a moment to take them all away
            time.sleep(0.01)

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """`interchange batch …` as a process of its own group."""
        return subprocess.Popen(
            [sys.executable, "-m", "entrypoints.cli.main", "batch", *arguments, "--url", self.url],
            cwd=ROOT, env=self.environment(), stdout=subprocess.PIPE, text=True,
            stderr=(self.folder / "command.log").open("a"), start_new_session=True,
        )  # fmt: skip

    def bill(self) -> dict[str, Any]:
        """The provider's own bill of what it answered."""
        answered: dict[str, Any] = self.simulated("GET", "/_sim/bill")["answered"]
        return answered

    def until(self, answers: int, running: subprocess.Popen[str]) -> None:
        """Waits until the provider has billed so many requests, or the command has ended."""
        while int(self.bill()["requests"]) < answers and running.poll() is None:
            time.sleep(0.02)

    def until_said(self, words: str, running: subprocess.Popen[str]) -> None:
        """Waits until the command has said this, or has ended."""
        while words not in (self.folder / "command.log").read_text() and running.poll() is None:
            time.sleep(0.02)

    def ledger(self) -> tuple[int, int, int]:
        """Rows of requests and of attempts, and the sum of their costs, from the database itself."""
        database = sqlite3.connect(f"file:{self.data_dir / 'interchange.db'}?mode=ro", uri=True)
        try:
            (rows,) = database.execute("SELECT count(*) FROM usage_requests").fetchone()
            attempts, cost = database.execute(
                "SELECT count(*), coalesce(sum(cost_nano_usd), 0) FROM usage_attempts"
            ).fetchone()
            return rows, attempts, cost
        finally:
            database.close()

    def stop_server_gently(self) -> None:
        """As an operator would: what waits is written first."""
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(30)
                self._server = None
            except subprocess.TimeoutExpired:
                self.kill_server()

    def stop(self) -> None:
        """Ends everything that was started here."""
        self.stop_server_gently()
        if self._simulator.poll() is None:
            self._simulator.terminate()
            self._simulator.wait(10)


@contextmanager
def world(folder: Path, **options: Any) -> Iterator[World]:
    """A world that leaves no process behind."""
    made = World(folder, **options)
    try:
        yield made
    finally:
        made.stop()


def prove(
    folder: Path,
    *,
    lines: int,
    kills: int,
    latency_ms: float,
    concurrency: int,
    kill_command: bool = True,
    more_config: str = "",
) -> Outcome:
    """Runs the batch with its interruptions and looks at what is left."""
    source, output = folder / "input.jsonl", folder / "output.jsonl"
    write_input(source, lines)
    with world(folder, latency_ms=latency_ms, more_config=more_config) as here:
        here.start_server()
        began = time.monotonic()
        arguments = ("run", str(source), "-o", str(output), "--json", "--concurrency", str(concurrency))
        running = here.command(*arguments)
        for number in range(kills):
            here.until(lines * (number + 1) // (kills + 1), running)
            if kill_command and number == 0:
                os.killpg(running.pid, signal.SIGKILL)
                running.communicate()
            here.kill_server()
            here.start_server()
            if kill_command and number == 0:
                running = here.command(*arguments)
                here.until_said("Going on", running)
        printed, _ = running.communicate(timeout=1800)
        duration_s = time.monotonic() - began
        time.sleep(0.5)
        here.stop_server_gently()
        bill = here.bill()
        rows, attempts, cost = here.ledger()
        return Outcome(
            lines=lines,
            kills=kills,
            exit_status=running.returncode,
            duration_s=duration_s,
            answered=_ids(output),
            failed=_ids(folder / "output.errors.jsonl"),
            rows=rows,
            attempts=attempts,
            billed_nano_usd=int(bill["cost_nano_usd"]),
            ledger_nano_usd=cost,
            provider_requests=int(bill["requests"]),
            repeats=int(here.simulated("GET", "/_sim/stats").get("keyed_repeats", 0)),
            summary=json.loads(printed.splitlines()[-1]) if printed else {},
        )


def write_input(path: Path, lines: int, *, model: str = "alpha/small") -> None:
    """A file of different chats, as OpenAI's batch format has them."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            body = {"model": model, "messages": [{"role": "user", "content": f"question number {number}"}]}
            line = {
                "custom_id": f"line-{number}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": body,
            }
            file.write(json.dumps(line) + "\n")


def _ids(path: Path) -> Counter[str]:
    if not path.exists():
        return Counter()
    with path.open(encoding="utf-8") as file:
        return Counter(json.loads(line)["custom_id"] for line in file)


def _config(simulator_url: str, honours: bool) -> str:
    return f"""\
breaker: {{consecutive_failures: 1000, minimum_calls: 100000}}
providers:
  alpha:
    kind: openai
    base_url: "{simulator_url}/alpha/v1"
    api_key: provider-key
    via: direct
    honours_idempotency_keys: {str(honours).lower()}
    models:
      small: {{input_usd_per_mtok: {INPUT_USD_PER_MTOK}, output_usd_per_mtok: {OUTPUT_USD_PER_MTOK}, \
context_tokens: 128000, max_output_tokens: 4096, capabilities: [text, streaming]}}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Prints what was seen; 0 when nothing was missing, double or unpaid."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch_proof", description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--concurrency", type=int, default=32)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen = prove(
            Path(folder),
            lines=chosen.lines,
            kills=chosen.kills,
            latency_ms=chosen.latency_ms,
            concurrency=chosen.concurrency,
        )
    print(f"{seen.lines} lines, server killed {seen.kills} times, the command once")
    print(f"  took {seen.duration_s:.1f} s; exit status {seen.exit_status}")
    print(f"  custom ids answered: {len(seen.answered)}, each {set(seen.answered.values())} times")
    print(f"  lines in the error file: {sum(seen.failed.values())}")
    print(f"  usage rows: {seen.rows} requests, {seen.attempts} attempts")
    print(
        f"  the provider answered {seen.provider_requests} requests and was asked {seen.repeats} times again"
    )
    print(f"  bill of the provider: {seen.billed_nano_usd} nano-dollars; ledger: {seen.ledger_nano_usd}")
    print(f"  summary: {json.dumps(seen.summary)}")
    print("exact" if seen.exact else "NOT exact")
    return 0 if seen.exact else 1


if __name__ == "__main__":
    sys.exit(main())
