"""Who is stopped, why, and until when."""

from datetime import datetime
from typing import Any, Final

from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table

ROOT: Final = "/api/v1/stops"
WHO: Final = (
    ("agent_id", "agent"),
    ("session_id", "session"),
    ("user_id", "user"),
    ("key_id", "key"),
    ("workflow_id", "workflow"),
    ("route", "route"),
)


async def view(ask: Ask) -> Shown:
    """Those in force, and on demand those that ended within a week."""
    ended = ask.query.get("ended", "")
    answer = await ask.api.get(ROOT, ended=ended)
    rows = [_row(each, ask.now) for each in answer["stops"]]
    in_force = sum(1 for row in rows if row["state"] == "stopped")
    return Shown(
        context={
            "row_acts": ("lift",),
            "filters": (Field("ended", "Also those that ended", "flag"),),
            "values": {"stop": {"agent_id": ask.query.get("agent_id", "")}},
            "open": "stop" if ask.query.get("agent_id") else "",
        },
        stats=(Stat("Stopped now", in_force, state="warn" if in_force else ""),),
        tables=(
            Table(
                name="stops",
                title="Stops",
                columns=(
                    Column("who", "Who"),
                    Column("state", "State", "state"),
                    Column("cause", "Cause"),
                    Column("reason", "Reason", "long"),
                    Column("expires_at", "Until", "when"),
                    Column("created_at", "Since", "when", wide=True),
                    Column("made_by", "Stopped by", "code", wide=True),
                    Column("lifted_at", "Released", "when", wide=True),
                    Column("lifted_by", "Released by", "code", wide=True),
                ),
                rows=rows,
                acts=("lift",),
                empty="Nobody is stopped. Stop an agent that runs away here, or let guards do it "
                "(`guards:` in the configuration file): loops, fast spending, many steps without a user.",
            ),
        ),
    )


def _row(stop: dict[str, Any], now: datetime) -> dict[str, Any]:
    over = stop["expires_at"] is not None and datetime.fromisoformat(stop["expires_at"]) <= now
    state = "released" if stop["lifted_at"] else "ended" if over else "stopped"
    who = ", ".join(f"{title} {stop[name]}" for name, title in WHO if stop[name])
    return {"who": who, **stop, "state": state, "acts_offered": ["lift"] if state == "stopped" else []}


PAGE: Final = Page(
    name="stops",
    title="Stopped agents",
    group="Access",
    permission="agents.stop",
    view=view,
    about="Who is refused at once, why, and until when.",
    acts=(
        Act(
            name="stop",
            title="Stop an agent",
            method="POST",
            path=ROOT,
            permission="agents.stop",
            fields=(
                Field("agent_id", "Agent", hint="As it names itself. With several names, all have to agree."),
                Field("session_id", "Session"),
                Field("user_id", "User"),
                Field("key_id", "Key", hint="Nobody can call it otherwise: the surest."),
                Field("workflow_id", "Workflow"),
                Field("route", "Route"),
                Field("reason", "Reason", hint="Told to whoever is refused."),
                Field("for_s", "For, seconds", "number", "Empty: until it is released."),
                Field("now", "End its running requests too", "flag"),
            ),
            done="It is stopped: its next request is refused.",
        ),
        Act(
            name="lift",
            title="Release",
            method="DELETE",
            path=ROOT + "/{stop_id}",
            permission="agents.stop",
            fields=(Field("stop_id", "Stop", "path"),),
            done="It is released, within a second everywhere.",
        ),
    ),
)
