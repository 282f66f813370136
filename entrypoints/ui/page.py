"""What a page is made of: what it shows as data, and what can be done on it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from entrypoints.http.people import Person
from entrypoints.ui.calls import Api, Refused

Row = Mapping[str, Any]

KINDS: Final = (
    "text", "code", "number", "usd", "us", "ms", "s", "share", "percent", "when", "state", "bytes", "list",
    "flag", "meter", "part", "change", "long",
)  # fmt: skip
"""How a value is shown. `usd` is dollars as number or decimal text; `us`, `ms`, `s` are durations; `share` is
0..1, `percent` 0..100, `meter` a share with a bar that warns when it is nearly full, `part` one with a bar
that only compares, `change` one with its sign; `long` is text that may take several lines;
`when` an ISO time or epoch microseconds."""


class Column(NamedTuple):
    """One column of a table: the row's value under `key`, or what stands at a dotted path."""

    key: str
    title: str
    kind: str = "text"
    link: str = ""
    """Where the value leads, with names of the row in braces: `/ui/requests/{request_id}`."""
    wide: bool = False
    """Shown on wide screens only; always exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that people can filter, sort and take with them. `name` is unique on its page."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str
    """What is said where there are none: why, and what to do about it."""
    more: str = ""
    """Where the next page of rows is."""
    acts: Sequence[str] = ()
    """Acts of the page that each row offers; the row gives them their hidden values. A row with a list
    `acts_offered` offers just those. A row with a true `unlinked` leads nowhere."""
    passing: bool = False
    """Part of the answer to an act, so it is not there to be exported."""


class Series(NamedTuple):
    """One line; None is a gap."""

    title: str
    values: Sequence[float | None]


class Band(NamedTuple):
    """What lies between two series, its edges, in the colour of a third one; all by their places."""

    title: str
    low: int
    high: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Values over time. `times_s` are epoch seconds. `unit` is a kind of `KINDS`."""

    name: str
    title: str
    times_s: Sequence[float]
    series: Sequence[Series]
    unit: str = "number"
    bars: bool = False
    """The first series, as bars."""
    stacked: bool = False
    """All series as bars upon each other; gaps are zeros."""
    bands: Sequence[Band] = ()

    @property
    def edges(self) -> Mapping[int, int]:
        """Places of series that are edges of bands, each with the place whose colour it has."""
        return {place: band.of for band in self.bands for place in (band.low, band.high)}


class Stat(NamedTuple):
    """One figure that stands out. `state`: `good`, `warn`, `bad` or empty."""

    title: str
    value: Any
    kind: str = "number"
    note: str = ""
    state: str = ""
    link: str = ""


KEPT: Final = object()
"""A field that is left empty changes nothing."""


class Field(NamedTuple):
    """One field of a form, named as the body of the API has it; dots lead into objects."""

    name: str
    label: str
    kind: str = "text"
    """`text`, `secret`, `area`, `whole`, `number`, `choice`, `list` (one value on each line), `json`, `flag`,
    `hidden`; `path` goes into the act's path instead of the body. `query` and `kept` are what the page itself
    is asked for under this name, such as another tenant: the one goes into the act's query, the other into
    its body, and both lead back to the same page."""
    hint: str = ""
    required: bool = False
    choices: Sequence[str] = ()
    default: Any = ""
    emptied: Any = KEPT
    """What is sent by a change where a person empties what was shown; `KEPT`: nothing is, so it stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that can be done on a page: a form, and the route of the API that does it."""

    name: str
    title: str
    method: str
    path: str
    """A route of the API, with `path` fields in braces."""
    permission: str
    fields: Sequence[Field] = ()
    done: str = ""
    """What is said afterwards."""
    asks: bool = False
    """Changes nothing, so it is offered where what is shown is read only."""
    danger: bool = False
    """Asks once more."""
    shows_once: Sequence[str] = ()
    """Names in the answer that are shown this one time, such as a new key."""
    stays: bool = False
    """The answer is shown on the page (a test, a check) instead of going back to it."""
    leaves: bool = False
    """What the page shows is gone afterwards: back to the list."""
    shape: Callable[[dict[str, Any]], object] | None = None
    """Makes the body that the API takes of what the form says, where the two differ; bytes are sent as lines
    of JSON."""
    timeout_s: float = 30.0
    """How long the API may take for it."""
    note: str = ""
    """Said above its fields: what is checked, and what happens where that fails."""


@dataclass(slots=True, kw_only=True)
class Ask:
    """Who looks at a page, and at what."""

    api: Api
    person: Person
    query: Mapping[str, str]
    now: datetime
    """UTC, aware."""
    item: str = ""
    """What comes behind the page's name in the path."""
    did: str = ""
    """The act that was just done and stays, by its name."""
    answer: Any = None
    """What the API answered to it."""

    def ago(self, **time: float) -> str:
        """The moment so long ago, as the API takes it: `ago(hours=24)`."""
        return (self.now - timedelta(**time)).isoformat(timespec="seconds")

    def may(self, permission: str) -> bool:
        """Whether the person who looks may do something."""
        return self.person.principal.may(permission)

    async def tried(self, path: str, **asked: str | int | None) -> "Tried":
        """One part of a page, which does not take the others with it when it is refused."""
        try:
            return Tried(await self.api.get(path, **asked))
        except Refused as refused:
            return Tried(None, refused.message)


class Tried(NamedTuple):
    """What the API showed, or why it did not."""

    value: Any
    problem: str = ""

    def get(self, name: str, otherwise: Any = None) -> Any:
        """A member of the value; `otherwise` where there is none."""
        if not isinstance(self.value, dict):
            return otherwise
        found = self.value.get(name)
        return otherwise if found is None else found


@dataclass(slots=True, kw_only=True)
class Shown:
    """What a page shows. Templates get `context`, and tables, charts and stats by their names."""

    title: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    stats: Sequence[Stat] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    problems: Sequence[str] = ()
    """Why parts of it are missing."""
    read_only: str = ""
    """Why nothing can be changed here; empty: it can."""
    template: str = ""
    """Instead of the page's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`name` is its path below `/ui`; `group` its place in the navigation."""

    name: str
    title: str
    group: str
    permission: str
    """Without it the page is not offered; empty: everybody who is logged in."""
    view: Callable[[Ask], Awaitable[Shown]]
    about: str
    """One sentence: which question it answers."""
    template: str = "plain.html"
    acts: Sequence[Act] = ()
    hidden: bool = False
    """Reached by links only."""

    def act(self, name: str) -> Act | None:
        """One of its acts."""
        return next((act for act in self.acts if act.name == name), None)
