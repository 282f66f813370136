"""Stored credentials: names and dates out, values in only."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_credentials import ManageCredentials
from application.use_cases.rotate_vault import RotateVault, VaultStatus
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from domain.vault.credential import DEFAULT_FIELD, DEFAULT_INTEGRATION, NewCredential, StoredCredential
from domain.vault.rotation import Rotation, RotationKind
from domain.vault.secret import SecretBytes
from entrypoints.http.audited import forget_body
from entrypoints.http.guard import Body, Created, Door, decode, guarded_routes, only_parameters, read_bounded


class NewCredentialBody(Body, repr_omit_defaults=True):
    """`POST /api/v1/credentials`."""

    name: str
    value: str
    integration: str = DEFAULT_INTEGRATION
    field: str = DEFAULT_FIELD
    tenant_id: str | None = None

    def __repr__(self) -> str:
        return f"NewCredentialBody({self.name!r})"


class NewValueBody(Body):
    """`PUT /api/v1/credentials/{credential_id}`."""

    value: str

    def __repr__(self) -> str:
        return "NewValueBody()"


class NewRotationBody(Body):
    """`POST /api/v1/credentials/rotation`."""

    kind: str = RotationKind.MASTER.value


def credential_routes(door: Door, manage: ManageCredentials, rotate: RotateVault) -> list[Route]:
    """`/api/v1/credentials`, one of them, and the rotation of the keys around all of them."""

    async def every(request: Request, by: Principal) -> Any:
        found = await manage.all(by, _tenant(request))
        return {"credentials": [credential_object(row) for row in found]}

    async def make(request: Request, by: Principal) -> Any:
        asked = decode(await _read_secret(request), NewCredentialBody)
        new = NewCredential(
            tenant_id=by.tenant_id if asked.tenant_id is None else asked.tenant_id,
            name=asked.name,
            integration=asked.integration,
            field=asked.field,
        )
        return Created(credential_object(await manage.create(by, new, _value(asked.value))))

    async def one(request: Request, by: Principal) -> Any:
        return credential_object(await manage.one(by, _id(request), _tenant(request)))

    async def replace(request: Request, by: Principal) -> Any:
        asked = decode(await _read_secret(request), NewValueBody)
        made = await manage.replace(by, _id(request), _value(asked.value), _tenant(request))
        return credential_object(made)

    async def delete(request: Request, by: Principal) -> Any:
        return credential_object(await manage.delete(by, _id(request), _tenant(request)))

    async def status(request: Request, by: Principal) -> Any:
        only_parameters(request)
        return status_object(await rotate.status(by))

    async def turn(request: Request, by: Principal) -> Any:
        body = await read_bounded(request)
        asked = decode(body, NewRotationBody) if body else NewRotationBody()
        kinds = [kind.value for kind in RotationKind]
        if asked.kind not in kinds:
            raise InvalidRequest(f"kind must be one of {', '.join(kinds)}", param="kind")
        return Created(rotation_object(await rotate.begin(by, RotationKind(asked.kind))))

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/credentials"): every,
            ("POST", "/api/v1/credentials"): make,
            ("GET", "/api/v1/credentials/rotation"): status,
            ("POST", "/api/v1/credentials/rotation"): turn,
            ("GET", "/api/v1/credentials/{credential_id}"): one,
            ("PUT", "/api/v1/credentials/{credential_id}"): replace,
            ("DELETE", "/api/v1/credentials/{credential_id}"): delete,
        },
    )


def credential_object(row: StoredCredential) -> dict[str, Any]:
    """Everything about a credential but itself; times are ISO, UTC."""
    return {
        "credential_id": row.credential_id,
        "tenant_id": row.tenant_id,
        "name": row.name,
        "integration": row.integration,
        "field": row.field,
        "version": row.version,
        "key_id": row.key_id,
        "sealed_at": row.sealed_at.isoformat(),
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
        "updated_by": row.updated_by,
    }


def rotation_object(rotation: Rotation) -> dict[str, Any]:
    """A rotation as JSON."""
    finished = rotation.finished_at
    return {
        "rotation_id": rotation.rotation_id,
        "kind": rotation.kind.value,
        "started_at": rotation.started_at.isoformat(),
        "started_by": rotation.started_by,
        "total": rotation.total,
        "done": rotation.done,
        "failed": rotation.failed,
        "finished_at": None if finished is None else finished.isoformat(),
    }


def status_object(status: VaultStatus) -> dict[str, Any]:
    """The keys and the newest rotation as JSON; keys by name only."""
    return {
        "rotation": None if status.rotation is None else rotation_object(status.rotation),
        "makes_keys": status.makes_keys,
        "keys": [
            {
                "key_id": use.key.key_id,
                "made_at": None if use.key.made_at is None else use.key.made_at.isoformat(),
                "primary": use.primary,
                "here": use.here,
                "credentials": use.credentials,
            }
            for use in status.keys
        ],
    }


async def _read_secret(request: Request) -> bytes:
    body = await read_bounded(request)
    forget_body(request)
    return body


def _value(text: str) -> SecretBytes:
    try:
        return SecretBytes(text.encode())
    except UnicodeEncodeError:
        raise InvalidRequest("value must be valid text", param="value") from None


def _id(request: Request) -> str:
    return str(request.path_params["credential_id"])


def _tenant(request: Request) -> str | None:
    only_parameters(request, "tenant_id")
    return request.query_params.get("tenant_id")
