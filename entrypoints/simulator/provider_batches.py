"""Batch APIs of the simulated providers: OpenAI's `/files` and `/batches`, Anthropic's `/messages/batches`.

A batch is worked on for `delay_s` after it was made, then all its lines are answered and billed at half the
price. A line whose prompt holds `[expire]` is not reached before the batch's time is over. Ids belong to
the account that got them: provider and key.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from entrypoints.simulator.conversation import Rejected, Tokens
from entrypoints.simulator.routes import Route
from entrypoints.simulator.rules import RequestFacts

EXPIRING = b"[expire]"
DELAY_S = 0.2
_KEPT_MAX = 2000
_encode = msgspec.json.encode
_decode = msgspec.json.decode

Account = tuple[str, str]


class Line(NamedTuple):
    """What one line was answered with; tokens are None for an error."""

    status: int
    body: bytes
    tokens: Tokens | None


Work = Callable[[str, str, dict[str, Any], RequestFacts], Line]
"""(provider, path, body, facts) -> the answer of one line, not billed yet."""
Charge = Callable[[str, str, Tokens], None]
"""(provider, model, tokens): bills at the batch price."""


class _Batch:
    """One batch. `rows` are its results once it has ended."""

    def __init__(
        self, number: int, made_at: float, requests: list[dict[str, Any]], wanted: dict[str, Any]
    ) -> None:
        self.number = number
        self.made_at = made_at
        self.requests = requests
        self.wanted = wanted
        self.status = "in_progress"
        self.good: list[bytes] = []
        self.bad: list[bytes] = []
        self.counts = {"succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


class SimulatedBatches:
    """The newest files and batches of every account."""

    def __init__(self, work: Work, charge: Charge) -> None:
        self._work = work
        self._charge = charge
        self._files: OrderedDict[tuple[Account, str], bytes] = OrderedDict()
        self._batches: OrderedDict[tuple[Account, str], _Batch] = OrderedDict()
        self._made = 0
        self.delay_s = DELAY_S

    def answer(self, route: Route, raw: bytes, facts: RequestFacts) -> bytes:
        """The body of an answer. Raises Rejected."""
        account = (facts.provider, facts.provider_key)
        parts = [part for part in route.path.split("/") if part and part != "v1"]
        if parts[0] == "messages":
            return self._anthropic(account, route.method, parts[2:], raw, facts)
        if parts[0] == "files":
            return self._file(account, route.method, parts[1:], raw)
        return self._openai(account, route.method, parts[1:], raw, facts)

    def _file(self, account: Account, method: str, parts: list[str], raw: bytes) -> bytes:
        if method == "POST" and not parts:
            content = _file_in(raw)
            file_id = self._keep_file(account, content)
            return _encode({"id": file_id, "object": "file", "bytes": len(content), "purpose": "batch"})
        content_of = self._files.get((account, parts[0])) if parts else None
        if method == "GET" and content_of is not None and parts[1:] == ["content"]:
            return content_of
        raise Rejected(404, "No such File object", kind="invalid_request_error", param="id")

    def _keep_file(self, account: Account, content: bytes) -> str:
        self._made += 1
        file_id = f"file-sim{self._made}"
        _keep(self._files, (account, file_id), content)
        return file_id

    def _openai(
        self, account: Account, method: str, parts: list[str], raw: bytes, facts: RequestFacts
    ) -> bytes:
        if method == "POST" and not parts:
            wanted = _decode(raw)
            content = self._files.get((account, wanted.get("input_file_id", "")))
            if content is None:
                raise Rejected(400, "Invalid file id", kind="invalid_request_error", param="input_file_id")
            requests = [_decode(line) for line in content.splitlines() if line.strip()]
            return self._shown_openai(account, *self._begin(account, "batch_sim", requests, wanted, facts))
        if method == "GET" and not parts:
            mine = [(one, self._batches[name, one]) for name, one in self._batches if name == account]
            data = [_decode(self._shown_openai(account, one, batch)) for one, batch in reversed(mine)]
            return _encode({"object": "list", "data": data, "has_more": False})
        batch = self._find(account, parts)
        if parts[1:] == ["cancel"] and batch.status == "in_progress":
            batch.status = "cancelling"
        return self._shown_openai(account, parts[0], batch)

    def _shown_openai(self, account: Account, batch_id: str, batch: _Batch) -> bytes:
        ended = batch.status == "ended"
        counts = batch.counts
        shown = {
            "id": batch_id,
            "object": "batch",
            "endpoint": batch.wanted.get("endpoint"),
            "input_file_id": batch.wanted.get("input_file_id"),
            "status": _openai_status(batch),
            "metadata": batch.wanted.get("metadata"),
            "created_at": int(batch.made_at),
            "request_counts": {
                "total": len(batch.requests),
                "completed": counts["succeeded"],
                "failed": sum(counts.values()) - counts["succeeded"],
            },
            "output_file_id": f"file-out-{batch_id}" if ended and batch.good else None,
            "error_file_id": f"file-err-{batch_id}" if ended and batch.bad else None,
        }
        if ended:
            _keep(self._files, (account, f"file-out-{batch_id}"), b"\n".join(batch.good) + b"\n")
            _keep(self._files, (account, f"file-err-{batch_id}"), b"\n".join(batch.bad) + b"\n")
        return _encode(shown)

    def _anthropic(
        self, account: Account, method: str, parts: list[str], raw: bytes, facts: RequestFacts
    ) -> bytes:
        if method == "POST" and not parts:
            requests = _decode(raw)["requests"]
            return _shown_anthropic(*self._begin(account, "msgbatch_sim", requests, {}, facts))
        if method == "GET" and not parts:
            mine = [(one, self._batches[name, one]) for name, one in self._batches if name == account]
            data = [_decode(_shown_anthropic(one, batch)) for one, batch in reversed(mine)]
            return _encode({"data": data, "has_more": False})
        batch = self._find(account, parts)
        if parts[1:] == ["results"]:
            if batch.status != "ended":
                raise Rejected(404, "The batch has no results yet", kind="not_found_error")
            return b"\n".join((*batch.good, *batch.bad)) + b"\n"
        if parts[1:] == ["cancel"] and batch.status == "in_progress":
            batch.status = "cancelling"
        return _shown_anthropic(parts[0], batch)

    def _find(self, account: Account, parts: list[str]) -> _Batch:
        batch = self._batches.get((account, parts[0]))
        if batch is None:
            raise Rejected(404, f"No batch found with id '{parts[0]}'.", kind="not_found_error")
        return batch

    def _begin(
        self,
        account: Account,
        prefix: str,
        requests: list[dict[str, Any]],
        wanted: dict[str, Any],
        facts: RequestFacts,
    ) -> tuple[str, _Batch]:
        self._made += 1
        batch_id = f"{prefix}{self._made}"
        batch = _Batch(self._made, datetime.now(UTC).timestamp(), requests, wanted)  # noqa: TID251
        _keep(self._batches, (account, batch_id), batch)
        asyncio.get_running_loop().call_later(self.delay_s, self._end, account, batch, facts)
        return batch_id, batch

    def _end(self, account: Account, batch: _Batch, facts: RequestFacts) -> None:
        """All lines at once: answered, billed, written down."""
        cancelled = batch.status == "cancelling"
        for request in batch.requests:
            theirs = "params" in request
            body = request["params"] if theirs else request["body"]
            path = "/v1/messages" if theirs else str(request["url"])
            custom_id = request["custom_id"]
            if cancelled or EXPIRING in _encode(body):
                kind = "canceled" if cancelled else "expired"
                batch.counts[kind] += 1
                batch.bad.append(_unasked(custom_id, kind, theirs=theirs))
                continue
            line = self._work(account[0], path, body, facts)
            good = line.status == 200
            batch.counts["succeeded" if good else "errored"] += 1
            if good and line.tokens is not None:
                self._charge(account[0], str(body.get("model", "")), line.tokens)
            (batch.good if good else batch.bad).append(_row(custom_id, line, theirs=theirs))
        batch.status = "ended"


def _row(custom_id: str, line: Line, *, theirs: bool) -> bytes:
    body = msgspec.Raw(line.body)
    if not theirs:
        response = {"status_code": line.status, "request_id": "req_sim", "body": body}
        return _encode({"id": "batch_req_sim", "custom_id": custom_id, "response": response, "error": None})
    if line.status == 200:
        return _encode({"custom_id": custom_id, "result": {"type": "succeeded", "message": body}})
    return _encode({"custom_id": custom_id, "result": {"type": "errored", "error": body}})


def _unasked(custom_id: str, kind: str, *, theirs: bool) -> bytes:
    if theirs:
        return _encode({"custom_id": custom_id, "result": {"type": kind}})
    error = {"code": f"batch_{kind}", "message": f"This request was {kind} before it could be asked."}
    return _encode({"id": "batch_req_sim", "custom_id": custom_id, "response": None, "error": error})


def _openai_status(batch: _Batch) -> str:
    if batch.status != "ended":
        return batch.status
    if batch.counts["canceled"]:
        return "cancelled"
    return "expired" if batch.counts["expired"] else "completed"


def _shown_anthropic(batch_id: str, batch: _Batch) -> bytes:
    ended = batch.status == "ended"
    waiting = 0 if ended else len(batch.requests)
    status = "ended" if ended else "canceling" if batch.status == "cancelling" else "in_progress"
    return _encode(
        {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {"processing": waiting, **batch.counts},
            "created_at": datetime.fromtimestamp(batch.made_at, UTC).isoformat(),
            "results_url": f"/v1/messages/batches/{batch_id}/results" if ended else None,
        }
    )


def _file_in(raw: bytes) -> bytes:
    """The file of a form: the last part with a name for it."""
    boundary = raw.split(b"\r\n", 1)[0]
    for part in reversed(raw.split(boundary)):
        head, found, content = part.partition(b"\r\n\r\n")
        if found and b"filename=" in head:
            return content.removesuffix(b"\r\n")
    raise Rejected(400, "'file' is a required property", kind="invalid_request_error", param="file")


def _keep(where: "OrderedDict[Any, Any]", name: Any, value: Any) -> None:
    where[name] = value
    while len(where) > _KEPT_MAX:
        where.popitem(last=False)
