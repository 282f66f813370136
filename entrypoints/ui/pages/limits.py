"""Rate limits and quotas: whom they let through how often, and who is near them."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.owned import origin, reason
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.pages.budgets import scope_text

PATH: Final = "/api/v1/limits"
DIMENSIONS: Final = (
    "tenant", "team", "project", "key", "user", "agent", "session", "workflow", "model", "route",
    "organisation",
)  # fmt: skip
PERIODS: Final = ("second", "minute", "hour", "day", "week", "month")
FORM_NAMES: Final = (
    "name", "per", "requests", "tokens", "burst", "burst_tokens", "calendar", "time_zone",
)  # fmt: skip


async def view(ask: Ask) -> Shown:
    """All limits, or one with who met it lately."""
    if ask.item:
        return await _one(ask)
    limits = (await ask.api.get(PATH))["limits"]
    rows = [
        {
            **limit,
            "lets": lets(limit),
            "per_text": per_text(limit),
            "counts": scope_text(limit["scope"]),
            "from": origin(limit),
            "acts_offered": [] if why_not(limit, ask) else ["remove"],
        }
        for limit in limits
    ]
    return Shown(
        context={
            "row_acts": ("remove", "change"),
            "values": {"create": {"scope.tenant": ask.person.principal.tenant_id}},
        },
        tables=(
            Table(
                name="limits",
                title="Rate limits",
                columns=(
                    Column("name", "Name", "text", "/ui/limits/{limit_id}"),
                    Column("lets", "Lets through"),
                    Column("per_text", "Per"),
                    Column("counts", "Counts", "long"),
                    Column("burst", "At once", "number", wide=True),
                    Column("burst_tokens", "Tokens at once", "number", wide=True),
                    Column("from", "From", wide=True),
                ),
                rows=rows,
                acts=("remove",),
                empty="Everybody may ask as often as they like. Make a limit above, or declare one under "
                "`rate_limits:` in the configuration file.",
            ),
        ),
    )


async def _one(ask: Ask) -> Shown:
    limit = await ask.api.get(f"{PATH}/{quote(ask.item, safe='')}")
    rows = [
        {
            **each,
            "who": each["subject"] or "all together",
            "used": 1 - each["remaining"] / each["amount"],
        }
        for each in limit["accounts"]
    ]
    most = max((row["used"] for row in rows), default=None)
    return Shown(
        title=f"Rate limit {limit['name']}",
        template="detail.html",
        read_only=why_not(limit, ask),
        context={
            "row_acts": ("create",),
            "values": {
                "change": {
                    **{name: limit[name] for name in FORM_NAMES},
                    **{f"scope.{name}": value for name, value in limit["scope"].items()},
                    "limit_id": limit["limit_id"],
                },
                "remove": {"limit_id": limit["limit_id"]},
            },
            "facts": [
                (
                    "What it says",
                    [
                        ("Lets through", f"{lets(limit)} per {per_text(limit)}", "text"),
                        ("Counts", scope_text(limit["scope"]), "text"),
                        ("At once", limit["burst"], "number"),
                        ("Tokens at once", limit["burst_tokens"], "number"),
                        ("Time zone", limit["time_zone"], "text"),
                        ("From", origin(limit), "text"),
                        ("Tenant", limit["tenant_id"], "code"),
                        ("Changed", limit["updated_at"], "when"),
                        ("Id", limit["limit_id"], "code"),
                    ],
                )
            ],
        },
        stats=(
            Stat("Met lately", len(rows), "number", "on this instance, at most 100"),
            Stat(
                "Most used",
                most,
                "share",
                state="bad" if most is not None and most >= 1 else "",
            ),
        ),
        tables=(
            Table(
                name="standings",
                title="Who met it lately",
                columns=(
                    Column("who", "Whose"),
                    Column("counts", "Counts"),
                    Column("used", "Used", "meter"),
                    Column("remaining", "Left", "number"),
                    Column("amount", "Of", "number"),
                    Column("reset_s", "All there again in", "s"),
                ),
                rows=rows,
                empty="Nobody met it since this instance started: it concerns "
                f"{scope_text(limit['scope'])}, and standings begin with a request.",
            ),
        ),
    )


def why_not(limit: Mapping[str, Any], ask: Ask) -> str:
    """Why a person cannot change it here; empty: the API decides."""
    said = reason(limit, "rate limit")
    if not said and limit["tenant_id"] != ask.person.principal.tenant_id and not ask.may("tenants.manage"):
        said = "This limit was set on your tenant by whoever runs the installation; only they change it."
    return said


def lets(limit: Mapping[str, Any]) -> str:
    """How much it lets through, in words."""
    amounts = ((limit["requests"], "requests"), (limit["tokens"], "tokens"))
    return " and ".join(f"{amount:,} {what}" for amount, what in amounts if amount is not None)


def per_text(limit: Mapping[str, Any]) -> str:
    """Its time in words."""
    if not limit["calendar"]:
        return str(limit["per"])
    zone = "" if limit["time_zone"] == "UTC" else f" ({limit['time_zone']})"
    return f"{limit['per']} of the calendar{zone}"


_TERMS: Final = (
    Field("per", "Per", "choice", "week and month only of the calendar", True, PERIODS, "minute"),
    Field("requests", "Requests", "whole", "Requests or tokens are needed, or both."),
    Field("tokens", "Tokens", "whole", "Read and written."),
    Field("burst", "Requests at once", "whole", "Without it, those of one period."),
    Field("burst_tokens", "Tokens at once", "whole"),
    Field("calendar", "A quota: the amount in each period of the calendar", "flag"),
    Field("time_zone", "Time zone", hint="Of a quota, such as Europe/Paris.", default="UTC"),
)  # fmt: skip
_ID: Final = Field("limit_id", "Id", "path", required=True)
_HINTS: Final = {"tenant": "Whose requests count: all that are given must hold. * is each value for itself."}

PAGE: Final = Page(
    name="limits",
    title="Rate limits",
    group="Money",
    permission="limits.read",
    view=view,
    about="How many requests and tokens are let through, of whom, in which time.",
    acts=(
        Act(
            name="create",
            title="Make a rate limit",
            method="POST",
            path=PATH,
            permission="limits.write",
            fields=(
                Field("name", "Name", required=True, hint="Unique in the tenant."),
                *(Field(f"scope.{name}", f"Counts {name}", hint=_HINTS.get(name, "")) for name in DIMENSIONS),
                *_TERMS,
            ),
            done="It is in force here, and within a second on every instance.",
        ),
        Act(
            name="change",
            title="Change it",
            method="PUT",
            path=f"{PATH}/{{limit_id}}",
            permission="limits.write",
            fields=(
                _ID,
                Field("name", "Name", required=True),
                *(Field(f"scope.{name}", name, "hidden") for name in DIMENSIONS),
                *_TERMS,
            ),
            done="It is changed.",
        ),
        Act(
            name="remove",
            title="Remove",
            method="DELETE",
            path=f"{PATH}/{{limit_id}}",
            permission="limits.write",
            fields=(_ID,),
            done="It is removed, and bounds nobody any more.",
            danger=True,
            leaves=True,
        ),
    ),
)
