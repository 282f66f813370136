"""What somebody is told whose request a hard budget has no room for."""

from datetime import UTC, datetime, timedelta

from domain.budgets.budget import Account
from domain.budgets.lease import AccountState
from domain.errors import BudgetExceeded, CostUnbounded
from domain.money import format_usd

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def exceeded(
    account: Account, state: AccountState, needed_nano_usd: int, *, scope: str = "", figures: bool = True
) -> BudgetExceeded:
    """Scope, limit, spent, held, needed, reset time and contact, in words and as details.

    Without `figures`, nothing is said of how the account stands: it is not the caller's tenant's alone.
    """
    held = state.leased_nano_usd + state.unresolved_nano_usd
    text = (
        f"the budget {_named(account)} has no room for this request: it may cost up to "
        f"${format_usd(needed_nano_usd)}"
    )
    details = _details(account, scope) | {"needed_usd": format_usd(needed_nano_usd)}
    if figures:
        text += (
            f", and of ${format_usd(state.limit_nano_usd)} {_period(account)}"
            f" ${format_usd(state.spent_nano_usd)} are spent and ${format_usd(held)} held for requests that "
            "run or whose bill is unknown"
        )
        details |= {
            "limit_usd": format_usd(state.limit_nano_usd),
            "spent_usd": format_usd(state.spent_nano_usd),
            "held_usd": format_usd(held),
        }
    room_at_us = room_at(account, state, needed_nano_usd)
    return BudgetExceeded(text + _what_helps(account), details=details, room_at_us=room_at_us)


def unbounded(account: Account, reason: str, *, scope: str = "") -> CostUnbounded:
    """`reason` says what keeps the cost from being bounded, and what the caller can do."""
    text = (
        f"the hard budget {_named(account)} takes only what has a known highest cost: {reason}"
        f"{_what_helps(account, wait=False)}"
    )
    return CostUnbounded(text, details=_details(account, scope) | {"reason": reason})


def room_at(account: Account, state: AccountState, needed_nano_usd: int) -> int | None:
    """From when on the account may have room under its limit, UTC epoch microseconds; None: never.

    0 is any moment: holds end, bills turn up, windows slide.
    """
    if needed_nano_usd > account.limit_nano_usd:
        return None
    if account.rolling_us or state.spent_nano_usd + needed_nano_usd <= account.limit_nano_usd:
        return 0
    return account.period_end_us


def resets_at(account: Account) -> str | None:
    """When the period ends, RFC 3339; None: never, or bit by bit."""
    if account.period_end_us is None:
        return None
    return (_EPOCH + timedelta(microseconds=account.period_end_us)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _named(account: Account) -> str:
    return f"{account.name!r} ({account.subject})" if account.subject else f"{account.name!r}"


def _period(account: Account) -> str:
    if account.rolling_us:
        return f"within any {account.period}"
    return "in total" if account.period_end_us is None else f"per {account.period}"


def _what_helps(account: Account, *, wait: bool = True) -> str:
    text = ""
    if wait:
        text += ". A smaller max_tokens or a shorter prompt lowers what may be needed"
        if (reset := resets_at(account)) is not None:
            text += f"; the budget starts anew at {reset}"
    return text + (f". Contact: {account.contact}" if account.contact else "")


def _details(account: Account, scope: str) -> dict[str, object]:
    return {
        "budget_id": account.budget_id,
        "budget": account.name,
        "scope": scope,
        "subject": account.subject,
        "period": f"rolling {account.period}" if account.rolling_us else account.period,
        "resets_at": resets_at(account),
        "contact": account.contact or None,
    }
