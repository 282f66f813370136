"""Alerts in the database."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from adapters.sql.alert_tables import alert_findings, alert_history, alert_states
from adapters.sql.database import Database
from adapters.sql.outbox import tell
from adapters.sql.upserts import insert_into
from application.ports.alerts import AlertStore, Finding, HistoryEntry, Saved
from domain.sla.alert import Alert, AlertState

log = logging.getLogger("interchange")
_S: Final = alert_states.c
_H: Final = alert_history.c
_F: Final = alert_findings.c
_HISTORY: Final = [_H[name] for name in HistoryEntry._fields]
_FINDING: Final = [_F[name] for name in Finding._fields]


class SqlAlertStore(AlertStore):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, tenant_id: str | None = None) -> list[Alert]:
        statement = select(_S.alert_id, _S.body, _S.revision).order_by(_S.rule, _S.subject, _S.tenant_id)
        if tenant_id is not None:
            statement = statement.where(_S.tenant_id == tenant_id)

        def work(connection: Connection) -> list[Alert]:
            found = []
            for name, body, revision in connection.execute(statement):
                try:
                    found.append(read_alert(body, revision))
                except (ValueError, TypeError, KeyError) as error:
                    log.error("the alert %s cannot be read, and begins anew: %s", name, error)
            return found

        return await self._database.read(work)

    async def save(self, changes: Sequence[Saved]) -> int:
        def work(connection: Connection) -> int:
            done = 0
            for change in sorted(changes, key=lambda each: each.alert.alert_id):
                if not self._put(connection, change.alert):
                    continue
                done += 1
                for entry in change.history:
                    connection.execute(
                        insert_into(self._database.dialect, alert_history)
                        .values(**entry._asdict())
                        .on_conflict_do_nothing()
                    )
                for event in change.events:
                    tell(connection, event)
            return done

        return await self._database.write(work, alone=False)

    def _put(self, connection: Connection, alert: Alert) -> bool:
        values = {
            "rule": alert.rule,
            "subject": alert.subject,
            "state": alert.state.value,
            "body": alert_text(alert),
            "revision": alert.revision + 1,
        }
        mine = (_S.alert_id == alert.alert_id, _S.tenant_id == alert.tenant_id)
        if alert.revision:
            statement = update(alert_states).where(*mine, _S.revision == alert.revision).values(**values)
            return connection.execute(statement).rowcount > 0
        made = insert_into(self._database.dialect, alert_states).values(
            alert_id=alert.alert_id, tenant_id=alert.tenant_id, **values
        )
        return int(connection.execute(made.on_conflict_do_nothing()).rowcount) > 0

    async def drop(self, alerts: Sequence[Alert]) -> None:
        def work(connection: Connection) -> None:
            for alert in sorted(alerts, key=lambda each: each.alert_id):
                connection.execute(
                    delete(alert_states).where(
                        _S.alert_id == alert.alert_id,
                        _S.tenant_id == alert.tenant_id,
                        _S.revision == alert.revision,
                    )
                )

        if alerts:
            await self._database.write(work, alone=False)

    async def history(
        self, tenant_id: str | None, alert_id: str | None, *, before_us: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        statement = select(*_HISTORY).order_by(_H.at_us.desc(), _H.key.desc()).limit(limit)
        if tenant_id is not None:
            statement = statement.where(_H.tenant_id == tenant_id)
        if alert_id is not None:
            statement = statement.where(_H.alert_id == alert_id)
        if before_us is not None:
            statement = statement.where(_H.at_us < before_us)
        return await self._database.read(
            lambda connection: [HistoryEntry(*row) for row in connection.execute(statement)]
        )

    async def report(self, instance: str, findings: Iterable[Finding], until_us: int) -> None:
        unique = {(each.rule, each.subject, each.tenant_id): each for each in findings}
        rows = [{**each._asdict(), "instance": instance, "until_us": until_us} for each in unique.values()]

        def work(connection: Connection) -> None:
            connection.execute(delete(alert_findings).where(_F.instance == instance))
            if rows:
                connection.execute(insert(alert_findings), rows)

        await self._database.write(work, alone=False)

    async def reported(self, now_us: int) -> list[Finding]:
        statement = (
            select(*_FINDING)
            .where(_F.until_us > now_us)
            .order_by(_F.rule, _F.subject, _F.tenant_id, _F.instance)
        )
        return await self._database.read(
            lambda connection: [Finding(*row) for row in connection.execute(statement)]
        )

    async def forget(self, now_us: int, before_us: int) -> int:
        def work(connection: Connection) -> int:
            old = connection.execute(delete(alert_history).where(_H.at_us < before_us)).rowcount
            return old + connection.execute(delete(alert_findings).where(_F.until_us <= now_us)).rowcount

        return await self._database.write(work, alone=False)


def alert_text(alert: Alert) -> str:
    """As it is stored; its revision stands beside it."""
    return json.dumps({**asdict(alert), "revision": 0}, ensure_ascii=False)


def read_alert(text: str, revision: int) -> Alert:
    """The opposite of `alert_text`; what another version said beside is left out. Raises ValueError,
    TypeError."""
    said: dict[str, Any] = {
        name: value for name, value in json.loads(text).items() if name in Alert.__dataclass_fields__
    }
    alert = Alert(**said)
    return replace(alert, state=AlertState(alert.state), firings=tuple(alert.firings), revision=revision)
