"""A receiver of webhooks as a subscriber might run one, with each path behaving in its own way."""

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

Behave = Callable[[int], int]
"""Number of the call to this path, from 1 -> status; 0: no answer at all."""


class Got(NamedTuple):
    headers: dict[str, str]
    body: bytes
    at_s: float

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class WebhookReceiver:
    """`behaviours` by path; who has none answers 204. `got` is what each path accepted or refused."""

    def __init__(self) -> None:
        self.got: dict[str, list[Got]] = defaultdict(list)
        self.behaviours: dict[str, Behave] = {}
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): text for name, text in self.headers.items()}
                status = receiver.take(self.path, Got(headers, body, time.monotonic()))
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "http://169.254.169.254/latest/meta-data")
                if status == 429:
                    self.send_header("retry-after", "1")
                raw = b"" if status == 204 else b"said \x00 \x1b[31m" + b"x" * 5000
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """Who leaves early is none."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def take(self, path: str, got: Got) -> int:
        with self._lock:
            self.calls[path] += 1
            number = self.calls[path]
            self.got[path].append(got)
        behave = self.behaviours.get(path)
        return 204 if behave is None else behave(number)

    def until(self, path: str, count: int, timeout_s: float = 15.0) -> list[Got]:
        """The first calls to a path, once there are so many."""
        give_up = time.monotonic() + timeout_s
        while time.monotonic() < give_up:
            if len(self.got[path]) >= count:
                return self.got[path]
            time.sleep(0.02)
        raise TimeoutError(f"{path} got {len(self.got[path])} of {count}")
