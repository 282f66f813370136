"""What is done about personal data, what is checked, and what is kept of one user."""

from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table

WHERE: Final = ("prompts", "tool_arguments", "tool_results", "answers")


async def view(ask: Ask) -> Shown:
    """Policies and guardrails in force, and erasures for those who may see them."""
    privacy = await ask.tried("/api/v1/privacy")
    guardrails = await ask.tried("/api/v1/guardrails")
    user = ask.query.get("user", "").strip()
    tables = [_policies(privacy.get("policies", [])), _guardrails(guardrails.get("guardrails", []))]
    problems = [each.problem for each in (privacy, guardrails) if each.problem]
    if ask.may("privacy.erase"):
        erasures = await ask.tried("/api/v1/privacy/erasures")
        tables.append(_erasures(erasures.get("erasures", [])))
        problems += [erasures.problem] if erasures.problem else []
    return Shown(
        template="privacy.html",
        context={
            "user": user,
            "export": f"/api/v1/privacy/subjects/{quote(user, safe='')}" if user else "",
            "may_export": ask.may("privacy.export"),
            "row_acts": () if user else ("erase",),
            "values": {"erase": {"user_id": user}},
        },
        stats=(
            Stat("Policy unless a route says otherwise", privacy.get("default"), "text"),
            Stat("Policy of your tenant", privacy.get("tenant"), "text", "the stricter of both holds"),
            Stat("Guardrails of your tenant", guardrails.get("tenant") or None, "list"),
        ),
        tables=tables,
        problems=problems,
    )


def _policies(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="policies",
        title="Privacy policies",
        columns=(
            Column("name", "Policy", "code"),
            Column("default", "Does", "text"),
            Column("kinds", "Except for"),
            Column("where", "Holds for", "list", wide=True),
            Column("allow", "Leaves alone", "list", wide=True),
            Column("route.providers", "Sends to", "list", wide=True),
            Column("built_in", "Built in", "flag", wide=True),
        ),
        rows=rows,
        empty="No policy can be shown to you.",
    )


def _guardrails(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="guardrails",
        title="Guardrails",
        columns=(
            Column("name", "Guardrail", "code"),
            Column("kind", "Kind"),
            Column("action", "Does"),
            Column("where", "Looks at", "list", wide=True),
            Column("everywhere", "On every route", "flag"),
            Column("on_error", "When it fails", wide=True),
            Column("stream", "In streams", wide=True),
        ),
        rows=rows,
        empty="Nothing is checked. Guardrails are configured in the file, such as "
        "guardrails: {no-secrets: {kind: secret_leak}}; see docs/guardrails.md.",
    )


def _erasures(rows: list[dict[str, Any]]) -> Table:
    shown = [{**row, "steps_text": f"{row['steps_done']} of {row['steps']}"} for row in rows]
    return Table(
        name="erasures",
        title="Erasures",
        columns=(
            Column("started_at", "Began", "when"),
            Column("pseudonym", "In place of the user", "code"),
            Column("state", "State", "state"),
            Column("steps_text", "Steps"),
            Column("counts", "What was removed", wide=True),
            Column("asked_by", "Asked by", "code", wide=True),
            Column("finished_at", "Done", "when", wide=True),
        ),
        rows=shown,
        empty="Nobody was forgotten yet.",
    )


_TEXT: Final = Field("text", "Text", "area", "Nothing of it is kept.", required=True)
_WHERE: Final = Field("where", "As", "choice", "Where it would stand; prompts unless said.", choices=WHERE)

PAGE: Final = Page(
    name="privacy",
    title="Privacy & guardrails",
    group="Access",
    permission="privacy.read",
    view=view,
    about="What is done about personal data, what is checked, and what is kept of one user.",
    acts=(
        Act(
            name="check",
            title="Try a policy on a text",
            method="POST",
            path="/api/v1/privacy/check",
            permission="privacy.read",
            fields=(
                _TEXT,
                _WHERE,
                Field("policy", "Policy", hint="Empty: the one that is in force for you."),
                Field("route", "Route", hint="The rules of this route instead."),
            ),
            done="What the policy makes of it",
            stays=True,
        ),
        Act(
            name="guard",
            title="Try guardrails on a text",
            method="POST",
            path="/api/v1/guardrails/check",
            permission="guardrails.read",
            fields=(
                _TEXT,
                _WHERE,
                Field(
                    "guardrails",
                    "Guardrails",
                    "list",
                    "By name, one on each line; empty: those in force for you.",
                ),
                Field("route", "Route", hint="The guardrails of this route instead."),
                Field("outside", "Ask webhooks too", "flag", "Then the text leaves this installation."),
            ),
            done="What the guardrails say",
            stays=True,
        ),
        Act(
            name="erase",
            title="Forget this user for good",
            method="DELETE",
            path="/api/v1/privacy/subjects/{user_id}",
            permission="privacy.erase",
            fields=(
                Field(
                    "user_id",
                    "User",
                    hint="Type the name again. Contents go, and usage rows stay without the name: bills are "
                    "made of them. It cannot be undone.",
                    required=True,
                ),
            ),
            done="The erasure goes on in the background.",
            danger=True,
            stays=True,
        ),
    ),
)
