"""Who did what, and the proof that nobody changed what was entered."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from entrypoints.ui.page import Ask, Column, Field, Page, Shown, Stat, Table

LIMIT: Final = 100
CHECKPOINTS: Final = 10
FILTERS: Final = (
    Field("kind", "Kind", "choice", choices=("act", "read", "access", "denied")),
    Field("actor", "Who (id or name)"),
    Field("action", "Action", hint="keys.create"),
    Field("subject", "What it was about"),
    Field("outcome", "Outcome", hint="done"),
    Field("request_id", "Request"),
    Field("from", "From (UTC)", hint="2026-03-01T00:00:00Z"),
    Field("to", "To (UTC)"),
)
VERIFY: Final = (
    "interchange audit key > audit.pub\n"
    "interchange audit export trail.jsonl\n"
    "interchange audit verify --export trail.jsonl --checkpoints kept.txt --public-key audit.pub"
)


async def view(ask: Ask) -> Shown:
    """The newest entries that fit the filters, or one with its proof."""
    if ask.item:
        return await _one(ask)
    said = {field.name: ask.query.get(field.name, "") for field in FILTERS}
    asked = {f"{name}_" if name == "from" else name: value for name, value in said.items()}
    answer = await ask.api.get("/api/v1/audit", limit=LIMIT, before=ask.query.get("before"), **asked)
    checkpoints = await ask.tried("/api/v1/audit/checkpoints", limit=CHECKPOINTS)
    more = ""
    if answer["next"]:
        kept = {name: value for name, value in said.items() if value}
        more = "?" + urlencode({**kept, "before": answer["next"]})
    made = checkpoints.get("checkpoints", [])
    return Shown(
        template="detail.html",
        context={"filters": FILTERS, "texts": (("Proving all of it, on another machine", VERIFY),)},
        stats=(
            Stat("Entries in the newest checkpoint", made[0]["size"] if made else None),
            Stat("Signed", made[0]["made_at"] if made else None, "when"),
        ),
        tables=(_entries(answer["entries"], more, filtered=any(said.values())), _checkpoints(made)),
        problems=[checkpoints.problem] if checkpoints.problem else (),
    )


def _entries(rows: list[dict[str, Any]], more: str, *, filtered: bool) -> Table:
    return Table(
        name="entries",
        title="Entries",
        more=more,
        columns=(
            Column("at", "When", "when", "/ui/audit/{id}"),
            Column("who", "Who"),
            Column("action", "Action", "code"),
            Column("subject", "About"),
            Column("outcome", "Outcome", "state"),
            Column("ended", "Ended", "state", wide=True),
            Column("kind", "Kind", wide=True),
            Column("actor.role", "Role", wide=True),
            Column("actor.address", "From", "code", wide=True),
            Column("request_id", "Request", "code", "/ui/requests/{request_id}", wide=True),
            Column("id", "Entry", "code", wide=True),
        ),
        rows=[
            {**row, "who": row["actor"]["name"] or row["actor"]["id"] or row["actor"]["kind"]} for row in rows
        ],
        empty="Nothing fits the filters." if filtered else "Nothing was entered yet.",
    )


def _checkpoints(rows: list[dict[str, Any]]) -> Table:
    return Table(
        name="checkpoints",
        title="Checkpoints",
        columns=(
            Column("made_at", "Signed", "when"),
            Column("size", "Entries", "number"),
            Column("note", "Note", "code", wide=True),
        ),
        rows=rows,
        empty="None is signed yet: the first comes within a minute of the first entry.",
    )


async def _one(ask: Ask) -> Shown:
    proof = await ask.tried(f"/api/v1/audit/proof/{quote(ask.item, safe='')}")
    found = proof.get("entry", {})
    if not found:
        return Shown(
            template="detail.html",
            context={"back": ("/ui/audit", "All entries")},
            problems=[f"{proof.problem}. A new entry has a proof once a checkpoint is signed over it."],
        )
    return Shown(
        title=f"{found['action']}, {found['outcome']}",
        template="detail.html",
        context={
            "back": ("/ui/audit", "All entries"),
            "facts": (("Entry", _facts(found)), ("Proof", _proof(proof.value))),
            "texts": (
                ("Details", found["details"] or None),
                ("Path to the checkpoint's root", "\n".join(proof.get("path", []))),
                ("Checkpoint, signed", proof.get("checkpoint", {}).get("note")),
            ),
        },
    )


def _facts(found: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    actor = found["actor"]
    pairs = [
        ("When", found["at"], "when"),
        ("Kind", found["kind"], "text"),
        ("Who", actor["name"] or actor["kind"], "text"),
        ("Id", actor["id"], "code"),
        ("Role", actor["role"], "text"),
        ("From", actor["address"], "code"),
        ("About", found["subject"], "text"),
        ("Outcome", found["outcome"], "state"),
        ("Ended", found["ended"], "state"),
        ("Request", found["request_id"], "code"),
        ("Belongs to", found["refers_to"], "code"),
        ("Tenant", found["tenant_id"], "code"),
    ]
    return [pair for pair in pairs if pair[1] not in (None, "")]


def _proof(proof: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    return [
        ("Entry", proof["entry"]["id"], "code"),
        ("Place in the log", proof["leaf"], "number"),
        ("In the checkpoint of", proof["checkpoint"]["size"], "number"),
        ("Hash", proof["entry"]["hash"], "code"),
        ("Hash before it", proof["previous_hash"], "code"),
        ("Public key", proof["key"], "code"),
    ]


PAGE: Final = Page(
    name="audit",
    title="Audit",
    group="Access",
    permission="audit.read",
    view=view,
    about="Who did what, who was turned away, and the proof that nobody changed what was entered.",
)
