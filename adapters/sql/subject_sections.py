"""Where a user of a tenant stands in the tables, and what becomes of each place when the user is forgotten.

A section finds rows, shows them, and changes them. Finding is done in pages of a read, so that writers wait
for the changes only. Ids of rows rise with time; a cursor is the id of the last row looked at.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Row, Table, delete, select, tuple_, update

from adapters.sql.answer_tables import stored_answers
from adapters.sql.quality_tables import feedback
from adapters.sql.recording_tables import recordings
from adapters.sql.schema import usage_requests
from adapters.sql.stop_tables import stop_generation, stops
from domain.privacy.erasure import Subject

PAGE: Final = 500
LOOKED_AT: Final = 2_000
"""Rows that are read to find those of one user among them, where no column names users."""
Rows = Sequence[Row[Any]]


class Found(NamedTuple):
    """Rows of the user, and the cursor to go on from; None: that was all."""

    rows: list[Row[Any]]
    after: str | None


class Section(NamedTuple):
    """`change` gets what `find` found and returns how many rows it removed or changed."""

    name: str
    find: Callable[[Connection, Subject, str], Found]
    show: Callable[[Row[Any]], dict[str, Any]]
    change: Callable[[Connection, Subject, Rows], int]


def named(table: Table, key: Column[Any], *mine: Callable[[Subject], ColumnElement[bool]]) -> Any:
    """Finds rows by conditions on the user, in the order of `key`."""

    def find(connection: Connection, subject: Subject, after: str) -> Found:
        statement = select(table).where(
            table.c.tenant_id == subject.tenant_id, *(each(subject) for each in mine)
        )
        if after:
            statement = statement.where(key > after)
        rows = list(connection.execute(statement.order_by(key).limit(PAGE)))
        return Found(rows, str(getattr(rows[-1], key.name)) if len(rows) == PAGE else None)

    return find


def looked_through(
    table: Table, key: Column[Any], about: Callable[[Row[Any], Subject], bool]
) -> Callable[[Connection, Subject, str], Found]:
    """Finds rows by reading all of the tenant."""

    def find(connection: Connection, subject: Subject, after: str) -> Found:
        statement = select(table).where(table.c.tenant_id == subject.tenant_id)
        if after:
            statement = statement.where(key > after)
        rows = list(connection.execute(statement.order_by(key).limit(LOOKED_AT)))
        more = str(getattr(rows[-1], key.name)) if len(rows) == LOOKED_AT else None
        return Found([row for row in rows if about(row, subject)], more)

    return find


def shown(*left_out: str) -> Callable[[Row[Any]], dict[str, Any]]:
    """A row as it stands, without columns that mean nothing outside."""

    def show(row: Row[Any]) -> dict[str, Any]:
        return {name: value for name, value in row._asdict().items() if name not in left_out}

    return show


# Recorded content


def _change_recordings(connection: Connection, subject: Subject, rows: Rows) -> int:
    ids = {row.request_id for row in rows}
    statement = delete(recordings).where(
        recordings.c.tenant_id == subject.tenant_id,
        recordings.c.user_id == subject.user_id,
        recordings.c.request_id.in_(ids),
    )
    return connection.execute(statement).rowcount


def _find_recordings(connection: Connection, subject: Subject, after: str) -> Found:
    mine = recordings.c
    statement = select(recordings).where(mine.tenant_id == subject.tenant_id, mine.user_id == subject.user_id)
    if after:
        request_id, _, part = after.rpartition("|")
        later = (mine.request_id > request_id) | ((mine.request_id == request_id) & (mine.part > part))
        statement = statement.where(later)
    rows = list(connection.execute(statement.order_by(mine.request_id, mine.part).limit(PAGE)))
    return Found(rows, f"{rows[-1].request_id}|{rows[-1].part}" if len(rows) == PAGE else None)


# Stored answers of `/v1/responses`


def _show_answer(row: Row[Any]) -> dict[str, Any]:
    content = None if row.content is None else bytes(row.content).decode("utf-8", "replace")
    return {**shown("tenant_id", "open_bill")(row), "content": content}


def _change_answers(connection: Connection, subject: Subject, rows: Rows) -> int:
    answers = stored_answers.c
    for row in rows:
        mine = (answers.tenant_id == subject.tenant_id, answers.id == row.id)
        if row.open_bill is None:
            connection.execute(delete(stored_answers).where(*mine))
            continue
        # Its bill is still to come: what names the user goes, what names the money stays.
        bill = {**json.loads(row.open_bill), "user_id": subject.pseudonym}
        bill |= {"session_id": "", "client_request_id": "", "metadata": ""}
        connection.execute(
            update(stored_answers)
            .where(*mine)
            .values(content=None, user_id=subject.pseudonym, open_bill=json.dumps(bill))
        )
    return len(rows)


# What was said of answers that were for the user


def _find_feedback(connection: Connection, subject: Subject, after: str) -> Found:
    mine = feedback.c
    statement = select(feedback).where(mine.tenant_id == subject.tenant_id, mine.user_id == subject.user_id)
    key = (mine.request_id, mine.key_id, mine.source)
    if after:
        statement = statement.where(tuple_(*key) > tuple_(*after.split("|", 2)))
    rows = list(connection.execute(statement.order_by(*key).limit(PAGE)))
    last = rows[-1] if len(rows) == PAGE else None
    return Found(rows, None if last is None else f"{last.request_id}|{last.key_id}|{last.source}")


def _change_feedback(connection: Connection, subject: Subject, rows: Rows) -> int:
    """It goes whole: a comment may say anything."""
    ids = {row.request_id for row in rows}
    statement = delete(feedback).where(
        feedback.c.tenant_id == subject.tenant_id,
        feedback.c.user_id == subject.user_id,
        feedback.c.request_id.in_(ids),
    )
    return connection.execute(statement).rowcount


# Stops


def _change_stops(connection: Connection, _subject: Subject, rows: Rows) -> int:
    if rows:
        connection.execute(update(stop_generation).values(generation=stop_generation.c.generation + 1))
        connection.execute(delete(stops).where(stops.c.stop_id.in_([row.stop_id for row in rows])))
    return len(rows)


# Usage rows: they stay for the accounts, and say nothing about whom they were for


def _find_requests(connection: Connection, subject: Subject, after: str) -> Found:
    mine = usage_requests.c
    statement = select(usage_requests).where(
        mine.tenant_id == subject.tenant_id, mine.user_id == subject.user_id
    )
    if after:
        at, _, request_id = after.partition("|")
        later = (mine.started_at_us > int(at)) | (
            (mine.started_at_us == int(at)) & (mine.request_id > request_id)
        )
        statement = statement.where(mine.started_at_us >= int(at), later)
    rows = list(connection.execute(statement.order_by(mine.started_at_us, mine.request_id).limit(PAGE)))
    last = rows[-1] if len(rows) == PAGE else None
    return Found(rows, None if last is None else f"{last.started_at_us}|{last.request_id}")


def _change_requests(connection: Connection, subject: Subject, rows: Rows) -> int:
    if not rows:
        return 0
    statement = (
        update(usage_requests)
        .where(usage_requests.c.request_id.in_([row.request_id for row in rows]))
        .where(usage_requests.c.started_at_us >= min(row.started_at_us for row in rows))
        .values(user_id=subject.pseudonym, session_id="", client_request_id="", metadata="")
    )
    return connection.execute(statement).rowcount


REQUESTS: Final = Section("request", _find_requests, shown("tenant_id"), _change_requests)
FEEDBACK: Final = Section("feedback", _find_feedback, shown("tenant_id"), _change_feedback)
STOPS: Final = Section(
    "stop",
    named(stops, stops.c.stop_id, lambda subject: stops.c.user_id == subject.user_id),
    shown("tenant_id"),
    _change_stops,
)
ANSWERS: Final = Section(
    "stored_answer",
    named(stored_answers, stored_answers.c.id, lambda subject: stored_answers.c.user_id == subject.user_id),
    _show_answer,
    _change_answers,
)


def recorded(show: Callable[[Row[Any]], dict[str, Any]]) -> Section:
    """Recordings; `show` opens what is sealed."""
    return Section("recording", _find_recordings, show, _change_recordings)
