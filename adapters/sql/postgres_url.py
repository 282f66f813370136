"""`DATABASE_URL=postgresql://…` as arguments of the driver.

The driver reads what libpq reads: several hosts, a socket's folder as `host`, `sslmode`, `sslrootcert`,
`sslcert`, `sslkey`, `target_session_attrs`, `passfile`. What it would not understand is translated here.
"""

from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from adapters.sql.database import ALLOWED
from domain.errors import InvalidRequest

CONNECT_TIMEOUT_S: Final = 5.0
LOCK_TIMEOUT_S: Final = 5.0
_SCHEMES: Final = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
_SSL_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})


def is_postgres(url: str) -> bool:
    """Whether a URL names PostgreSQL, well formed or not."""
    return url.partition("://")[0].lower() in _SCHEMES


def connection_settings(url: str, *, statement_timeout_s: float | None) -> dict[str, Any]:
    """Arguments of `asyncpg.connect`. None: statements may take as long as they need (migrations).

    Raises:
        InvalidRequest: a URL that cannot work; the message holds no part of it that may be secret.
    """
    try:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, keep_blank_values=True))
        connect_timeout_s = float(given.pop("connect_timeout", CONNECT_TIMEOUT_S))
        named = bool(parts.hostname or given.get("host"))
        ports_readable = "," in parts.netloc or parts.port is None or parts.port > 0
    except ValueError:
        raise _refused("is not a URL") from None
    if not named or not ports_readable or parts.path in {"", "/"}:
        raise _refused("names no host or no database")
    if "ssl" in given:  # SQLAlchemy's word for the same
        given.setdefault("sslmode", given.pop("ssl"))
    if given.get("sslmode", "prefer") not in _SSL_MODES:
        raise _refused(f"sslmode is one of {', '.join(sorted(_SSL_MODES))}")
    settings = {
        "application_name": given.pop("application_name", "interchange"),
        # A commit that was told must survive a power cut, whatever the server's default is.
        "synchronous_commit": "on",
        "timezone": "UTC",
    }
    if statement_timeout_s is not None:
        settings |= {
            "statement_timeout": f"{statement_timeout_s * 1000:.0f}",
            "lock_timeout": f"{min(LOCK_TIMEOUT_S, statement_timeout_s) * 1000:.0f}",
            "idle_in_transaction_session_timeout": f"{statement_timeout_s * 2000:.0f}",
        }
    return {
        "dsn": urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(given), "")),
        "timeout": connect_timeout_s,
        "server_settings": settings,
    }


def _refused(problem: str) -> InvalidRequest:
    return InvalidRequest(f"DATABASE_URL {problem}; allowed: {ALLOWED}", param="DATABASE_URL")
