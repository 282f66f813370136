"""Which adapters stand behind the audit trail. A part of the composition root: it names adapters."""

import sys
from collections.abc import Mapping
from functools import partial

from adapters.audit.sinks import FileSink, OutputSink, WebhookSink
from adapters.crypto.audit_key import AUDIT_KEY_VARIABLE, load_audit_signer, signed_by
from adapters.crypto.key_hash import installation_id
from adapters.sql.audit import SqlAuditStore
from adapters.sql.audit_log import SqlAuditLog
from adapters.sql.audit_retention import SqlAuditRetention
from adapters.sql.database import Database
from adapters.sql.everywhere import ForEveryTenant
from adapters.sql.outbox import SqlOutbox
from adapters.system.clock import SystemClock
from application.events.checkpoints import CheckpointEvents
from application.ports.audit import CheckpointSink
from application.ports.http import HttpTransport
from domain.audit.verification import CheckSignature
from domain.privacy.erasure import audited_user
from entrypoints.auditing import Auditing, make_auditing
from entrypoints.settings import Settings


def open_auditing(
    settings: Settings,
    environ: Mapping[str, str],
    peppers: dict[int, bytes],
    database: Database,
    reports: Database,
    transport: HttpTransport,
) -> Auditing:
    """Reads or makes the signing key; opens nothing else.

    Raises InvalidRequest for a malformed key or address, StoreUnavailable.
    """
    clock, name = SystemClock(), installation_id(peppers)
    everything = ForEveryTenant(reports)
    return make_auditing(
        SqlAuditStore(ForEveryTenant(database), clock),
        SqlAuditStore(everything, clock),
        SqlAuditStore(reports, clock),
        SqlAuditLog(everything),
        SqlAuditRetention(everything),
        load_audit_signer(settings.data_dir, f"interchange-{name}", environ.get(AUDIT_KEY_VARIABLE)),
        clock,
        [*_sinks(settings, transport), CheckpointEvents(SqlOutbox(ForEveryTenant(database)), clock)],
        settings.audit,
        origin=f"interchange/{name}",
        user=partial(audited_user, peppers[min(peppers)]),
    )


def signature_check() -> CheckSignature:
    """What signatures are checked with; opens nothing."""
    return signed_by


def _sinks(settings: Settings, transport: HttpTransport) -> list[CheckpointSink]:
    audit = settings.audit
    sinks: list[CheckpointSink] = []
    production = settings.profile == "production"
    if production if audit.checkpoint_log is None else audit.checkpoint_log:
        sinks.append(OutputSink(sys.stdout))
    if audit.checkpoint_file is not None:
        sinks.append(FileSink(audit.checkpoint_file))
    if audit.checkpoint_webhook_url is not None:
        sinks.append(WebhookSink(audit.checkpoint_webhook_url.get_secret_value(), transport))
    return sinks
