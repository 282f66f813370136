"""The two batch APIs that providers offer: OpenAI's over files, and Anthropic's message batches.

Shapes: OpenAI API reference, "Batch" and "Files"; Anthropic API reference, "Message Batches".
"""

import secrets
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from msgspec import Raw

from application.ports.http import BodySource
from application.ports.provider_batches import Marker, ProviderBatchState, ProviderLine
from application.ports.resources import ResourceRequest
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)

MARKER_KEY: Final = "interchange_batch"
LISTED_MAX: Final = 100
_encode: Final = msgspec.json.encode
_decode: Final = msgspec.json.decode
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Asked(NamedTuple):
    """A request for a resource, without who is asked."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | BodySource = b""
    content_type: str = ""

    def of(self, provider: str) -> ResourceRequest:
        return ResourceRequest(
            provider, self.method, self.path, query=self.query, body=self.body, content_type=self.content_type
        )


class Form(BodySource):
    """A multipart form around a document."""

    def __init__(self, document: BodySource, fields: Mapping[str, str], filename: str) -> None:
        boundary = secrets.token_hex(16)
        parts = [
            f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{filename}"\r\n'
            "content-type: application/jsonl\r\n\r\n"
        )
        self._head, self._tail = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
        self._document = document
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.size_bytes = len(self._head) + document.size_bytes + len(self._tail)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._head
        async for chunk in self._document.chunks():
            yield chunk
        yield self._tail


class BatchShape(Protocol):
    """One batch API: what is asked, and what the answers say. No I/O."""

    dialects: Mapping[str, str]
    """What is said in the batch for each caller's dialect."""

    @abstractmethod
    def request(self, upstream_dialect: str, custom_id: str, body: bytes) -> bytes: ...

    @abstractmethod
    def document(self, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]: ...

    @abstractmethod
    def upload(self, document: BodySource, marker: Marker) -> Asked | None:
        """What must be sent before the batch can be made; None: nothing."""
        ...

    @abstractmethod
    def create(self, upstream_dialect: str, document: BodySource, uploaded: str, marker: Marker) -> Asked: ...

    @abstractmethod
    def listing(self) -> Asked: ...

    @abstractmethod
    def mine(self, listed: Any, marker: Marker) -> list[str]: ...

    @abstractmethod
    def get(self, batch: str) -> Asked: ...

    @abstractmethod
    def state(self, found: Any) -> ProviderBatchState: ...

    @abstractmethod
    def cancel(self, batch: str) -> Asked: ...

    @abstractmethod
    def results(self, batch: str, state: ProviderBatchState) -> list[Asked]: ...

    @abstractmethod
    def line(self, raw: bytes) -> ProviderLine: ...


class _OpenAiRow(msgspec.Struct):
    custom_id: str
    response: dict[str, Raw] | None = None
    error: dict[str, Any] | None = None


class OpenAiBatches(BatchShape):
    """`/files`, then `/batches`."""

    dialects: Mapping[str, str] = {
        OPENAI_CHAT: OPENAI_CHAT,
        OPENAI_COMPLETIONS: OPENAI_COMPLETIONS,
        OPENAI_EMBEDDINGS: OPENAI_EMBEDDINGS,
        OPENAI_RESPONSES: OPENAI_RESPONSES,
        ANTHROPIC_MESSAGES: OPENAI_CHAT,
    }
    _PATHS: Final = {
        OPENAI_CHAT: "/v1/chat/completions",
        OPENAI_COMPLETIONS: "/v1/completions",
        OPENAI_EMBEDDINGS: "/v1/embeddings",
        OPENAI_RESPONSES: "/v1/responses",
    }

    def request(self, upstream_dialect: str, custom_id: str, body: bytes) -> bytes:
        url = self._PATHS[upstream_dialect]
        line = {"custom_id": custom_id, "method": "POST", "url": url, "body": Raw(body.replace(b"\n", b" "))}
        return _encode(line)

    async def document(self, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request + b"\n"

    def upload(self, document: BodySource, marker: Marker) -> Asked | None:
        form = Form(document, {"purpose": "batch"}, f"{marker.batch_id}.jsonl")
        return Asked("POST", "/files", body=form, content_type=form.content_type)

    def create(self, upstream_dialect: str, document: BodySource, uploaded: str, marker: Marker) -> Asked:  # noqa: ARG002
        wanted = {
            "input_file_id": uploaded,
            "endpoint": self._PATHS[upstream_dialect],
            "completion_window": "24h",
            "metadata": {MARKER_KEY: marker.batch_id},
        }
        return Asked("POST", "/batches", body=_encode(wanted))

    def listing(self) -> Asked:
        return Asked("GET", "/batches", query=(("limit", str(LISTED_MAX)),))

    def mine(self, listed: Any, marker: Marker) -> list[str]:
        return [
            str(one["id"])
            for one in listed.get("data", ())
            if (one.get("metadata") or {}).get(MARKER_KEY) == marker.batch_id
        ]

    def get(self, batch: str) -> Asked:
        return Asked("GET", f"/batches/{batch}")

    def state(self, found: Any) -> ProviderBatchState:
        counts = found.get("request_counts") or {}
        problems = (found.get("errors") or {}).get("data") or ()
        handles = tuple(str(found[name]) for name in ("output_file_id", "error_file_id") if found.get(name))
        return ProviderBatchState(
            found.get("status") in ("completed", "failed", "expired", "cancelled"),
            int(counts.get("completed") or 0),
            int(counts.get("failed") or 0),
            "; ".join(str(one.get("message")) for one in problems[:5]),
            handles,
        )

    def cancel(self, batch: str) -> Asked:
        return Asked("POST", f"/batches/{batch}/cancel")

    def results(self, batch: str, state: ProviderBatchState) -> list[Asked]:  # noqa: ARG002
        return [Asked("GET", f"/files/{handle}/content") for handle in state.handles]

    def line(self, raw: bytes) -> ProviderLine:
        row = _decode(raw, type=_OpenAiRow)
        if row.response is None:
            error = row.error or {}
            return ProviderLine(
                row.custom_id, 0, b"", str(error.get("code") or "failed"), str(error.get("message") or "")
            )
        status = _decode(row.response["status_code"], type=int)
        return ProviderLine(row.custom_id, status, bytes(row.response["body"]))


class _AnthropicRow(msgspec.Struct):
    custom_id: str
    result: dict[str, Raw]


class AnthropicBatches(BatchShape):
    """`/v1/messages/batches`. It has no room for a marker: ours is known by its size and time."""

    dialects: Mapping[str, str] = {
        ANTHROPIC_MESSAGES: ANTHROPIC_MESSAGES,
        OPENAI_CHAT: ANTHROPIC_MESSAGES,
        OPENAI_COMPLETIONS: ANTHROPIC_MESSAGES,
        OPENAI_RESPONSES: ANTHROPIC_MESSAGES,
    }
    _PATH: Final = "/v1/messages/batches"
    _CLOCKS_DIFFER_US: Final = 60 * 1_000_000

    def request(self, upstream_dialect: str, custom_id: str, body: bytes) -> bytes:  # noqa: ARG002
        return _encode({"custom_id": custom_id, "params": Raw(body)})

    async def document(self, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        before = b'{"requests":['
        async for request in requests:
            yield before + request
            before = b","
        yield b'{"requests":[]}' if before != b"," else b"]}"

    def upload(self, document: BodySource, marker: Marker) -> Asked | None:  # noqa: ARG002
        return None

    def create(self, upstream_dialect: str, document: BodySource, uploaded: str, marker: Marker) -> Asked:  # noqa: ARG002
        return Asked("POST", self._PATH, body=document)

    def listing(self) -> Asked:
        return Asked("GET", self._PATH, query=(("limit", str(LISTED_MAX)),))

    def mine(self, listed: Any, marker: Marker) -> list[str]:
        earliest_us = marker.made_after_us - self._CLOCKS_DIFFER_US
        return [
            str(one["id"])
            for one in listed.get("data", ())
            if sum((one.get("request_counts") or {}).values()) == marker.lines
            and _us(str(one.get("created_at"))) >= earliest_us
        ]

    def get(self, batch: str) -> Asked:
        return Asked("GET", f"{self._PATH}/{batch}")

    def state(self, found: Any) -> ProviderBatchState:
        counts = found.get("request_counts") or {}
        failed = sum(int(counts.get(name) or 0) for name in ("errored", "canceled", "expired"))
        return ProviderBatchState(
            found.get("processing_status") == "ended", int(counts.get("succeeded") or 0), failed
        )

    def cancel(self, batch: str) -> Asked:
        return Asked("POST", f"{self._PATH}/{batch}/cancel")

    def results(self, batch: str, state: ProviderBatchState) -> list[Asked]:  # noqa: ARG002
        return [Asked("GET", f"{self._PATH}/{batch}/results")]

    def line(self, raw: bytes) -> ProviderLine:
        row = _decode(raw, type=_AnthropicRow)
        kind = _decode(row.result["type"], type=str)
        if kind == "succeeded":
            return ProviderLine(row.custom_id, 200, bytes(row.result["message"]))
        if kind == "errored":
            error = bytes(row.result["error"])
            return ProviderLine(row.custom_id, _status_of(error), error)
        return ProviderLine(row.custom_id, 0, b"", f"batch_{kind}", f"the provider's batch says: {kind}")


_STATUS_BY_TYPE: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}


def _status_of(error: bytes) -> int:
    """Message batches give an error's type and no status."""
    found = _decode(error)
    inner = found.get("error", found) if isinstance(found, dict) else {}
    return _STATUS_BY_TYPE.get(str(inner.get("type")), 500)


def _us(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return int((moment - _EPOCH).total_seconds() * 1e6)


SHAPES: Final[dict[str, BatchShape]] = {"openai": OpenAiBatches(), "anthropic": AnthropicBatches()}
"""By `Target.batch_api`."""
