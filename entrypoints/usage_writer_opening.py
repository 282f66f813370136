"""Opens the writer of usage rows with what follows them, in a server or in a process of its own. A part of
the composition root: it names adapters, and no more of them than writing rows takes."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from adapters.privacy.detector import PatternDetector
from adapters.sql.audit_leaves import AuditLeaves
from adapters.sql.database import Database
from adapters.sql.everywhere import ForEveryTenant
from adapters.sql.ledger_postings import LedgerPostings
from adapters.sql.opening import open_database
from adapters.sql.quality_days import QualityDays
from adapters.sql.request_events import RequestEvents
from adapters.sql.sla_measures import SlaFollower
from adapters.sql.thread import BlockingThread
from adapters.sql.usage_messages import (
    FORM,
    UP,
    NotWritten,
    Opening,
    Wanted,
    decode_question,
    framed,
    next_message,
)
from adapters.sql.usage_process import UsageProcess
from adapters.sql.usage_rows import SqlUsageWriter, UsageWriter
from adapters.sql.usage_served import ServedRows
from adapters.system.clock import SystemClock
from application.budget_alerts import AlertListener
from application.events.interest import Interest
from application.events.requests import Wants
from application.ports.system import Clock
from domain.budgets.alerts import Alert
from domain.errors import InvalidRequest
from domain.sla.measure import Scopes
from entrypoints.logs import start_logging

MODULE: Final = "entrypoints.jobs.usage_writer"


def usage_writer(
    database: Database, clock: Clock, wants: Wants, on_alerts: AlertListener, scopes: Callable[[], Scopes]
) -> SqlUsageWriter:
    """`wants` says which events of requests are to be written, `scopes` what is measured apart; both are
    asked beside the loop."""
    database = ForEveryTenant(database)
    followers = (
        AuditLeaves(database.dialect, clock),
        RequestEvents(database.dialect, wants),
        QualityDays(database.dialect),
        LedgerPostings(database.dialect, on_alerts),
        SlaFollower(database.dialect, scopes),
    )
    return SqlUsageWriter(database, followers)


def usage_process(
    own: UsageWriter,
    opening: Opening,
    interest: Interest,
    scopes: Callable[[], Scopes],
    on_alerts: AlertListener,
) -> UsageProcess:
    """The same rows written by a process of their own; started by its `run`."""
    said: list[Wanted] = []

    def wanted() -> Wanted:
        patterns, measured = interest.known, scopes()
        if not said or said[0].patterns != patterns or said[0].scopes is not measured:
            said[:] = [Wanted(patterns, measured)]
        return said[0]

    return UsageProcess(own, start_writer, lambda: opening, wanted, on_alerts)


def start_writer(theirs: socket.socket) -> "subprocess.Popen[bytes]":
    """The writer's process, with its end of the socket. Raises OSError."""
    # A session of its own: Ctrl-C in a terminal is for the server, which has rows to send when it ends.
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", MODULE],
        stdin=theirs.fileno(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


async def write_rows(descriptor: int) -> None:
    """The whole life of the writer's process: `descriptor` is the socket, whose first message says where to.

    Raises ValueError, InvalidRequest when it does not.
    """
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=os.dup(descriptor)))
    try:
        opening = decode_question(await next_message(reader))
    except (EOFError, OSError):
        return
    if not isinstance(opening, Opening):
        raise InvalidRequest("the first message has to say where rows go")
    if opening.form != FORM:
        writer.write(framed(NotWritten(UP, False, "it was started from files of another version", None)))
        writer.close()
        await writer.wait_closed()
        return
    start_logging(opening.log_form, opening.log_level, PatternDetector())
    thread = BlockingThread("interchange-usage")
    database = open_database(opening.database_url, thread, connections_max=opening.connections_max)
    interest, alerts, scopes = Interest(opening.always), list[Alert](), [Scopes()]

    def know(wanted: Wanted) -> None:
        interest.know(wanted.patterns)
        scopes[0] = wanted.scopes

    try:
        rows = usage_writer(database, SystemClock(), interest.wants, alerts.extend, lambda: scopes[0])
        await ServedRows(rows, alerts, know).run(reader, writer)
    finally:
        await database.aclose()
        await thread.aclose()
        writer.close()
