"""Projects: what inside a tenant a key's cost is counted for, with whoever pays for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.errors import InvalidRequest
from domain.tenancy.key_rules import PAYER_LENGTH_MAX, PAYER_SHAPE, check_payer

PROJECTS_PER_TENANT_MAX: Final = 10_000
DESCRIPTION_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project of one tenant. Keys name it; `cost_center` is theirs unless they name another."""

    tenant_id: str
    name: str
    cost_center: str = ""
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


def check_project(project: Project) -> None:
    """Raises InvalidRequest that names the field and what is allowed."""
    if not PAYER_SHAPE.fullmatch(project.name):
        raise InvalidRequest(
            f"a project's name must be 1-{PAYER_LENGTH_MAX} letters, digits, spaces and ._:/- and start with "
            "a letter or digit",
            param="name",
        )
    check_payer(project.cost_center, "cost_center")
    check_text(project.description, "description")


def check_text(text: str, field: str) -> None:
    """Raises InvalidRequest unless it is a line people can read; empty is fine."""
    if len(text) > DESCRIPTION_LENGTH_MAX or (text and not text.isprintable()):
        raise InvalidRequest(
            f"{field} must have at most {DESCRIPTION_LENGTH_MAX} printable characters", param=field
        )
