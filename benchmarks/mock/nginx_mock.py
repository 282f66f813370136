"""A unary upstream of nginx: every POST is answered with the same 1 KB, a chat completion unless the path
is that of Anthropic's messages, OpenAI's responses or Gemini's models.

    python -m benchmarks.mock.nginx_mock --port 0

writes one line of JSON with its address and serves until SIGTERM. `GET /mock/status` is nginx's own
counter; `bill_between` makes a bill of two readings of it.
"""

import argparse
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from benchmarks.mock.canned import (
    INPUT_TOKENS,
    UNARY_OUTPUT_TOKENS,
    MockPrice,
    generated_body,
    message_body,
    response_body,
    unary_body,
)

_TEMPLATE = Path(__file__).with_name("nginx.conf.template")
_READY_S = 60.0


class Reading(NamedTuple):
    """One look at nginx's counters; the look itself is counted in `requests`."""

    requests: int
    connections: int


def configuration(*, port: int, directory: Path) -> str:
    """The configuration file for a port, with all that nginx writes in `directory`."""
    text = _TEMPLATE.read_text(encoding="utf-8")
    values = {"PORT": str(port), "DIRECTORY": str(directory), "BODY": unary_body().decode()}
    values |= {
        "MESSAGE": message_body().decode(),
        "RESPONSE": response_body().decode(),
        "GENERATED": generated_body().decode(),
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


class NginxMock:
    """Runs nginx on loopback; a context manager. Raises FileNotFoundError where there is no nginx."""

    def __init__(self, *, port: int = 0) -> None:
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = tempfile.TemporaryDirectory(prefix="nginx-mock-")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "NginxMock":
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise FileNotFoundError("nginx is not installed")
        directory = Path(self._directory.name)
        path = directory / "nginx.conf"
        path.write_text(configuration(port=self.port, directory=directory), encoding="utf-8")
        self._process = subprocess.Popen([program, "-p", str(directory), "-c", str(path), "-e", "stderr"])
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                self.reading()
                return self
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reading(self) -> Reading:
        """nginx's counters now."""
        return read_status(self.url)

    def stop(self) -> None:
        """Stops nginx."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._directory.cleanup()


def read_status(url: str) -> Reading:
    """The counters of the mock at an address."""
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    connection = HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("GET", "/mock/status")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    counters = re.search(r"^\s*\d+ \d+ (\d+)\s*$", text, re.MULTILINE)
    active = re.search(r"Active connections: (\d+)", text)
    if counters is None or active is None:
        raise OSError(f"not a status of nginx: {text[:80]}")
    return Reading(int(counters[1]), int(active[1]))


def bill_between(before: Reading, after: Reading, price: MockPrice | None = None) -> dict[str, int | None]:
    """What was answered between two readings. Every request but the readings themselves counts, so
    nothing else (no health check, no list of models) may be sent meanwhile."""
    requests = after.requests - before.requests - 1
    each = None if price is None else price.cost_nano_usd(INPUT_TOKENS, UNARY_OUTPUT_TOKENS)
    return {
        "requests": requests,
        "input_tokens": requests * INPUT_TOKENS,
        "output_tokens": requests * UNARY_OUTPUT_TOKENS,
        "cost_nano_usd": None if each is None else requests * each,
    }


def price_of(input_usd_per_mtok: str, output_usd_per_mtok: str) -> MockPrice:
    """A price from decimal texts."""
    return MockPrice(Decimal(input_usd_per_mtok), Decimal(output_usd_per_mtok))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mock.nginx_mock", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with NginxMock(port=chosen.port) as mock:
        print(json.dumps({"url": mock.url, "port": mock.port}), flush=True)
        while True:
            signal.pause()


if __name__ == "__main__":
    sys.exit(main())
