"""A credential at rest: where it belongs, and everything about it but itself."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from typing import Final, NamedTuple

from domain.errors import Conflict, InvalidRequest

SECRET_BYTES_MAX: Final = 64 * 1024
CREDENTIALS_PER_TENANT_MAX: Final = 1000
TENANT_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of all sealed credentials of one tenant."""

OWN_TENANT: Final = ""
"""Holds what the vault keeps for itself: no tenant can be called that."""

NAME_SHAPE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
KEY_ID_SHAPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}")
DEFAULT_INTEGRATION: Final = "provider"
DEFAULT_FIELD: Final = "api_key"
FORMAT: Final = "interchange vault 1"


class CredentialAddress(NamedTuple):
    """Where a sealed credential belongs; one that is found anywhere else does not open."""

    tenant_id: str
    integration: str
    credential_id: str
    name: str
    field: str
    version: int

    def context(self, key_id: str, layer: str) -> dict[str, str]:
        """What both layers of an envelope are bound to. `layer` is `data` or `key`."""
        return {
            "format": FORMAT,
            "layer": layer,
            "tenant": self.tenant_id,
            "integration": self.integration,
            "credential": self.credential_id,
            "name": self.name,
            "field": self.field,
            "version": str(self.version),
            "key": key_id,
        }


def canonical(context: Mapping[str, str]) -> bytes:
    """A context as bytes: sorted names and values, each after its length, so that no two are alike."""
    parts = [part.encode() for name in sorted(context) for part in (name, context[name])]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCredential:
    """A row. `sealed_at` is when its data key was made."""

    credential_id: str
    tenant_id: str
    name: str
    integration: str
    field: str
    version: int
    key_id: str
    sealed: bytes = dataclass_field(repr=False)
    sealed_at: datetime
    created_at: datetime
    updated_at: datetime
    updated_by: str

    @property
    def address(self) -> CredentialAddress:
        return CredentialAddress(
            self.tenant_id, self.integration, self.credential_id, self.name, self.field, self.version
        )

    @property
    def digest(self) -> bytes:
        """Of the sealed bytes, which say nothing about what is inside; the manifest names it."""
        return hashlib.sha256(self.sealed).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """What is asked for. The value is handed over beside it, as a secret."""

    tenant_id: str
    name: str
    integration: str = DEFAULT_INTEGRATION
    field: str = DEFAULT_FIELD


class Change(NamedTuple):
    """One row as it shall be: `row` None removes it; `expected` is the digest it replaces, None: it is
    new."""

    credential_id: str
    expected: bytes | None
    row: StoredCredential | None


def check_names(new: NewCredential) -> None:
    """Raises InvalidRequest that names the field and what is allowed."""
    for param in ("name", "integration", "field"):
        text = getattr(new, param)
        if not NAME_SHAPE.fullmatch(text):
            raise InvalidRequest(
                f"{param} {text[:80]!r} must be 1-63 of a-z, 0-9, '.', '_' and '-', and start with a letter "
                "or digit",
                param=param,
            )


def check_value(value: bytes) -> None:
    """Raises InvalidRequest, which never shows the value."""
    if not value:
        raise InvalidRequest("value must not be empty", param="value")
    if len(value) > SECRET_BYTES_MAX:
        raise InvalidRequest(f"value must be at most {SECRET_BYTES_MAX} bytes", param="value")


def check_room(tenant_id: str, count: int, size_bytes: int) -> None:
    """Whether the tenant may hold so many, and so much. Raises Conflict."""
    if count > CREDENTIALS_PER_TENANT_MAX:
        raise Conflict(f"tenant {tenant_id} keeps {CREDENTIALS_PER_TENANT_MAX} credentials already")
    if size_bytes > TENANT_BYTES_MAX:
        raise Conflict(f"tenant {tenant_id} would keep more than {TENANT_BYTES_MAX} bytes of credentials")
