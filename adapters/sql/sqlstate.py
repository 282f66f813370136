"""What PostgreSQL calls an error, for those who need not load its driver to ask."""


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's own five characters for an error; None when it did not come from the server."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    return state if isinstance(state, str) else None
