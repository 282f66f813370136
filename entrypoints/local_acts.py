"""Entering what commands do to the data directory: one place for all of them, as the door is for HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import click

from application.audit_trail import AuditTrail
from domain.tenancy.role import local_operator
from entrypoints.command_loop import run

ACTS: Final[Mapping[str, str]] = {
    "keys update": "keys.change",
    "budget set": "budgets.update",
    "budget delete": "budgets.delete",
    "budget resolve": "budgets.resolve",
    "import litellm": "keys.import",
    "tenants add": "tenants.create",
    "tenants set": "tenants.update",
    "roles set": "roles.update",
    "credentials add": "credentials.create",
    "credentials replace": "credentials.update",
    "limits set": "limits.update",
}
"""Names that differ from the command's own words. Whatever is not in `LOOKING` is entered."""

LOOKING: Final = frozenset(
    {
        *("keys list", "keys show", "keys pepper show"),
        *("budget list", "budget show", "budget check", "budget unresolved"),
        *("credentials list", "credentials verify", "credentials keys"),
        *("limits list", "limits show"),
        *("tenants list", "tenants projects", "roles list"),
        *("catalog list", "catalog show", "catalog stats", "catalog export"),
        *("audit list", "audit export", "audit verify", "audit checkpoint", "audit key"),
    }
)
"""Commands that work on the data directory and change nothing of what others see."""

_SUBJECTS: Final = ("name", "key_id", "budget_id", "credential_id", "limit_id", "tenant_id", "role_name")


@contextmanager
def entered(trail: AuditTrail) -> Iterator[None]:
    """Around what the running command does; nothing where no command runs or where it only looks.

    Raises StoreUnavailable: it could not be entered, so nothing is to be done.
    """
    words = command_words()
    if words is None or words in LOOKING:
        yield
        return
    act = trail.act(local_operator(), ACTS.get(words) or words.replace(" ", "."), *_told())
    run(act.__aenter__())
    try:
        yield
    except BaseException as error:
        run(act.__aexit__(type(error), error, error.__traceback__))
        raise
    run(act.__aexit__(None, None, None))


async def enter_done(trail: AuditTrail, action: str, subject: str) -> None:
    """For what cannot wait for the trail, such as making its tables. Raises StoreUnavailable."""
    async with trail.act(local_operator(), action, subject):
        pass


def command_words() -> str | None:
    """The running command without the program's name; None: none runs."""
    context = click.get_current_context(silent=True)
    if context is None:
        return None
    return " ".join(context.command_path.split(" ")[1:])


def _told() -> tuple[str, dict[str, Any]]:
    """What it is done to, and the names of what was given; values could be secret."""
    given = click.get_current_context().params
    subject = next((str(given[name]) for name in _SUBJECTS if given.get(name)), "")
    names = sorted(name for name, value in given.items() if value not in (None, False, "", ()))
    return subject, {"fields": names}
