"""Alerts as people see them: which fire and what happened; keeping one quiet, or looking after it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from application.events.writing import epoch_us, moment_text
from application.ports.alerts import AlertStore, HistoryEntry, Saved
from application.ports.system import Clock
from application.sla.telling import history_of
from application.sla.terms import AlertTerms
from domain.errors import Conflict, InvalidRequest, NotFound
from domain.sla.alert import SILENCE_S_MAX, Alert, AlertState
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

READ: Final = "alerts.read"
OPERATE: Final = "alerts.operate"
REASON_LENGTH_MAX: Final = 200
TRIES_MAX: Final = 5
"""The monitor changes alerts that fire at every look."""
_US: Final = 1_000_000


class ManageAlerts:
    """Within the caller's tenant; the installation's own alerts are the operator's tenant's."""

    def __init__(self, alerts: AlertStore, clock: Clock, terms: Callable[[], AlertTerms]) -> None:
        self._alerts = alerts
        self._clock = clock
        self._terms = terms

    @property
    def terms(self) -> AlertTerms:
        """What the configuration says now."""
        return self._terms()

    def now_us(self) -> int:
        """UTC epoch microseconds."""
        return epoch_us(self._clock.utc_now())

    async def active(
        self, by: Principal, *, rule: str | None = None, state: AlertState | None = None
    ) -> list[Alert]:
        """Those that fire, and those that will if it goes on; firing ones first, the newest first.

        Raises Forbidden, StoreUnavailable.
        """
        check_tenant(by, by.tenant_id, READ)
        found = [
            each
            for each in await self._alerts.all(by.tenant_id)
            if (each.state is not AlertState.INACTIVE if state is None else each.state is state)
            and rule in (None, each.rule)
        ]
        return sorted(found, key=lambda each: (not each.firing, -each.since_us, each.alert_id))

    async def one(self, by: Principal, alert_id: str) -> Alert:
        """Raises NotFound, Forbidden, StoreUnavailable."""
        check_tenant(by, by.tenant_id, READ)
        return await self._mine(by, alert_id)

    async def history(
        self, by: Principal, alert_id: str | None = None, *, before_us: int | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """What happened, newest first. Raises Forbidden, StoreUnavailable."""
        check_tenant(by, by.tenant_id, READ)
        return await self._alerts.history(by.tenant_id, alert_id, before_us=before_us, limit=limit)

    async def silence(self, by: Principal, alert_id: str, for_s: float, reason: str = "") -> Alert:
        """Nothing is told of it for so long; 0 ends a silence. That it is over is told in any case to whoever
        was told that it fires.

        Raises InvalidRequest (names the field), NotFound, Forbidden, Conflict, StoreUnavailable.
        """
        check_tenant(by, by.tenant_id, OPERATE)
        if not 0 <= for_s <= SILENCE_S_MAX:
            raise InvalidRequest(f"for_s is 0 to {SILENCE_S_MAX:g} seconds", param="for_s")
        if len(reason) > REASON_LENGTH_MAX or not reason.isprintable():
            raise InvalidRequest(
                f"a reason is one line of at most {REASON_LENGTH_MAX} characters", param="reason"
            )
        now_us = self.now_us()
        until_us = now_us + round(for_s * _US) if for_s else None
        what = "silenced" if for_s else "unsilenced"
        note = reason if until_us is None else f"until {moment_text(until_us)}. {reason}".strip()

        def silenced(alert: Alert) -> Alert:
            return replace(
                alert,
                silenced_until_us=until_us,
                silenced_by=by.key_id if for_s else "",
                silence_reason=reason if for_s else "",
            )

        return await self._change(by, alert_id, silenced, what, note, now_us)

    async def acknowledge(self, by: Principal, alert_id: str) -> Alert:
        """Somebody looks after it. Raises NotFound, Forbidden, Conflict where it does not fire or changes all
        the time, StoreUnavailable."""
        check_tenant(by, by.tenant_id, OPERATE)
        if not (await self._mine(by, alert_id)).firing:
            raise Conflict("the alert does not fire; there is nothing to acknowledge")
        now_us = self.now_us()

        def acknowledged(alert: Alert) -> Alert:
            return replace(alert, acknowledged_at_us=now_us, acknowledged_by=by.key_id)

        return await self._change(by, alert_id, acknowledged, "acknowledged", "", now_us)

    async def _change(
        self,
        by: Principal,
        alert_id: str,
        change: Callable[[Alert], Alert],
        what: str,
        note: str,
        now_us: int,
    ) -> Alert:
        for _ in range(TRIES_MAX):
            alert = change(await self._mine(by, alert_id))
            entry = history_of(alert, what, now_us, by=by.key_id, note=note)
            if await self._alerts.save([Saved(alert, (entry,))]):
                return replace(alert, revision=alert.revision + 1)
        raise Conflict("the alert was changed by somebody else again and again; try once more")

    async def _mine(self, by: Principal, alert_id: str) -> Alert:
        for alert in await self._alerts.all(by.tenant_id):
            if alert.alert_id == alert_id:
                return alert
        raise NotFound(f"no alert {alert_id[:100]!r} in this tenant", param="alert_id")
