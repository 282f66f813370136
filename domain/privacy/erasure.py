"""Forgetting a user: who is meant, what stands in their place, and how far it is."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from domain.errors import InvalidRequest

USER_LENGTH_MAX: Final = 256
_LABEL: Final = b"interchange audit user 1|"


class Subject(NamedTuple):
    """A user of one tenant, by the id that callers name, and what rows say in its place that must stay.
    `at_us` is when forgetting was asked for, UTC epoch microseconds."""

    tenant_id: str
    user_id: str
    pseudonym: str = ""
    at_us: int = 0


class ErasureState(Enum):
    """Where it is."""

    RUNNING = "running"
    """Content and names are being removed."""
    COMPACTING = "compacting"
    """Nothing names the user any more; freed space is being overwritten."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """`user_id` is empty from `COMPACTING` on. `counts` are rows by what they are. Times are UTC epoch
    microseconds."""

    erasure_id: str
    tenant_id: str
    user_id: str
    pseudonym: str
    state: ErasureState
    asked_by: str
    started_at_us: int
    updated_at_us: int
    step: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    finished_at_us: int | None = None

    @property
    def subject(self) -> Subject:
        """Who is forgotten."""
        return Subject(self.tenant_id, self.user_id, self.pseudonym, self.started_at_us)


def check_user(user_id: str) -> str:
    """Raises InvalidRequest for what callers cannot have named a user."""
    if not user_id or len(user_id) > USER_LENGTH_MAX or "\x00" in user_id:
        raise InvalidRequest(f"a user's id has 1 to {USER_LENGTH_MAX} characters", param="user_id")
    return user_id


def audited_user(secret: bytes, tenant_id: str, user_id: str) -> str:
    """How the audit trail, which is never changed, speaks of a user: a keyed digest. Whoever has the
    installation's secret can check whether an entry is about a user it already knows, and nothing else."""
    tenant, user = tenant_id.encode("utf-8", "replace"), user_id.encode("utf-8", "replace")
    text = _LABEL + b"%d:%b|%b" % (len(tenant), tenant, user)
    return f"user:{hmac.digest(secret, text, hashlib.sha256)[:16].hex()}"
