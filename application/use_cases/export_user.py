"""Everything that is stored about one user, for the user to have."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from application.ports.audit import AuditQuestion, AuditStore
from application.ports.subjects import SubjectRows
from domain.errors import Forbidden
from domain.privacy.erasure import Subject, check_user
from domain.tenancy.principal import Principal

EXPORT: Final = "privacy.export"
AUDIT_ENTRIES_MAX: Final = 1000
NOT_LISTED: Final = (
    "Kept answers and the places of conversations are not listed: they are filed under digests and sealed, "
    "and end by themselves. The audit trail names calls by their request ids, which are in this export, and "
    "nobody by name."
)


class ExportUser:
    """Reads in pages; what changes meanwhile may be in it or not."""

    def __init__(
        self,
        rows: SubjectRows,
        audit: AuditStore,
        unlock: Callable[[], Awaitable[None]],
        audited: Callable[[str, str], str],
    ) -> None:
        """`audited` tells how the audit trail speaks of a user of a tenant."""
        self._rows = rows
        self._audit = audit
        self._unlock = unlock
        self._audited = audited

    async def open(self, by: Principal, user_id: str) -> AsyncIterator[Mapping[str, Any]]:
        """Records one by one, each with its kind in `record`; the last one is the `end`, with their number.

        Raises Forbidden, InvalidRequest, VaultLocked, CredentialDamaged, StoreUnavailable; later only
        StoreUnavailable.
        """
        if not by.may(EXPORT):
            raise Forbidden(f"this key's role {by.role} may not do this: {EXPORT} is needed")
        subject = Subject(by.tenant_id, check_user(user_id))
        await self._unlock()
        return self._records(subject)

    async def _records(self, subject: Subject) -> AsyncIterator[Mapping[str, Any]]:
        count = 0
        yield {"record": "user", "id": subject.user_id, "tenant_id": subject.tenant_id}
        for section in self._rows.sections:
            after: str | None = ""
            while after is not None:
                page = await self._rows.page(section, subject, after)
                for record in page.records:
                    count += 1
                    yield {"record": section, **record}
                after = page.after
        about = self._audited(subject.tenant_id, subject.user_id)
        asked = AuditQuestion(subject.tenant_id, AUDIT_ENTRIES_MAX, subject=about)
        for entry in await self._audit.find(asked):
            count += 1
            draft = entry.draft
            yield {
                "record": "audit",
                "id": entry.entry_id,
                "at_us": draft.at_us,
                "action": draft.action,
                "outcome": draft.outcome,
                "actor_id": draft.actor_id,
            }
        yield {"record": "end", "records": count, "note": NOT_LISTED}
