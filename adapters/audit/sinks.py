"""Places that hear of the audit trail's checkpoints: a file, standard output, a web address."""

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import urlsplit

from application.outside import told
from application.ports.audit import CheckpointSink
from application.ports.http import Endpoint, HttpRequest, HttpTransport, TransportFailed
from domain.errors import InvalidRequest, StoreUnavailable

TIMEOUT_S: Final = 10.0


class FileSink(CheckpointSink):
    """Appends to a file, which should lie on another machine's disk or on one that is written once."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    async def publish(self, note: str) -> None:
        await asyncio.to_thread(self._append, f"{note}\n".encode())

    def _append(self, text: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                # One write of a few hundred bytes: several processes append whole notes.
                os.write(descriptor, text)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreUnavailable(f"{self._path}: {error.strerror or error}") from error


class OutputSink(CheckpointSink):
    """One JSON line per checkpoint, for installations whose output is collected elsewhere."""

    name = "standard output"

    def __init__(self, out: TextIO) -> None:
        self._out = out

    async def publish(self, note: str) -> None:
        try:
            self._out.write(f"{json.dumps({'audit_checkpoint': note}, ensure_ascii=False)}\n")
            self._out.flush()
        except (OSError, ValueError) as error:  # ValueError: it was closed
            raise StoreUnavailable(f"standard output: {error}") from error


class WebhookSink(CheckpointSink):
    """POSTs the signed text, whose signature proves where it comes from. Any 2xx answer will do."""

    def __init__(self, url: str, transport: HttpTransport) -> None:
        """Raises InvalidRequest for what is no http(s) address."""
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            parts, port = urlsplit(""), 0
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise InvalidRequest(
                "audit.checkpoint_webhook_url must be an http(s) address without a user",
                param="audit.checkpoint_webhook_url",
            )
        self._endpoint = Endpoint(parts.scheme, parts.hostname, port)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._transport = transport
        self.name = self._endpoint.authority

    async def publish(self, note: str) -> None:
        body = note.encode()
        request = HttpRequest(
            method="POST",
            endpoint=self._endpoint,
            path=self._path,
            headers=(
                ("content-type", "text/plain; charset=utf-8"),
                ("idempotency-key", hashlib.sha256(body).hexdigest()),
            ),
            body=body,
            connect_timeout_s=TIMEOUT_S,
            headers_timeout_s=TIMEOUT_S,
            body_idle_timeout_s=TIMEOUT_S,
            total_timeout_s=2 * TIMEOUT_S,
        )
        try:
            response = await self._transport.send(request)
            response.close()
        except TransportFailed as error:
            raise told(error, self._endpoint, f"audit checkpoints to {self.name}") from error
        if not 200 <= response.status < 300:
            raise StoreUnavailable(f"{self.name} answered {response.status}")
