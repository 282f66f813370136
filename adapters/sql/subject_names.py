"""Where a user's id is part of a text: scopes of budgets and limits, subjects of accounts, events, keys."""

import json
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, select, update

from adapters.sql.batch_schema import batches, files
from adapters.sql.ledger_tables import budget_accounts, budget_generation, budgets, outbox
from adapters.sql.limit_tables import rate_limit_generation, rate_limits
from adapters.sql.schema import api_keys, key_generation, metadata
from adapters.sql.subject_sections import Found, Rows, Section, looked_through, named, shown
from adapters.sql.webhook_tables import webhook_attempts, webhook_endpoints
from domain.batch.batch import FINAL_STATUSES
from domain.privacy.erasure import Subject

USER_PATTERN: Final = "user:"


def _scope_names(row: Row[Any], subject: Subject) -> bool:
    try:
        scope = json.loads(row.body)["scope"]
    except (ValueError, KeyError, TypeError):
        return subject.user_id in row.body  # of another version: what may name the user is taken to
    return isinstance(scope, dict) and scope.get("user") == subject.user_id


def _removed(table: Table, key: str, generation: Table) -> Callable[[Connection, Subject, Rows], int]:
    def change(connection: Connection, subject: Subject, rows: Rows) -> int:
        if rows:
            connection.execute(update(generation).values(generation=generation.c.generation + 1))
            ids = [getattr(row, key) for row in rows]
            if table is budgets:
                # Accounts outlive their budget, and show its name.
                connection.execute(
                    update(budget_accounts)
                    .where(budget_accounts.c.budget_id.in_(ids))
                    .values(name=subject.pseudonym)
                )
            connection.execute(delete(table).where(table.c[key].in_(ids)))
        return len(rows)

    return change


# Accounts of budgets: their sums stay


def _part_of(subject: Subject) -> str:
    """As `Scope.subject` writes it."""
    value = subject.user_id
    return "user=" + value.replace("%", "%25").replace("&", "%26")


def _account_names(row: Row[Any], subject: Subject) -> bool:
    return _part_of(subject) in row.subject.split("&")


def _change_accounts(connection: Connection, subject: Subject, rows: Rows) -> int:
    for row in rows:
        parts = [
            f"user={subject.pseudonym}" if part == _part_of(subject) else part
            for part in row.subject.split("&")
        ]
        connection.execute(
            update(budget_accounts)
            .where(budget_accounts.c.account_id == row.account_id)
            .values(subject="&".join(parts))
        )
    return len(rows)


# Events that wait to be delivered, or were


def _says(value: Any, subject: Subject) -> bool:
    if isinstance(value, str):
        return value == subject.user_id or _part_of(subject) in value.split("&")
    if isinstance(value, dict):
        return any(_says(each, subject) for each in value.values())
    return isinstance(value, list) and any(_says(each, subject) for each in value)


def _replaced(value: Any, subject: Subject) -> Any:
    if isinstance(value, str):
        if value == subject.user_id:
            return subject.pseudonym
        parts = value.split("&")
        if _part_of(subject) in parts:
            return "&".join(f"user={subject.pseudonym}" if p == _part_of(subject) else p for p in parts)
        return value
    if isinstance(value, dict):
        return {name: _replaced(each, subject) for name, each in value.items()}
    return [_replaced(each, subject) for each in value] if isinstance(value, list) else value


def _event_names(row: Row[Any], subject: Subject) -> bool:
    try:
        return _says(json.loads(row.payload), subject)
    except ValueError:
        return subject.user_id in row.payload


def _change_events(connection: Connection, subject: Subject, rows: Rows) -> int:
    for row in rows:
        mine = outbox.c.key == row.key
        if row.done_at_us is not None:
            connection.execute(delete(outbox).where(mine))
            _empty_answers(connection, row)
        else:
            payload = json.dumps(_replaced(json.loads(row.payload), subject), ensure_ascii=False)
            connection.execute(update(outbox).where(mine).values(payload=payload))
    return len(rows)


def _empty_answers(connection: Connection, row: Row[Any]) -> None:
    """What endpoints answered to an event: many repeat what they were sent."""
    theirs = select(webhook_endpoints.c.endpoint_id).where(webhook_endpoints.c.tenant_id == row.tenant_id)
    mine = (webhook_attempts.c.endpoint_id.in_(theirs), webhook_attempts.c.seq == row.seq)
    connection.execute(update(webhook_attempts).where(*mine).values(detail=""))


# Keys that may name the user, and what was left under those that may name nobody else


def _patterns(row: Row[Any]) -> list[str]:
    return [] if row.assertable is None else list(json.loads(row.assertable))


def _names_user(row: Row[Any], subject: Subject) -> bool:
    texts = (row.name, row.revoked_reason)
    return USER_PATTERN + subject.user_id in _patterns(row) or subject.user_id in texts


def _is_theirs(row: Row[Any], subject: Subject) -> bool:
    return [each for each in _patterns(row) if each.startswith(USER_PATTERN)] == [
        USER_PATTERN + subject.user_id
    ]


def _change_keys(connection: Connection, subject: Subject, rows: Rows) -> int:
    if not rows:
        return 0
    connection.execute(update(key_generation).values(generation=key_generation.c.generation + 1))
    revision = connection.execute(select(key_generation.c.generation)).scalar_one()
    for row in rows:
        values: dict[str, Any] = {"revision": revision}
        if row.assertable is not None:
            values["assertable"] = json.dumps(
                [
                    USER_PATTERN + subject.pseudonym if each == USER_PATTERN + subject.user_id else each
                    for each in _patterns(row)
                ]
            )
        values |= {
            name: subject.pseudonym
            for name in ("name", "revoked_reason")
            if getattr(row, name) == subject.user_id
        }
        if _is_theirs(row, subject) and row.revoked_at_us is None:
            values |= {
                "revoked_at_us": subject.at_us,
                "revoked_by": "erasure",
                "revoked_reason": "user erased",
            }
        connection.execute(update(api_keys).where(api_keys.c.key_id == row.key_id).values(**values))
    return len(rows)


def _under_their_keys(table: Table, key: str) -> Callable[[Connection, Subject, str], Found]:
    def find(connection: Connection, subject: Subject, after: str) -> Found:
        mine = connection.execute(
            select(api_keys).where(
                api_keys.c.tenant_id == subject.tenant_id, api_keys.c.assertable.is_not(None)
            )
        )
        # After the keys were changed, they are found by what stands there now.
        later = subject._replace(user_id=subject.pseudonym)
        ids = {row.key_id for row in mine if _is_theirs(row, subject) or _is_theirs(row, later)}
        if not ids:
            return Found([], None)
        return _of_keys(connection, table, key, subject.tenant_id, after, ids)

    return find


def _of_keys(
    connection: Connection, table: Table, key: str, tenant_id: str, after: str, ids: set[str]
) -> Found:
    if "key_id" in table.c:
        find = named(table, table.c[key], lambda _: table.c.key_id.in_(ids))
    else:
        find = looked_through(table, table.c[key], lambda row, _: json.loads(row.body)["key_id"] in ids)
    found: Found = find(connection, Subject(tenant_id, ""), after)
    return found


def _change_files(connection: Connection, _subject: Subject, rows: Rows) -> int:
    ids = [row.file_id for row in rows]
    return connection.execute(delete(files).where(files.c.file_id.in_(ids))).rowcount if ids else 0


def _change_batches(connection: Connection, _subject: Subject, rows: Rows) -> int:
    ids = [row.batch_id for row in rows if row.status in FINAL_STATUSES]
    return connection.execute(delete(batches).where(batches.c.batch_id.in_(ids))).rowcount if ids else 0


def _show_batch(row: Row[Any]) -> dict[str, Any]:
    return {**json.loads(row.body), "id": row.batch_id, "status": row.status}


def _show_key(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.key_id,
        "name": row.name,
        "role": row.role,
        "assertable": _patterns(row),
        "created_at_us": row.created_at_us,
        "revoked_at_us": row.revoked_at_us,
    }


# Logins


def _find_logins(connection: Connection, subject: Subject, after: str) -> Found:
    table = metadata.tables.get("login_sessions")
    if table is None:
        return Found([], None)
    find = named(table, table.c.digest, lambda who: table.c.subject == who.user_id)
    found: Found = find(connection, subject, after)
    return found


def _change_logins(connection: Connection, _subject: Subject, rows: Rows) -> int:
    table = metadata.tables.get("login_sessions")
    if table is None or not rows:
        return 0
    return connection.execute(delete(table).where(table.c.digest.in_([row.digest for row in rows]))).rowcount


BY_NAME: Final = (
    Section("batch", _under_their_keys(batches, "batch_id"), _show_batch, _change_batches),
    Section("file", _under_their_keys(files, "file_id"), shown("tenant_id"), _change_files),
    Section("key", looked_through(api_keys, api_keys.c.key_id, _names_user), _show_key, _change_keys),
    Section("login", _find_logins, shown("tenant_id", "digest"), _change_logins),
    Section(
        "budget",
        looked_through(budgets, budgets.c.budget_id, _scope_names),
        shown("tenant_id"),
        _removed(budgets, "budget_id", budget_generation),
    ),
    Section(
        "rate_limit",
        looked_through(rate_limits, rate_limits.c.limit_id, _scope_names),
        shown("tenant_id"),
        _removed(rate_limits, "limit_id", rate_limit_generation),
    ),
    Section(
        "budget_account",
        looked_through(budget_accounts, budget_accounts.c.account_id, _account_names),
        shown("tenant_id"),
        _change_accounts,
    ),
    Section("event", looked_through(outbox, outbox.c.key, _event_names), shown("tenant_id"), _change_events),
)
