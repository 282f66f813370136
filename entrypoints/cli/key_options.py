"""What the `keys` commands share: options, the store they run on, and moments as people write them."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click

from application.use_cases.change_keys import KeyUseCases
from domain.errors import InterchangeError, InvalidRequest
from entrypoints.command_loop import run

Result = TypeVar("Result")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_BINDINGS: Final = (
    ("networks", ("--network",), "Only from this network, such as 203.0.113.0/24; may be repeated."),
    (
        "assertable",
        ("--may-name",),
        "Only these users and agents, as user:alice or agent:crawler-*; may be repeated.",
    ),
    ("integrations", ("--integration",), "Only this integration; may be repeated."),
    (
        "managed_budgets",
        ("--budget-managed",),
        "Of budgets, change only this one (id or name, * at the end); may be repeated.",
    ),
)

OpenUseCases = Callable[[], AbstractContextManager[KeyUseCases]]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def binding_options(command: Decorated) -> Decorated:
    """What a key may be bound to, for commands that say so."""
    for name, options, what in _BINDINGS:
        command = click.option(*options, name, multiple=True, help=what)(command)
    return command


def run_with(open_use_cases: OpenUseCases, work: Callable[[KeyUseCases], Awaitable[Result]]) -> Result:
    async def working(use_cases: KeyUseCases) -> Result:
        return await work(use_cases)

    try:
        with open_use_cases() as use_cases:
            return run(working(use_cases))
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def expiry(text: str, now: datetime) -> datetime:
    """`12h`, `90d`, or an ISO date or time; without a zone it is UTC.

    Raises:
        InvalidRequest: it is none of these.
    """
    if relative := re.fullmatch(r"([0-9]{1,6})([mhd])", text):
        return now + timedelta(seconds=int(relative[1]) * _SECONDS[relative[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            f"--expires {text[:80]!r} is no time; allowed: 30m, 12h, 90d, 2030-01-31 or 2030-01-31T12:00:00Z",
            param="expires_at",
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def seconds_of(text: str, option: str) -> int:
    """`30m`, `24h`, `7d`, or 0. Raises InvalidRequest for anything else."""
    if text == "0":
        return 0
    relative = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if relative is None:
        raise InvalidRequest(f"{option} {text[:40]!r} is no span; allowed: 0, 30m, 24h, 7d", param=option)
    return int(relative[1]) * _SECONDS[relative[2]]
