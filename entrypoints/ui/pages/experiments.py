"""A/B tests of routes: who gets which arm, what each does, and what may be concluded."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from entrypoints.ui.owned import hidden, origin, reason
from entrypoints.ui.page import Act, Ask, Column, Field, Page, Shown, Stat, Table
from entrypoints.ui.shadow_parts import answers_table, shadow_of

PATH: Final = "/api/v1/experiments"
ONE: Final = PATH + "/{experiment_id}"
JUDGED_MAX: Final = 20
"""Running experiments whose decision the list tells; each is a question of its own."""
UNITS: Final = ("user", "session", "request", "tenant")
METRICS: Final = ("cost", "latency", "quality", "errors")
DECISIONS: Final = {
    "keep_going": "keep going",
    "better": "an arm is better",
    "control_is_better": "control is better",
    "no_difference": "no difference",
    "stopped_by_guardrail": "stopped by guardrail",
    "split_is_off": "split is off",
}
_STATES: Final = {"better": "good", "split_is_off": "bad", "stopped_by_guardrail": "warn"}
_EMPTY: Final = (
    "Nothing is being tried. Make a second route that answers another way (a smaller model, another "
    "strategy), then an experiment above that gives it a share of the users; or declare one under "
    "`experiments:` in the configuration file."
)


async def view(ask: Ask) -> Shown:
    """All experiments, or one with what it shows."""
    return await (_one(ask) if ask.item else _all(ask))


async def _all(ask: Ask) -> Shown:
    found = (await ask.api.get(PATH))["experiments"]
    rows, asked = [], 0
    for each in found:
        decision = ""
        if each["status"] == "running" and asked < JUDGED_MAX:
            asked += 1
            seen = await ask.tried(f"{PATH}/{quote(each['experiment_id'], safe='')}")
            decision = seen.get("results", {}).get("decision_text", "")
        rows.append(
            {
                **each,
                "arms_text": arms_text(each["arms"]),
                "judged": f"{each['metric']} by {each['unit']}",
                "decision": decision,
                "from": origin(each),
            }
        )
    return Shown(
        context={"row_acts": hidden(("create",), _NAMES)},
        tables=(
            Table(
                name="experiments",
                title="Experiments",
                columns=(
                    Column("name", "Name", link="/ui/experiments/{experiment_id}"),
                    Column("status", "Status"),
                    Column("route", "Route", "code"),
                    Column("arms_text", "Arms", "long"),
                    Column("judged", "Judged by", wide=True),
                    Column("decision", "What it shows", "long"),
                    Column("started_at", "Started", "when", wide=True),
                    Column("from", "From", wide=True),
                ),
                rows=rows,
                empty=_EMPTY,
            ),
        ),
    )


async def _one(ask: Ask) -> Shown:
    found = await ask.api.get(f"{PATH}/{quote(ask.item, safe='')}")
    results, of_file = found["results"], found["owner"] == "file"
    rows = [_arm_row(found, said, shown) for said, shown in zip(found["arms"], results["arms"], strict=True)]
    ratio = results["sample_ratio"]
    unsplit = "-" if sum(not arm["shadow"] for arm in found["arms"]) > 1 else "one arm answers"
    note = " ".join(part for part in (results["decision_text"], reason(found, "experiment")) if part)
    return Shown(
        title=f"Experiment {found['name']}",
        template="experiment.html",
        context={
            "row_acts": _NAMES,
            "buttons": [] if of_file else buttons(found["status"]),
            "row": {"name": found["name"], "experiment_id": found["experiment_id"]},
            "note": note,
            "back": ("/ui/experiments", "All experiments"),
            "live": "10s",
            "whiskers": whiskers(results["arms"]),
            "differs": f"{found['metric'].capitalize()} from control",
            "facts": (("What it says", _facts(found)),),
        },
        stats=(
            Stat("Status", found["status"], "text"),
            Stat(
                "Decision",
                DECISIONS[results["decision"]],
                "text",
                state=_STATES.get(results["decision"], ""),
            ),
            Stat(
                f"{found['unit'].capitalize()}s",
                sum(row["units"] for row in rows if not row["shadow"]),
                note=f"{results['units_missing']:,} more needed" if results["units_missing"] else "enough",
            ),
            Stat(
                "Split",
                unsplit if ratio is None else "off" if ratio["off"] else "as weighted",
                "text",
                "" if ratio is None else f"p = {ratio['p_value']:.2g}, valid at every look",
                "bad" if ratio is not None and ratio["off"] else "",
            ),
        ),
        tables=(_arms_table(found, rows), *answers_table(results["arms"])),
        problems=[
            f"There is no route {name} any more: nobody takes part." for name in found["missing_routes"]
        ],
    )


def _facts(found: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    rules = [guardrail_text(each) for each in found["guardrails"]]
    return [
        ("Route", found["route"], "code"),
        ("Judged by", found["metric"], "text"),
        ("Who keeps an arm", found["unit"], "text"),
        ("Guardrails", rules or None, "list"),
        ("Least number of each arm", found["min_samples"], "number"),
        ("Chance of a false alarm", found["alpha"], "share"),
        ("Requests of", "all tenants" if found["everyone"] else found["tenant_id"], "text"),
        ("Promoted", found["promoted"], "text"),
        ("Started", found["started_at"], "when"),
        ("Ended", found["ended_at"], "when"),
        ("From", origin(found), "text"),
        ("Id", found["experiment_id"], "code"),
    ]


def _arm_row(found: Mapping[str, Any], said: Mapping[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    is_control = said["name"] == found["arms"][0]["name"]
    promotable = not is_control and found["owner"] != "file" and found["status"] in ("running", "stopped")
    return {
        "arm": said["name"],
        "route": said["route"],
        "share": said["share"],
        "kind": f"shadow, at most ${said['usd_per_day']:g} a day" if said["shadow"] else "answers",
        "shadow": said["shadow"],
        "units": shown["units"],
        "requests": shown["requests"],
        **{metric: shown["metrics"][metric]["text"] for metric in METRICS},
        "difference": shown["difference_text"],
        "verdict": shown["verdict_text"],
        "because": said["stopped_because"],
        "experiment_id": found["experiment_id"],
        "acts_offered": ["promote"] if promotable else [],
    }


def _arms_table(found: Mapping[str, Any], rows: Sequence[dict[str, Any]]) -> Table:
    # Where units are requests, one column says both.
    units = (
        () if found["unit"] == "request" else (Column("units", f"{found['unit'].capitalize()}s", "number"),)
    )
    because = (Column("because", "Stopped because", "long"),) if any(row["because"] for row in rows) else ()
    return Table(
        name="arms",
        title="Arms",
        columns=(
            Column("arm", "Arm"),
            Column("verdict", "Verdict"),
            *units,
            Column("requests", "Requests", "number", wide=bool(units)),
            *(Column(metric, metric.capitalize()) for metric in METRICS),
            Column("difference", f"{found['metric'].capitalize()} from control"),
            *because,
            Column("share", "Share", "share", wide=True),
            Column("route", "Route", "code", wide=True),
            Column("kind", "Kind", wide=True),
        ),
        rows=rows,
        acts=("promote",),
        empty="There are no arms.",
    )


def buttons(status: str) -> list[str]:
    """What can be done with one in this state."""
    return {"draft": ["start", "remove"], "running": ["stop"], "stopped": ["start", "remove"]}.get(
        status, ["remove"]
    )


def arms_text(arms: Sequence[Mapping[str, Any]]) -> str:
    """`now 50 %, small 50 % (stopped)`."""
    return ", ".join(
        f"{arm['name']} {100 * arm['share']:.3g} %"
        + (" shadow" if arm["shadow"] else "")
        + (" (stopped)" if arm["stopped_at"] else "")
        for arm in arms
    )


def guardrail_text(guardrail: Mapping[str, Any]) -> str:
    """`errors at most 5 points worse`."""
    relative = guardrail["metric"] in ("cost", "latency")
    unit = "%" if relative else "points" if guardrail["metric"] == "errors" else "of a score"
    worse_by = guardrail["worse_by"] if unit == "of a score" else 100 * guardrail["worse_by"]
    return f"{guardrail['metric']} at most {worse_by:.3g} {unit} worse"


def whiskers(arms: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Where to draw each arm's difference, 0 to 100, with control in the middle; the widest end is at the
    edge."""
    known = [(arm, arm["difference"]) for arm in arms if arm["difference"] is not None]
    widest = max((abs(each[end]) for _, each in known for end in ("low", "high")), default=0.0)
    if not widest or not math.isfinite(widest):
        return []

    def place(value: float) -> float:
        return round(50 + 48 * value / widest, 2)

    return [
        {
            "arm": arm["name"],
            "low": place(each["low"]),
            "value": place(each["value"]),
            "high": place(each["high"]),
            "text": arm["difference_text"],
            "verdict": arm["verdict_text"],
        }
        for arm, each in known
    ]


def asked_body(form: dict[str, Any]) -> object:
    """What the API takes: arms and guardrails are written on lines. What is not written so is left to it to
    refuse."""
    body = dict(form)
    shadows = [shadow_of(line) for line in body.pop("shadows", None) or []]
    body["arms"] = [*(arm_of(line) for line in form.get("arms", [])), *shadows]
    if form.get("guardrails"):
        body["guardrails"] = [guardrail_of(line) for line in form["guardrails"]]
    return body


def arm_of(line: str) -> dict[str, Any]:
    """`name = route` or `name = route * weight`."""
    name, _, rest = line.partition("=")
    route, _, weight = rest.rpartition("*")
    if not route or not weight.strip().isdigit():
        route, weight = rest, "1"
    return {"name": name.strip(), "route": route.strip(), "weight": int(weight)}


def guardrail_of(line: str) -> dict[str, Any]:
    """`errors 0.05`."""
    metric, _, worse_by = line.strip().partition(" ")
    try:
        return {"metric": metric, "worse_by": float(worse_by)}
    except ValueError:
        return {"metric": metric, "worse_by": worse_by}


_ID: Final = Field("experiment_id", "Experiment", "path", required=True)


def _simple(name: str, title: str, method: str, path: str, done: str, **more: Any) -> Act:
    return Act(
        name=name,
        title=title,
        method=method,
        path=path,
        permission="experiments.write",
        fields=(_ID,),
        done=done,
        **more,
    )


_ACTS: Final = (
    Act(
        name="create",
        title="Make an experiment",
        method="POST",
        path=PATH,
        permission="experiments.write",
        shape=asked_body,
        note="It is a draft until you start it. Arms are routes there are: the first is control, usually the "
        "route itself.",
        fields=(
            Field("name", "Name", required=True),
            Field("route", "Route", required=True, hint="Whose requests take part."),
            Field(
                "arms",
                "Arms",
                "list",
                "One on each line: name = route, or name = route * weight. The first is control.",
                required=True,
            ),
            Field(
                "shadows",
                "Shadows",
                "list",
                "They answer nobody and get copies of requests. One on each line: name = route * share $ a "
                "day, such as mirror = small * 0.1 $5. Share and cap may be left out.",
            ),
            Field("unit", "Who keeps an arm", "choice", choices=UNITS, default="user"),
            Field("metric", "What decides", "choice", choices=METRICS, default="cost"),
            Field(
                "guardrails",
                "Guardrails",
                "list",
                "One on each line: metric and how much worse an arm may be, such as errors 0.05 (points) or "
                "cost 0.2 (a share).",
            ),
            Field("min_samples", "Least number of each arm", "whole", default="100"),
        ),
        done="It is a draft. Start it, and its arms answer.",
    ),
    _simple("start", "Start", "POST", f"{ONE}/start", "It runs: requests take part from now on."),
    _simple("stop", "Stop", "POST", f"{ONE}/stop", "It is stopped. Its results stay.", danger=True),
    Act(
        name="promote",
        title="Promote",
        method="POST",
        path=f"{ONE}/promote",
        permission="experiments.write",
        fields=(_ID, Field("arm", "Arm", "hidden")),
        done="The route answers like this arm from now on, and the experiment is over.",
        danger=True,
    ),
    _simple("remove", "Remove", "DELETE", ONE, "It is removed.", danger=True, leaves=True),
)
_NAMES: Final = tuple(act.name for act in _ACTS)

PAGE: Final = Page(
    name="experiments",
    title="Experiments",
    group="Models",
    permission="experiments.read",
    view=view,
    about="Ways of answering a route, tried on a share of its users, and which of them is better.",
    acts=_ACTS,
)
