"""Logins in memory, for tests and for what lives as long as one process."""

from dataclasses import replace
from datetime import datetime

from application.ports.sessions import SessionStore
from domain.errors import StoreUnavailable
from domain.tenancy.session import Session


class InMemorySessionStore(SessionStore):
    """`reachable = False` makes it fail as a store does that is away."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self.reachable = True

    async def keep(self, session: Session, *, sessions_max: int, per_subject_max: int) -> None:
        self._check()
        who = session.identity
        alike = [
            each.digest
            for each in self._oldest_first()
            if (each.identity.issuer, each.identity.subject) == (who.issuer, who.subject)
        ]
        for digest in alike[: max(0, len(alike) - per_subject_max + 1)]:
            del self._sessions[digest]
        for each in self._oldest_first()[: max(0, len(self._sessions) - sessions_max + 1)]:
            del self._sessions[each.digest]
        self._sessions[session.digest] = session

    def _oldest_first(self) -> list[Session]:
        return sorted(self._sessions.values(), key=lambda each: (each.seen_at, each.digest))

    async def find(self, digest: str) -> Session | None:
        self._check()
        return self._sessions.get(digest)

    async def seen(self, digest: str, at: datetime) -> None:
        self._check()
        if digest in self._sessions:
            self._sessions[digest] = replace(self._sessions[digest], seen_at=at)

    async def end(self, digest: str) -> bool:
        self._check()
        return self._sessions.pop(digest, None) is not None

    async def forget(self, *, ended_by: datetime, seen_before: datetime) -> int:
        self._check()
        gone = [
            each.digest
            for each in self._sessions.values()
            if each.ends_at <= ended_by or each.seen_at < seen_before
        ]
        for digest in gone:
            del self._sessions[digest]
        return len(gone)

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store of logins is not reachable")
