"""Secrets of others, sealed: what they are for and which key seals them, never what they are."""

from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.owned import hidden
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.pages import tenant_choice as tenants

ROOT: Final = "/api/v1/credentials"
ONE: Final = ROOT + "/{credential_id}"


async def view(ask: Ask) -> Shown:
    """All of the tenant and the keys around them, or one of them."""
    if ask.item:
        return await _one(ask)
    answer = await ask.api.get(ROOT, tenant_id=tenants.asked(ask))
    stats: list[Stat] = [Stat("Credentials", len(answer["credentials"]))]
    tables = [
        Table(
            name="credentials",
            title="Credentials",
            columns=(
                Column("name", "Name", link=tenants.within("/ui/credentials/{credential_id}", ask)),
                Column("integration", "For"),
                Column("field", "Field", "code"),
                Column("updated_at", "Changed", "when"),
                Column("version", "Version", "number", wide=True),
                Column("key_id", "Sealed by", "code", wide=True),
                Column("sealed_at", "Sealed", "when", wide=True),
                Column("updated_by", "Changed by", "code", wide=True),
            ),
            rows=answer["credentials"],
            empty="Nothing is kept. Secrets of integrations come here by themselves; make others above, or "
            "by interchange credentials add.",
        )
    ]
    problems = []
    if ask.may("credentials.rotate"):
        rotation = await ask.tried(f"{ROOT}/rotation")
        stats += _rotation(rotation.get("rotation"))
        tables.append(_keys(rotation.get("keys", [])))
        problems += [rotation.problem] if rotation.problem else []
    return Shown(
        title=tenants.titled("Credentials", ask),
        context={
            "row_acts": hidden(("create", "rotation"), _NAMES),
            "filters": await tenants.choices(ask),
        },
        stats=stats,
        tables=tables,
        problems=problems,
    )


def _rotation(last: dict[str, Any] | None) -> list[Stat]:
    if last is None:
        return [Stat("Last rotation", "none yet", "text")]
    done = f"{last['done']} of {last['total']}"
    state = "bad" if last["failed"] else "" if last["finished_at"] else "warn"
    return [
        Stat("Last rotation", last["started_at"], "when", f"of the {last['kind']} key"),
        Stat("Sealed anew", done, "text", "finished" if last["finished_at"] else "under way", state),
        Stat("Failed", last["failed"], state="bad" if last["failed"] else ""),
    ]


def _keys(keys: list[dict[str, Any]]) -> Table:
    return Table(
        name="masters",
        title="Master keys",
        columns=(
            Column("key_id", "Key", "code"),
            Column("primary", "Seals new ones", "flag"),
            Column("credentials", "Credentials", "number"),
            Column("here", "Known here", "flag"),
            Column("made_at", "Made", "when", wide=True),
        ),
        rows=keys,
        empty="No key is known here: see docs/vault.md on where keys come from.",
    )


async def _one(ask: Ask) -> Shown:
    found = await ask.api.get(f"{ROOT}/{quote(ask.item, safe='')}", tenant_id=tenants.asked(ask))
    return Shown(
        title=found["name"],
        template="detail.html",
        context={
            "row_acts": hidden(("replace",), _NAMES),
            "buttons": ["delete"],
            "row": {"credential_id": found["credential_id"]},
            "back": (tenants.within("/ui/credentials", ask), "All credentials"),
            "values": {"replace": {"credential_id": found["credential_id"]}},
            "facts": (
                (
                    "What is known of it",
                    [
                        ("For", found["integration"], "text"),
                        ("Field", found["field"], "code"),
                        ("Tenant", found["tenant_id"], "code"),
                        ("Version", found["version"], "number"),
                        ("Sealed by", found["key_id"], "code"),
                        ("Sealed", found["sealed_at"], "when"),
                        ("Made", found["created_at"], "when"),
                        ("Changed", found["updated_at"], "when"),
                        ("Changed by", found["updated_by"], "code"),
                        ("Id", found["credential_id"], "code"),
                    ],
                ),
            ),
        },
    )


_ID: Final = Field("credential_id", "Credential", "path")
_VALUE: Final = Field(
    "value",
    "Value",
    "secret",
    "Goes in and never comes out. One of several lines, such as a key file: interchange credentials add.",
    required=True,
)
ACTS: Final = (
    Act(
        name="create",
        title="Keep a credential",
        method="POST",
        path=ROOT,
        permission="credentials.write",
        fields=(
            Field("name", "Name", hint="Small letters, digits, . _ -; unique in the tenant.", required=True),
            _VALUE,
            Field("integration", "For", hint="An integration, or shared: any integration may name it."),
            Field("field", "Field", hint="Which of its secrets, such as password."),
            Field(tenants.NAME, "Tenant", "kept"),
        ),
        done="It is sealed and kept.",
    ),
    Act(
        name="replace",
        title="Replace its value",
        method="PUT",
        path=ONE,
        permission="credentials.write",
        fields=(_ID, _VALUE, tenants.ALONG),
        done="The new value is in use within a second.",
    ),
    Act(
        name="delete",
        title="Delete",
        method="DELETE",
        path=ONE,
        permission="credentials.write",
        fields=(_ID, tenants.ALONG),
        done="It is gone.",
        danger=True,
        leaves=True,
    ),
    Act(
        name="rotation",
        title="Rotate keys",
        method="POST",
        path=f"{ROOT}/rotation",
        permission="credentials.rotate",
        fields=(
            Field(
                "kind",
                "Which",
                "choice",
                "master: all are sealed under a new master key. data: each gets a new key of its own.",
                choices=("master", "data"),
                required=True,
            ),
        ),
        done="The rotation goes on in the background: see how far it is below.",
    ),
)
_NAMES: Final = tuple(act.name for act in ACTS)

PAGE: Final = Page(
    name="credentials",
    title="Credentials",
    group="Access",
    permission="credentials.read",
    view=view,
    about="Secrets of others that are kept sealed: what they are for, never what they are.",
    acts=ACTS,
)
