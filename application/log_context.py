"""Which request a log line is about: what runs for one says so once, and every line below it can tell."""

from contextvars import ContextVar
from typing import Final

LogContext = tuple[str, str, str]
"""Ids of a request, its tenant and its trace (empty: none), nothing of its content. A plain tuple, because
one is made per request."""
CURRENT: Final[ContextVar[LogContext | None]] = ContextVar("log_context", default=None)
"""Of the task that runs; None: no request. Tasks that it begins inherit it."""
