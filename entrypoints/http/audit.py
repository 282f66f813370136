"""`/api/v1/audit`: entries, checkpoints and proofs."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from application.ports.audit import AuditQuestion, LoggedCheckpoint
from application.use_cases.read_audit import ReadAudit
from domain.audit.entry import BEGUN, KINDS, UNKNOWN, AuditEntry, parse_entry_id
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.audit_objects import entry_object
from entrypoints.http.guard import Door, guarded_routes, only_parameters

LIMIT_DEFAULT: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS: Final = ("actor", "action", "subject", "outcome", "request_id")
_PARAMETERS: Final = ("tenant_id", "kind", "from", "to", "before", "limit", *_TEXTS)


def audit_routes(door: Door, read: ReadAudit) -> list[Route]:
    """The three routes."""

    async def entries(request: Request, by: Principal) -> Any:
        only_parameters(request, *_PARAMETERS)
        page = await read.page(by, _question(request, by))
        tenant_id = page.entries[0].draft.tenant_id if page.entries else ""
        return {
            "entries": [entry_object(entry, _state(entry, page.outcomes)) for entry in page.entries],
            "next": None if page.next_seq is None else f"{tenant_id}.{page.next_seq}",
        }

    async def checkpoints(request: Request, _by: Principal) -> Any:
        only_parameters(request, "below", "limit", "from_size")
        found = await read.checkpoints(_number(request, "below"), _limit(request))
        answer: dict[str, Any] = {
            "key": str(read.signer.key),
            "checkpoints": [_checkpoint_object(each) for each in found],
        }
        from_size = _number(request, "from_size")
        if from_size is not None:
            newest, path = await read.consistency(from_size)
            answer["consistency"] = {
                "from_size": from_size,
                "to_size": newest.size,
                "path": [_base64(each) for each in path],
            }
        return answer

    async def proof(request: Request, by: Principal) -> Any:
        only_parameters(request)
        proved = await read.prove(by, request.path_params["entry_id"])
        return {
            "entry": entry_object(proved.entry, None),
            "previous_hash": None if proved.previous_hash is None else proved.previous_hash.hex(),
            "leaf": proved.leaf,
            "path": [_base64(each) for each in proved.path],
            "checkpoint": _checkpoint_object(proved.checkpoint),
            "key": str(read.signer.key),
        }

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/audit"): entries,
            ("GET", "/api/v1/audit/checkpoints"): checkpoints,
            ("GET", "/api/v1/audit/proof/{entry_id}"): proof,
        },
    )


def _question(request: Request, by: Principal) -> AuditQuestion:
    asked = request.query_params
    tenant_id = _text(request, "tenant_id") or by.tenant_id
    kind = asked.get("kind", "")
    if kind and kind not in KINDS:
        raise InvalidRequest(f"kind must be one of {', '.join(KINDS)}", param="kind")
    before = None
    if "before" in asked:
        place = parse_entry_id(asked["before"])
        if place is None or place[0] != tenant_id:
            raise InvalidRequest("before must be what `next` of the page before was", param="before")
        before = place[1]
    return AuditQuestion(
        tenant_id=tenant_id,
        limit=_limit(request),
        before_seq=before,
        from_us=_moment(request, "from"),
        to_us=_moment(request, "to"),
        kinds=(kind,) if kind else (),
        **{name: _text(request, name) for name in _TEXTS},
    )


def _state(entry: AuditEntry, outcomes: dict[int, AuditEntry]) -> str | None:
    """What came of an act; None where the entry says so itself."""
    if entry.draft.outcome != BEGUN:
        return None
    ended = outcomes.get(entry.seq)
    return UNKNOWN if ended is None else ended.draft.outcome


def _text(request: Request, name: str) -> str:
    text = request.query_params.get(name, "")
    if len(text) > 256 or "\0" in text:
        raise InvalidRequest(f"{name} must have at most 256 characters, and no NUL", param=name)
    return text


def _limit(request: Request) -> int:
    limit = _number(request, "limit")
    return LIMIT_DEFAULT if limit is None else limit


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InvalidRequest(f"{name} must be a number", param=name)
    return int(text)


def _moment(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be a time such as 2030-01-31T12:00:00Z", param=name) from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _checkpoint_object(checkpoint: LoggedCheckpoint) -> dict[str, Any]:
    made_at = _EPOCH + timedelta(microseconds=checkpoint.at_us)
    return {"size": checkpoint.size, "made_at": made_at.isoformat(), "note": checkpoint.note}


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
