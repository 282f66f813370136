"""Budgets: how much of each is used, until when it lasts, and what nobody knows the bill of."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.owned import origin, reason
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.rendering import shown

PATH: Final = "/api/v1/budgets"
FIGURES_MAX: Final = 40
"""Of so many budgets the list shows how they stand: each takes a question of its own."""
ACCOUNTS_MAX: Final = 500
DIMENSIONS: Final = (
    "tenant", "team", "project", "key", "user", "agent", "session", "workflow", "model", "provider",
)  # fmt: skip
PERIODS: Final = ("hour", "day", "week", "month", "quarter", "year", "total")
_ROW_ACTS: Final = ("remove", "as_held", "not_billed")


async def view(ask: Ask) -> Shown:
    """All budgets, or one with its accounts."""
    if ask.item:
        return await _one(ask)
    budgets = (await ask.api.get(PATH))["budgets"]
    rows = []
    for number, budget in enumerate(budgets):
        found = {}
        if number < FIGURES_MAX:
            answer = await ask.tried(f"{PATH}/{quote(budget['budget_id'], safe='')}/accounts", limit=1)
            found = (answer.get("accounts") or [{}])[0]
        rows.append(row_of(budget, found, ask))
    unresolved = await ask.tried(f"{PATH}/unresolved")
    charges = unresolved.get("unresolved", [])
    problems = [unresolved.problem] if unresolved.problem else []
    if len(budgets) > FIGURES_MAX:
        problems.append(
            f"How they stand is shown for the first {FIGURES_MAX} of {len(budgets)}; open others one by one."
        )
    return Shown(
        context={
            "row_acts": (*_ROW_ACTS, "change", *(() if charges else ("settle",))),
            "values": {"create": {"scope.tenant": ask.person.principal.tenant_id, "period": "month"}},
        },
        stats=stats(rows, charges),
        tables=(list_table(rows), unresolved_table(charges, budgets)),
        problems=problems,
    )


def row_of(budget: Mapping[str, Any], account: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    """A budget with its most used account; empty figures where there is none."""
    used = account.get("utilization_percent")
    return {
        **budget,
        "counts": scope_text(budget["scope"]),
        "per": per_text(budget),
        "holds": "hard" if budget["hard"] else "soft",
        "used": None if used is None else used / 100,
        "subject": account.get("subject"),
        "spent_usd": account.get("spent_usd"),
        "remaining_usd": account.get("remaining_usd"),
        "exhausted_at": account.get("exhausted_at"),
        "resets_at": account.get("resets_at"),
        "from": origin(budget),
        "acts_offered": ["remove"] if not why_not(budget, ask) else [],
    }


def why_not(budget: Mapping[str, Any], ask: Ask) -> str:
    """Why a person cannot change it here; empty: the API decides."""
    said = reason(budget, "budget")
    if said:
        return said
    if budget["tenant_id"] != ask.person.principal.tenant_id and not ask.may("tenants.manage"):
        return "This budget was set on your tenant by whoever runs the installation; only they change it."
    return ""


def scope_text(scope: Mapping[str, str]) -> str:
    """Whose spending counts; a star is each value for itself."""
    return ", ".join(f"each {name}" if value == "*" else f"{name} {value}" for name, value in scope.items())


def per_text(budget: Mapping[str, Any]) -> str:
    """The time of a budget in words."""
    text = "for ever" if budget["period"] == "total" else str(budget["period"])
    if budget["rolling"]:
        return f"{text}, rolling"
    return text if budget["time_zone"] == "UTC" else f"{text} ({budget['time_zone']})"


def stats(rows: list[dict[str, Any]], charges: list[dict[str, Any]]) -> list[Stat]:
    """What needs somebody."""
    used = [row["used"] for row in rows if row["used"] is not None]
    spent = [row for row in rows if row["used"] is not None and row["used"] >= 1]
    soon = sorted(row["exhausted_at"] for row in rows if row["exhausted_at"])
    held = sum(float(charge["held_usd"]) for charge in charges)
    return [
        Stat("Budgets", len(rows), "number", f"{sum(row['hard'] for row in rows)} refuse (hard)"),
        Stat("Most used", max(used, default=None), "share", state=_state(max(used, default=0))),
        Stat("Used up", len(spent), "number", state="bad" if spent else ""),
        Stat("Next used up, at this rate", soon[0] if soon else None, "when", state="warn" if soon else ""),
        Stat(
            "Bills nobody knows",
            len(charges),
            "number",
            f"${held:,.4f} counted as spent" if charges else "",
            "warn" if charges else "",
        ),
    ]


def _state(used: float) -> str:
    return "bad" if used >= 1 else "warn" if used >= 0.8 else ""


def list_table(rows: list[dict[str, Any]]) -> Table:
    """One line per budget."""
    return Table(
        name="budgets",
        title="Budgets",
        columns=(
            Column("name", "Name", "text", "/ui/budgets/{budget_id}"),
            Column("used", "Most used", "meter"),
            Column("limit_usd", "Limit", "usd"),
            Column("per", "Per"),
            Column("holds", "Kind"),
            Column("remaining_usd", "Left", "usd"),
            Column("exhausted_at", "Used up on", "when", wide=True),
            Column("counts", "Counts", "text", wide=True),
            Column("subject", "Most used by", "text", wide=True),
            # What is spent is what its limit has not left; a column more would not fit beside the acts.
            Column("from", "From", "text", wide=True),
        ),
        rows=rows,
        acts=("remove",),
        empty="Nothing bounds spending yet. Make a budget above, or declare one under `budgets:` in the "
        "configuration file; `interchange budget set` does the same.",
    )


def unresolved_table(charges: list[dict[str, Any]], budgets: list[dict[str, Any]]) -> Table:
    """Charges that count in full until somebody knows the bill."""
    names = {budget["budget_id"]: budget["name"] for budget in budgets}
    rows = [
        {
            "attempt_id": charge["attempt_id"],
            "budget": names.get(charge["budget_id"] or "", charge["budget_id"]),
            "held_usd": charge["held_usd"],
            "since": charge["since"],
            "budget_id": charge["budget_id"],
        }
        for charge in charges
    ]
    return Table(
        name="unresolved",
        title="Bills that nobody knows",
        columns=(
            Column("attempt_id", "Attempt", "code"),
            Column("budget", "Budget", "text", "/ui/budgets/{budget_id}"),
            Column("held_usd", "Counts as spent", "usd"),
            Column("since", "Since", "when"),
        ),
        rows=rows,
        acts=("as_held", "not_billed"),
        empty="Every bill is known. A cut stream or a killed process leaves a charge here that counts in "
        "full until the provider's bill turns up, somebody states it, or a day is over.",
    )


async def _one(ask: Ask) -> Shown:
    path = f"{PATH}/{quote(ask.item, safe='')}"
    budget = await ask.api.get(path)
    answer = await ask.tried(f"{path}/accounts", limit=ACCOUNTS_MAX)
    accounts = answer.get("accounts", [])
    first = accounts[0] if accounts else {}
    used = first.get("utilization_percent")
    return Shown(
        title=f"Budget {budget['name']}",
        template="detail.html",
        read_only=why_not(budget, ask),
        context={
            "row_acts": ("create", "settle", "as_held", "not_billed"),
            "values": {"change": values_of(budget), "remove": {"budget_id": budget["budget_id"]}},
            "facts": [("What it says", terms(budget))],
        },
        stats=(
            Stat(
                "Most used",
                None if used is None else used / 100,
                "share",
                str(first.get("subject") or ""),
                "" if used is None else _state(used / 100),
            ),
            Stat("Left", first.get("remaining_usd"), "usd", f"of {shown(budget['limit_usd'], 'usd')}"),
            Stat("Begins anew", first.get("resets_at"), "when"),
            Stat(
                "Used up on",
                first.get("exhausted_at"),
                "when",
                "at the present rate" if first.get("exhausted_at") else "not in this period",
                "warn" if first.get("exhausted_at") else "",
            ),
        ),
        tables=(accounts_table(accounts, budget),),
        problems=[answer.problem] if answer.problem else [],
    )


def terms(budget: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """Everything it says."""
    switch = budget["on_threshold"]
    return [
        ("Counts", scope_text(budget["scope"]), "text"),
        ("Limit", budget["limit_usd"], "usd"),
        ("Per", per_text(budget), "text"),
        ("When it is used up", "refuses (402)" if budget["hard"] else "counts and alerts", "text"),
        ("Alerts at", ", ".join(f"{share:.0%}" for share in budget["alert_at"]), "text"),
        ("Cheaper route", switch and f"{switch['route']} from {switch['at']:.0%} on", "text"),
        ("Contact", budget["contact"], "text"),
        ("From", origin(budget), "text"),
        ("Tenant", budget["tenant_id"], "code"),
        ("Changed", budget["updated_at"], "when"),
        ("Id", budget["budget_id"], "code"),
    ]


def values_of(budget: Mapping[str, Any]) -> dict[str, Any]:
    """What the form that changes it begins with."""
    switch = budget["on_threshold"] or {}
    return {
        **{name: budget[name] for name in FORM_NAMES},
        **{f"scope.{name}": value for name, value in budget["scope"].items()},
        "budget_id": budget["budget_id"],
        "on_threshold.at": switch.get("at"),
        "on_threshold.route": switch.get("route"),
    }


def accounts_table(accounts: list[dict[str, Any]], budget: Mapping[str, Any]) -> Table:
    """Who has used how much of it."""
    rows = [
        {**account, "who": account["subject"] or "all together", "used": account["utilization_percent"] / 100}
        for account in accounts
    ]
    return Table(
        name="accounts",
        title="How it stands",
        columns=(
            Column("who", "Whose"),
            Column("used", "Used", "meter"),
            Column("spent_usd", "Spent", "usd"),
            Column("remaining_usd", "Left", "usd"),
            Column("exhausted_at", "Used up on", "when"),
            Column("unresolved_usd", "Bills unknown", "usd", wide=True),
            Column("held_usd", "Held", "usd", wide=True),
            Column("spend_rate_usd_per_day", "A day, at this rate", "usd", wide=True),
            Column("projected_usd", "Period comes to", "usd", wide=True),
            Column("resets_at", "Begins anew", "when", wide=True),
            Column("account_id", "Account", "code", wide=True),
        ),
        rows=rows,
        empty="Nobody spent anything of it in this period; accounts begin with the first request that it "
        f"concerns ({scope_text(budget['scope'])}).",
    )


_TERM_FIELDS: Final = (
    Field("limit_usd", "Limit, $", required=True, hint="Exact to the nano-dollar; 0 allows nothing."),
    Field("period", "Per", "choice", required=True, choices=PERIODS, default="month"),
    Field("hard", "Refuse what would pass the limit", "flag", hint="Otherwise it only counts and alerts."),
    Field("rolling", "A sliding window instead of a calendar period", "flag"),
    Field("time_zone", "Time zone", hint="When a calendar period begins, as Europe/Paris.", default="UTC"),
    Field("alert_at", "Alert at", "json", "Shares of the limit, rising: [0.8, 0.9, 1.0]."),
    Field("on_threshold.at", "Cheaper route from", "number", "A share of the limit, such as 0.8."),
    Field("on_threshold.route", "Cheaper route", hint="Requests are planned on it from then on."),
    Field("contact", "Contact", hint="Told to whoever is refused."),
)  # fmt: skip
FIRST_TERMS: Final = 3
"""Terms that are asked for before whose spending counts."""
FORM_NAMES: Final = (
    "name", "limit_usd", "period", "hard", "rolling", "time_zone", "alert_at", "contact",
)  # fmt: skip
_SCOPE_HINTS: Final = {
    "tenant": "Whose spending counts: all that are given must hold. * is each value for itself.",
    "key": "A key's id, or a name that only one key has.",
    "model": "As the provider knows it, or provider/model.",
}
_ID: Final = Field("budget_id", "Id", "path", required=True)
_ATTEMPT: Final = Field("attempt_id", "Attempt", required=True, hint="As the table below shows it.")


def _settle(name: str, title: str, fields: tuple[Field, ...], done: str) -> Act:
    return Act(
        name=name,
        title=title,
        method="POST",
        path=f"{PATH}/unresolved/resolve",
        permission="budgets.write",
        fields=fields,
        done=done,
    )


PAGE: Final = Page(
    name="budgets",
    title="Budgets",
    group="Money",
    permission="budgets.read",
    view=view,
    about="What may be spent by whom in which time, how that stands, and until when it lasts.",
    acts=(
        Act(
            name="create",
            title="Make a budget",
            method="POST",
            path=PATH,
            permission="budgets.write",
            fields=(
                Field("name", "Name", required=True, hint="For people; unique in the tenant."),
                *_TERM_FIELDS[:FIRST_TERMS],
                *(
                    Field(f"scope.{name}", f"Counts {name}", hint=_SCOPE_HINTS.get(name, ""))
                    for name in DIMENSIONS
                ),
                *_TERM_FIELDS[FIRST_TERMS:],
            ),
            done="It is in force here, and within a second on every instance.",
        ),
        Act(
            name="change",
            title="Change it",
            method="PUT",
            path=f"{PATH}/{{budget_id}}",
            permission="budgets.write",
            fields=(
                _ID,
                Field("name", "Name", required=True),
                *(Field(f"scope.{name}", name, "hidden") for name in DIMENSIONS),
                *_TERM_FIELDS,
            ),
            done="It is changed. What was spent stays spent.",
        ),
        Act(
            name="remove",
            title="Remove",
            method="DELETE",
            path=f"{PATH}/{{budget_id}}",
            permission="budgets.write",
            fields=(_ID,),
            done="It is removed, and holds nobody any more.",
            danger=True,
            leaves=True,
        ),
        _settle(
            "settle",
            "State a bill",
            (_ATTEMPT, Field("cost_usd", "Cost, $", required=True, hint="What the provider billed.")),
            "The bill is stated, and counts from now on.",
        ),
        _settle("as_held", "Bill as held", (_ATTEMPT,), "What was held is spent."),
        _settle(
            "not_billed",
            "Not billed",
            (_ATTEMPT, Field("cost_usd", "Cost, $", "hidden", default="0")),
            "It cost nothing.",
        ),
    ),
)
