"""Keys that another gateway made and that go on working here.

Of such a key only the SHA-256 digest of its whole text is known. What is kept is a keyed hash of that
digest, so a stolen table is as useless here as one of our own keys, and a digest is never a credential.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.errors import InvalidRequest
from domain.tenancy.key import BASE62, KEY_ID_LENGTH
from domain.tenancy.key_rules import (
    ALLOWED_MODELS_MAX,
    NAME_LENGTH_MAX,
    PAYERS,
    TENANT_SHAPE,
    check_payer,
)
from domain.tenancy.role import ROLES

SHA256_SCHEME: Final = "sha256"
DIGEST_SIZE_BYTES: Final = 32
NOTE_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedKey:
    """A foreign key as it was found. `digest` is the SHA-256 of its text; `blocked` ones never let in.

    Times are aware UTC. `allowed_models` None: all of the tenant's.
    """

    digest: bytes
    tenant_id: str
    name: str
    role: str
    created_at: datetime
    allowed_models: frozenset[str] | None = None
    expires_at: datetime | None = None
    blocked: bool = False
    note: str = ""
    team: str = ""
    project: str = ""
    cost_center: str = ""


def imported_key_id(digest: bytes) -> str:
    """The id of that key here: always the same, so that a second import finds the first one's."""
    number = int.from_bytes(hashlib.sha256(b"imported key id:" + digest).digest(), "big")
    digits = []
    for _ in range(KEY_ID_LENGTH):
        number, digit = divmod(number, len(BASE62))
        digits.append(BASE62[digit])
    return "".join(digits)


def check_imported_key(key: ImportedKey) -> None:
    """Raises InvalidRequest that names the field and what is allowed."""
    if len(key.digest) != DIGEST_SIZE_BYTES:
        raise InvalidRequest("the digest of an imported key has 32 bytes", param="digest")
    if not TENANT_SHAPE.fullmatch(key.tenant_id):
        raise InvalidRequest(f"tenant_id {key.tenant_id[:80]!r} is none", param="tenant_id")
    if not key.name.strip() or len(key.name) > NAME_LENGTH_MAX or not key.name.isprintable():
        raise InvalidRequest(f"name must be 1-{NAME_LENGTH_MAX} printable characters", param="name")
    if key.role not in ROLES:
        raise InvalidRequest(f"role {key.role[:80]!r} is unknown; allowed: {', '.join(ROLES)}", param="role")
    if key.allowed_models is not None and not 1 <= len(key.allowed_models) <= ALLOWED_MODELS_MAX:
        raise InvalidRequest(f"allowed_models must name 1-{ALLOWED_MODELS_MAX}", param="allowed_models")
    for field in PAYERS:
        check_payer(getattr(key, field), field)
    if len(key.note) > NOTE_LENGTH_MAX:
        raise InvalidRequest(f"note must have at most {NOTE_LENGTH_MAX} characters", param="note")
