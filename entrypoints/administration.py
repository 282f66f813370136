"""A database as commands see it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Protocol

Row = dict[str, Any]


class Administration(Protocol):
    """What the commands need of a database. Raises InterchangeError when it cannot be used."""

    newest_revision: str
    is_postgres: bool

    @property
    def place(self) -> str: ...

    def revision(self) -> str | None: ...

    def upgrade(self) -> bool: ...

    def downgrade(self, revision: str) -> bool: ...

    def audit_role(self, member: str | None) -> list[str]: ...

    def facts(self) -> Row: ...

    def partitions(self) -> list[Row]: ...

    def tidy(self, now: datetime, retention_days: int | None) -> list[str]: ...


Entering = Callable[[str, str], None]
"""Enters in the audit trail that this action was done to this subject. Raises StoreUnavailable."""


def nobody_enters(_action: str, _subject: str) -> None:
    return None


class Opened(NamedTuple):
    """The configured database, what is configured about it, and the time."""

    database: Administration
    retention_days: int | None
    now: datetime
    enter: Entering = nobody_enters
