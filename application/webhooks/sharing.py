"""Which endpoints get an event, and whose turn it is: what every store of deliveries does alike."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from application.ports.event_log import LoggedEvent
from domain.events import WEBHOOK_TEST
from domain.webhooks.delivery import Delivery
from domain.webhooks.endpoint import Endpoint
from domain.webhooks.format import speaks_of

Pair = tuple[str, int]
"""An endpoint's id, and an event's place."""


def deliveries_of(event: LoggedEvent, endpoints: Iterable[Endpoint], now_us: int) -> Iterator[Delivery]:
    """One per endpoint that wants the event. A test is for the endpoint it names, whatever it wants."""
    data: Any = None
    for endpoint in endpoints:
        if not endpoint.takes_in():
            continue
        if data is None:
            data = data_of(event)
        if event.topic == WEBHOOK_TEST:
            wanted = data.get("endpoint_id") == endpoint.endpoint_id
        else:
            wanted = endpoint.terms.filter.wants(event.topic, data)
            wanted = wanted and speaks_of(endpoint.terms.format, event.topic)
        if wanted:
            yield Delivery(
                endpoint_id=endpoint.endpoint_id,
                seq=event.seq,
                tenant_id=event.tenant_id,
                topic=event.topic,
                due_at_us=now_us,
                created_at_us=event.created_at_us,
            )


def data_of(event: LoggedEvent) -> dict[str, Any]:
    """An event's data; nothing where it is no JSON object, which no filter then wants."""
    try:
        found = json.loads(event.payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def in_turn(due: Iterable[Pair], rooms: Mapping[str, int], limit: int) -> list[Pair]:
    """The first of each endpoint, then the second of each, and so on, within their rooms."""
    queues: dict[str, list[Pair]] = {name: [] for name in rooms}
    for pair in due:
        if len(queues[pair[0]]) < rooms[pair[0]]:
            queues[pair[0]].append(pair)
    rounds = zip_longest(*queues.values())
    return [pair for each in rounds for pair in each if pair is not None][:limit]
