"""Where events are sent, what arrived there, and what did not."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from entrypoints.ui.owned import hidden, origin, reason
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.pages import tenant_choice as tenants

ROOT: Final = "/api/v1/webhooks"
ONE: Final = ROOT + "/{endpoint_id}"
DEAD_MAX: Final = 100
SENT_MAX: Final = 100
STATES: Final = ("waiting", "leased", "delivered", "dead")


async def view(ask: Ask) -> Shown:
    """All endpoints, one of them (`<endpoint>`), or one delivery (`<endpoint>/<delivery>`)."""
    endpoint_id, _, delivery_id = ask.item.partition("/")
    if delivery_id:
        return await _delivery(ask, endpoint_id, delivery_id)
    return await (_one(ask, endpoint_id) if endpoint_id else _all(ask))


async def _all(ask: Ask) -> Shown:
    tenant_id = tenants.asked(ask)
    found = await ask.api.get(ROOT, tenant_id=tenant_id)
    dead = await ask.tried(f"{ROOT}/dead-letters", limit=DEAD_MAX, tenant_id=tenant_id)
    rows = [
        {
            "title": each["description"] or each["url"],
            **each,
            "from": origin(each),
            "acts_offered": _offered(each),
        }
        for each in found["webhooks"]
    ]
    return Shown(
        title=tenants.titled("Webhooks", ask),
        context={
            "row_acts": hidden(("create",), _NAMES),
            "filters": await tenants.choices(ask),
            "values": {"create": {"events": "*", "format": "standard"}},
        },
        stats=_stats(rows, len(dead.get("deliveries", []))) if rows else (),
        tables=(
            Table(
                name="endpoints",
                title="Endpoints",
                columns=(
                    Column("title", "Webhook", link=tenants.within("/ui/webhooks/{endpoint_id}", ask)),
                    Column("url", "Address", "code"),
                    Column("events", "Events", "list"),
                    Column("format", "Format"),
                    Column("state", "State", "state"),
                    Column("reason", "Because", wide=True),
                    Column("failing_since", "Fails since", "when", wide=True),
                    Column("from", "From", wide=True),
                    Column("endpoint_id", "Id", "code", wide=True),
                ),
                rows=rows,
                acts=("pause", "resume", "test"),
                empty="Nobody is told of events yet. Make a webhook above, or declare one under "
                "`webhooks: endpoints:` in the configuration file.",
            ),
            _deliveries(ask, dead.get("deliveries", []), "dead", "Given up (dead letters)", _NO_DEAD),
        ),
        problems=[dead.problem] if dead.problem else (),
    )


_NO_DEAD: Final = "Nothing was given up: everything arrived, or is still being tried."


def _stats(rows: list[dict[str, Any]], dead: int) -> list[Stat]:
    failing = sum(1 for row in rows if row["failing_since"])
    still = sum(1 for row in rows if row["state"] != "active")
    return [
        Stat("Endpoints", len(rows)),
        Stat("Paused or disabled", still, state="warn" if still else ""),
        Stat("Failing now", failing, state="bad" if failing else ""),
        Stat("Given up", dead, note="of those kept", state="warn" if dead else ""),
    ]


def _offered(row: Mapping[str, Any]) -> list[str]:
    if row["owner"] == "file":
        return ["test"] if row["state"] == "active" else []
    return ["test", "pause"] if row["state"] == "active" else ["resume"]


def _deliveries(
    ask: Ask, rows: list[dict[str, Any]], name: str, title: str, empty: str, more: str = ""
) -> Table:  # fmt: skip
    return Table(
        name=name,
        title=title,
        more=more,
        columns=(
            Column(
                "event_at", "Event", "when", tenants.within("/ui/webhooks/{endpoint_id}%2F{delivery_id}", ask)
            ),
            Column("event_type", "Type", "code"),
            Column("state", "State", "state"),
            Column("attempts", "Attempts", "number"),
            Column("outcome", "Last outcome"),
            Column("status", "Status", "number"),
            Column("next_attempt_at", "Next attempt", "when", wide=True),
            Column("settled_at", "Settled", "when", wide=True),
            Column(
                "endpoint_id",
                "Endpoint",
                "code",
                tenants.within("/ui/webhooks/{endpoint_id}", ask),
                wide=True,
            ),
        ),
        rows=[{**row, "acts_offered": ["retry"] if row["state"] == "dead" else []} for row in rows],
        acts=("retry",),
        empty=empty,
    )


async def _one(ask: Ask, endpoint_id: str) -> Shown:
    path = f"{ROOT}/{quote(endpoint_id, safe='')}"
    tenant_id = tenants.asked(ask)
    found = await ask.api.get(path, tenant_id=tenant_id)
    state = ask.query.get("state", "")
    sent = await ask.tried(
        f"{path}/deliveries",
        tenant_id=tenant_id,
        state=state,
        limit=SENT_MAX,
        before=ask.query.get("before"),
    )  # fmt: skip
    of_file = found["owner"] == "file"
    following = sent.get("next_before")
    said = {"tenant_id": tenant_id, "state": state, "before": following}
    more = "?" + urlencode({name: value for name, value in said.items() if value}) if following else ""
    return Shown(
        title=found["description"] or found["url"],
        template="detail.html",
        context={
            "row_acts": hidden(("replay",) if of_file else ("change", "rotate", "replay"), _NAMES),
            "buttons": [*_offered(found), *([] if of_file else ["delete"])],
            "row": {"endpoint_id": endpoint_id},
            "note": reason(found, "webhook"),
            "back": (tenants.within("/ui/webhooks", ask), "All webhooks"),
            "filters": (*tenants.hidden(ask), Field("state", "State", "choice", choices=STATES)),
            "values": {
                "change": found,
                "rotate": found,
                "replay": {"endpoint_id": endpoint_id, "since": ask.ago(hours=1)},
            },
            "facts": (("About", _about(found)),),
        },
        stats=(
            Stat("State", found["state"], "state", found["reason"]),
            Stat("Format", found["format"], "text"),
            Stat("Fails since", found["failing_since"], "when"),
        ),
        tables=(
            _deliveries(
                ask,
                sent.get("deliveries", []),
                "deliveries",
                "Deliveries",
                "Nothing was sent here yet. Test it: an event of its own is sent at once."
                if not state
                else f"Nothing here is {state}.",
                more,
            ),
        ),
        problems=[sent.problem] if sent.problem else (),
    )


def _about(found: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    return [
        ("Address", found["url"], "code"),
        ("Events", found["events"], "list"),
        ("Only where", found["filter"] or None, "text"),
        ("In order", found["ordered"], "flag"),
        ("At most per second", found["rate_per_s"], "number"),
        ("At once", found["concurrency"], "number"),
        ("From", origin(found), "text"),
        ("Made", found["created_at"], "when"),
        ("Changed", found["updated_at"], "when"),
        ("Id", found["endpoint_id"], "code"),
    ]


async def _delivery(ask: Ask, endpoint_id: str, delivery_id: str) -> Shown:
    here = f"{ROOT}/{quote(endpoint_id, safe='')}"
    sent_path = f"{here}/deliveries/{quote(delivery_id, safe='')}"
    found = await ask.api.get(sent_path, tenant_id=tenants.asked(ask))
    return Shown(
        title=f"{found['event_type']}, delivered" if found["state"] == "delivered" else found["event_type"],
        template="detail.html",
        context={
            "row_acts": _NAMES,
            "buttons": ["retry"] if found["state"] in ("dead", "waiting") else [],
            "row": {"endpoint_id": endpoint_id, "delivery_id": delivery_id},
            "back": (
                tenants.within(f"/ui/webhooks/{quote(endpoint_id, safe='')}", ask),
                "All deliveries of this webhook",
            ),
            "facts": (
                (
                    "Ids",
                    [
                        ("Event", found["event_id"], "code"),
                        ("Delivery", found["delivery_id"], "code"),
                        ("Endpoint", found["endpoint_id"], "code"),
                    ],
                ),
            ),
            "texts": (("What was sent as data", found["data"]),),
        },
        stats=(
            Stat("State", found["state"], "state"),
            Stat("Attempts", found["attempts"]),
            Stat("Last status", found["status"], "text", found["outcome"] or ""),
            Stat("Event", found["event_at"], "when"),
            Stat("Next attempt", found["next_attempt_at"], "when"),
        ),
        tables=(
            Table(
                name="attempts",
                title="Attempts",
                columns=(
                    Column("at", "When", "when"),
                    Column("outcome", "Outcome", "state"),
                    Column("status", "Status", "number"),
                    Column("duration_ms", "Took", "ms"),
                    Column("detail", "What it said"),
                ),
                rows=found["log"],
                empty="Nobody tried yet: the first attempt is made within a second.",
            ),
        ),
    )


_ID: Final = Field("endpoint_id", "Webhook", "path")
_FORM: Final = (
    Field("url", "Address", hint="https, without user and password", required=True),
    Field("events", "Events", "list", "Names, groups such as cost.*, or *; one on each line."),
    Field(
        "format", "Format", "choice", "As the receiver wants it.", choices=("standard", "slack", "pagerduty")
    ),
    Field("routing_key", "Routing key", "secret", "Of PagerDuty only; kept in the vault."),
    Field("filter", "Only where", "json", 'Values in the event\'s data, such as {"hard": true}.'),
    Field("ordered", "One at a time, in the order of events", "flag"),
    Field("rate_per_s", "At most per second", "number"),
    Field("concurrency", "At once", "whole", "1 to 32; 4 unless said."),
    Field("description", "Description"),
)


def _simple(name: str, title: str, done: str, *, danger: bool = False) -> Act:
    return Act(
        name=name,
        title=title,
        method="POST",
        path=f"{ONE}/{name}",
        permission="webhooks.operate",
        fields=(_ID, tenants.ALONG),
        done=done,
        danger=danger,
    )


ACTS: Final = (
    Act(
        name="create",
        title="Make a webhook",
        method="POST",
        path=ROOT,
        permission="webhooks.write",
        fields=(*_FORM, tenants.ALONG),
        done="The webhook is made. Its receiver checks signatures with this secret.",
        shows_once=("endpoint_id", "secret"),
    ),
    _simple("pause", "Pause", "It is paused: events wait."),
    _simple("resume", "Resume", "It goes on."),
    _simple("test", "Test", "An event of its own is on its way: see the deliveries."),
    Act(
        name="change",
        title="Change",
        method="PUT",
        path=ONE,
        permission="webhooks.write",
        fields=(_ID, *_FORM, tenants.ALONG),
        done="It is changed, from the next delivery on.",
    ),
    Act(
        name="rotate",
        title="Rotate the secret",
        method="POST",
        path=f"{ONE}/rotate-secret",
        permission="webhooks.write",
        fields=(
            _ID,
            Field("overlap_s", "Both are used for, seconds", "number", "A day unless said."),
            tenants.ALONG,
        ),
        done="This is the new secret.",
        shows_once=("secret", "overlap_s"),
    ),
    Act(
        name="replay",
        title="Send events again",
        method="POST",
        path=f"{ONE}/replay",
        permission="webhooks.operate",
        fields=(
            _ID,
            Field("since", "From (UTC)", hint="As 2026-03-01T12:00:00+00:00", required=True),
            Field("until", "Until (UTC)", hint="Now unless said."),
            Field("dead_only", "Only what was given up", "flag"),
            tenants.ALONG,
        ),
        done="They are on their way again.",
        stays=True,
    ),
    Act(
        name="delete",
        title="Delete",
        method="DELETE",
        path=ONE,
        permission="webhooks.write",
        fields=(_ID, tenants.ALONG),
        done="It is gone; nothing more is sent there.",
        danger=True,
        leaves=True,
    ),
    Act(
        name="retry",
        title="Try again",
        method="POST",
        path=f"{ONE}/deliveries/{{delivery_id}}/retry",
        permission="webhooks.operate",
        fields=(_ID, Field("delivery_id", "Delivery", "path"), tenants.ALONG),
        done="It is tried again now.",
    ),
)
_NAMES: Final = tuple(act.name for act in ACTS)

PAGE: Final = Page(
    name="webhooks",
    title="Webhooks",
    group="Outside",
    permission="webhooks.read",
    view=view,
    about="Where events are sent, what arrived there, and what did not.",
    acts=ACTS,
)
