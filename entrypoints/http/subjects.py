"""`/api/v1/privacy/subjects` and `/api/v1/privacy/erasures`: a user's data, to have and to be forgotten."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from application.use_cases.erase_user import EraseUser
from application.use_cases.export_user import ExportUser
from domain.privacy.erasure import Erasure
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Door, guarded_routes, only_parameters

JSON_LINES: Final = "application/jsonl"
LINES_AT_ONCE: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encode: Final = msgspec.json.Encoder().encode


def subject_routes(door: Door, export: ExportUser, erase: EraseUser) -> list[Route]:
    """The trail speaks of users by keyed digests only."""

    async def show(request: Request, by: Principal) -> Any:
        only_parameters(request)
        records = await export.open(by, request.path_params["user_id"])
        # The first record is read before the answer begins, so that an error is still an answer.
        first = await anext(records)
        return StreamingResponse(
            _lines(first, records), media_type=JSON_LINES, headers={"cache-control": "no-store"}
        )

    async def forget(request: Request, by: Principal) -> Any:
        only_parameters(request)
        begun = await erase.begin(by, request.path_params["user_id"])
        return JSONResponse(erasure_object(begun, erase.steps), 202, headers={"cache-control": "no-store"})

    async def one(request: Request, by: Principal) -> Any:
        only_parameters(request)
        return erasure_object(await erase.get(by, request.path_params["erasure_id"]), erase.steps)

    async def newest(request: Request, by: Principal) -> Any:
        only_parameters(request)
        return {"erasures": [erasure_object(each, erase.steps) for each in await erase.newest(by)]}

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/privacy/subjects/{user_id:path}"): show,
            ("DELETE", "/api/v1/privacy/subjects/{user_id:path}"): forget,
            ("GET", "/api/v1/privacy/erasures"): newest,
            ("GET", "/api/v1/privacy/erasures/{erasure_id}"): one,
        },
    )


def erasure_object(erasure: Erasure, steps: int) -> dict[str, Any]:
    """How far it is; never says who."""
    finished = erasure.finished_at_us
    return {
        "erasure_id": erasure.erasure_id,
        "state": erasure.state.value,
        "pseudonym": erasure.pseudonym,
        "steps_done": min(erasure.step, steps),
        "steps": steps,
        "counts": dict(erasure.counts),
        "asked_by": erasure.asked_by,
        "started_at": _iso(erasure.started_at_us),
        "finished_at": None if finished is None else _iso(finished),
    }


async def _lines(first: Mapping[str, Any], records: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[bytes]:
    lines = [_encode(first)]
    async for record in records:
        lines.append(_encode(record))
        if len(lines) >= LINES_AT_ONCE:
            yield b"\n".join(lines) + b"\n"
            lines = []
    if lines:
        yield b"\n".join(lines) + b"\n"


def _iso(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds")
