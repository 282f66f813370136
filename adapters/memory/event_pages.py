"""Looking events up in memory: for tests and simulations."""

from adapters.memory.event_log import InMemoryEventLog
from application.ports.event_log import LoggedEvent
from application.ports.event_pages import EventPages, EventQuery
from domain.events import any_means


class InMemoryEventPages(EventPages):
    def __init__(self, events: InMemoryEventLog) -> None:
        self._events = events

    async def page(self, query: EventQuery) -> list[LoggedEvent]:
        newest = await self._events.newest_seq()
        places = range(1, newest + 1) if query.after_seq is not None else range(newest, 0, -1)
        found = (event for place in places if (event := self._events.at(place)) is not None)
        wanted = (event for event in found if _is_meant(query, event))
        return [event for event, _ in zip(wanted, range(query.limit), strict=False)]


def _is_meant(query: EventQuery, event: LoggedEvent) -> bool:
    return (
        event.tenant_id == query.tenant_id
        and (not query.patterns or any_means(query.patterns, event.topic))
        and (query.after_seq is None or event.seq > query.after_seq)
        and (query.before_seq is None or event.seq < query.before_seq)
        and (query.from_us is None or event.created_at_us >= query.from_us)
        and (query.to_us is None or event.created_at_us < query.to_us)
    )
