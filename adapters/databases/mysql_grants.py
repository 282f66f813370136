"""What a user of MySQL or MariaDB may do that no guard of its SQL sees."""

import re
from typing import TYPE_CHECKING, Final

from domain.errors import ToolFailed

if TYPE_CHECKING:
    from adapters.databases.mysql_session import MySqlSession

HARMLESS_EVERYWHERE: Final = frozenset(
    {
        "USAGE", "SELECT", "INSERT", "UPDATE", "DELETE", "DELETE HISTORY", "SHOW DATABASES", "SHOW VIEW",
        "EXECUTE", "REFERENCES", "CREATE TEMPORARY TABLES", "LOCK TABLES", "INDEX", "ALTER", "CREATE", "DROP",
        "CREATE VIEW", "TRIGGER",
    }
)  # fmt: skip
"""Privileges on `*.*` that reach tables only. Whatever is not listed (SUPER, FILE, PROCESS, CREATE USER,
whatever a later version adds) is refused."""
_GRANT: Final = re.compile(
    r"GRANT (?P<what>.+?) ON (?:(?:TABLE|FUNCTION|PROCEDURE|PACKAGE) )?(?P<where>.+?) TO "
)
_ROLES: Final = re.compile(r"GRANT (?P<roles>.+?) TO ")
_COLUMNS: Final = re.compile(r"\([^)]*\)")
_SYSTEM: Final = re.compile(r"[`'\"]?mysql[`'\"]?\.")
_ROLES_MAX: Final = 50


async def harmful(session: "MySqlSession") -> str | None:
    """Why its user is no user for free SQL; None: nothing was found."""
    seen: set[str] = set()
    waiting = [""]
    while waiting:
        role = waiting.pop()
        lines = await _grants(session, role)
        if lines is None or len(seen) > _ROLES_MAX:
            return f"has the role {role}, whose privileges it cannot show"
        for line in lines:
            if problem := of_grant(line):
                return problem if not role else f"{problem} (by the role {role})"
            for name in roles_in(line):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
    return None


async def _grants(session: "MySqlSession", role: str) -> list[str] | None:
    """None: it may not look."""
    try:
        if not role:
            return [row[0] for row in await session.ask("SHOW GRANTS")]
        if session.is_mariadb:
            return [row[0] for row in await session.ask(f"SHOW GRANTS FOR {role}")]
        # Own grants with the role's in them: the role itself is named in the first answer and seen by now.
        return [row[0] for row in await session.ask(f"SHOW GRANTS FOR CURRENT_USER() USING {role}")]
    except ToolFailed:
        return None


def of_grant(line: str) -> str | None:
    """What is wrong with one line of SHOW GRANTS; None: nothing."""
    match = _GRANT.match(line)
    if match is None:
        return None
    where = match["where"].strip()
    privileges = [name.strip() for name in _COLUMNS.sub("", match["what"]).split(",")]
    if where == "*.*":
        if line.rstrip().endswith("WITH GRANT OPTION") or " WITH GRANT OPTION" in line:
            return "may hand its privileges to others"
        for name in privileges:
            if name.upper() not in HARMLESS_EVERYWHERE:
                return f"has the privilege {name.upper()}"
    if _SYSTEM.match(where) and privileges != ["USAGE"]:
        return "may reach the server's own tables (mysql.*)"
    if where.startswith(("``@", "''@")) or "PROXY" in privileges:
        return "may act as another user (PROXY)"
    return None


def roles_in(line: str) -> list[str]:
    """Roles that a line grants, as it quotes them."""
    if _GRANT.match(line) is not None or line.startswith("SET "):
        return []
    match = _ROLES.match(line)
    return [] if match is None else [name.strip() for name in match["roles"].split(",")]
