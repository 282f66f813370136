"""A guardrail service as an operator might run one: a real server that can also be slow, huge or lie."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

HUGE = b" " * (3 * 1024 * 1024)


class GuardrailService:
    """`behaviour` says what the next calls get; `calls` are (headers, body) of those that came."""

    def __init__(self) -> None:
        self.behaviour = "judge"
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self._over = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                service.calls.append(({name.lower(): text for name, text in self.headers.items()}, body))
                service.answer(self, json.loads(body))

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        """Sends what `behaviour` says."""
        texts = [each["text"] for each in asked["texts"]]
        raw = json.dumps(_judged(texts)).encode()
        status = 200
        if self.behaviour == "down":
            status, raw = 503, b"{}"
        elif self.behaviour == "slow":
            self._over.wait(3)
            return
        elif self.behaviour == "huge":
            raw = HUGE
        elif self.behaviour == "lying":
            raw = b'{"action": "redact", "replacements": []}'
        elif self.behaviour == "chatty":
            raw = json.dumps({"action": "block", "reason": f"you said: {texts[0]}"}).encode()
        elif self.behaviour == "redirect":
            status, raw = 307, b""
        handler.send_response(status)
        handler.send_header("content-length", str(len(raw)))
        if status == 307:
            handler.send_header("location", "http://169.254.169.254/latest/meta-data")
        handler.end_headers()
        try:
            handler.wfile.write(raw)
        except OSError:
            handler.close_connection = True


def _judged(texts: list[str]) -> dict[str, Any]:
    if any("toxic" in text for text in texts):
        return {"action": "block", "reason": "toxicity"}
    if any("rude" in text for text in texts):
        said = [text.replace("rude", "kind") if "rude" in text else None for text in texts]
        return {"action": "redact", "reason": "tone", "replacements": said}
    return {"action": "allow"}
