"""`/v1/batches`, in OpenAI's shape."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_batches import ManageBatches
from domain.batch.batch import Batch
from domain.money import format_usd
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Body, Door, decode, guarded_routes, read_bounded
from entrypoints.http.pages import read_page


class NewBatchBody(Body, forbid_unknown_fields=False):
    """`POST /v1/batches`. Fields that are not known here are OpenAI's business and left alone."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None


def batch_routes(door: Door, batches: ManageBatches) -> list[Route]:
    """The routes, each behind its permission from the one table."""
    handlers = _Batches(batches)
    return guarded_routes(
        door,
        {
            ("POST", "/v1/batches"): handlers.create,
            ("GET", "/v1/batches"): handlers.list,
            ("GET", "/v1/batches/{batch_id}"): handlers.get,
            ("POST", "/v1/batches/{batch_id}/cancel"): handlers.cancel,
        },
    )


class _Batches:
    def __init__(self, batches: ManageBatches) -> None:
        self._batches = batches

    async def create(self, request: Request, by: Principal) -> Any:
        asked = decode(await read_bounded(request), NewBatchBody)
        batch = await self._batches.create(
            by,
            input_file_id=asked.input_file_id,
            endpoint=asked.endpoint,
            completion_window=asked.completion_window,
            metadata=asked.metadata or {},
        )
        return batch_object(batch)

    async def list(self, request: Request, by: Principal) -> Any:
        page = read_page(request, limit_default=20, limit_max=100)
        found, more = await self._batches.page(by, after=page.after, limit=page.limit)
        shown = [batch_object(one) for one in found]
        return {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": more,
        }

    async def get(self, request: Request, by: Principal) -> Any:
        return batch_object(await self._batches.get(by, request.path_params["batch_id"]))

    async def cancel(self, request: Request, by: Principal) -> Any:
        return batch_object(await self._batches.cancel(by, request.path_params["batch_id"]))


def batch_object(batch: Batch) -> dict[str, Any]:
    """A batch as OpenAI shows one; `interchange` holds what OpenAI has no field for."""
    moments = batch.moments
    problems = [
        {"code": one.code, "message": one.message, "line": one.line, "param": one.param}
        for one in batch.problems
    ]
    return {
        "id": batch.batch_id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": problems} if problems else None,
        "input_file_id": batch.input_file_id,
        "completion_window": batch.completion_window,
        "status": batch.shown_status.value,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": _seconds(batch.created_at_us),
        "in_progress_at": _seconds(moments.in_progress),
        "expires_at": _seconds(batch.expires_at_us),
        "finalizing_at": _seconds(moments.finalizing),
        "completed_at": _seconds(moments.completed),
        "failed_at": _seconds(moments.failed),
        "expired_at": _seconds(moments.expired),
        "cancelling_at": _seconds(moments.cancelling),
        "cancelled_at": _seconds(moments.cancelled),
        "request_counts": batch.counts._asdict(),
        "metadata": dict(batch.metadata) or None,
        "interchange": {
            "mode": batch.settings.mode.value,
            "answered_by": batch.answered_by or None,
            "cost_usd": format_usd(batch.cost_nano_usd),
            "uncosted_tries": batch.uncosted,
            "unresolved_tries": batch.unresolved,
            "budget_usd": None
            if batch.settings.budget_nano_usd is None
            else format_usd(batch.settings.budget_nano_usd),
            "waiting_for": batch.waiting_for or None,
            "stopped_by": None if batch.stop is None else batch.stop.value,
        },
    }


def _seconds(at_us: int | None) -> int | None:
    return None if at_us is None else at_us // 1_000_000
