"""The published list of fields, the event itself, its tables and its documentation say the same."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from adapters.sql.schema import usage_attempts, usage_requests
from contracts.ports.usage import usage_event
from contracts.wide_event import ATTEMPT_FIELDS, REQUEST_FIELDS, schema
from contracts.wide_event_page import PAGE, SCHEMA, page, schema_text
from domain.analytics.event import AttemptEvent, RequestEvent

UNITS = {
    "_us": ("microseconds", "microseconds since 1970-01-01 UTC"),
    "_nano_usd": ("nano-dollars (1e-9 USD)",),
    "_bytes": ("bytes",),
    "_tokens": ("tokens",),
}


def as_object(event: RequestEvent) -> dict[str, Any]:
    found = event._asdict()
    found["attempts"] = [attempt._asdict() for attempt in event.attempts]
    return found


def test_every_field_of_the_event_is_told_in_its_order() -> None:
    assert tuple(REQUEST_FIELDS) == RequestEvent._fields
    assert tuple(ATTEMPT_FIELDS) == AttemptEvent._fields
    assert len(REQUEST_FIELDS) > 50


def test_the_tables_have_a_column_for_every_field_in_the_same_order() -> None:
    assert [column.name for column in usage_requests.columns] == list(REQUEST_FIELDS)[:-1]
    assert [column.name for column in usage_attempts.columns] == list(ATTEMPT_FIELDS)


@pytest.mark.parametrize("fields", [REQUEST_FIELDS, ATTEMPT_FIELDS])
def test_a_name_with_a_unit_says_the_same_unit(fields: dict[str, Any]) -> None:
    for name, field in fields.items():
        for ending, units in UNITS.items():
            if name.endswith(ending):
                assert field.unit in units, name


def test_the_published_schema_and_the_page_are_current() -> None:
    """`python -m contracts.wide_event_page` writes both."""
    assert SCHEMA.read_text() == schema_text()
    assert PAGE.read_text() == page()


def test_events_keep_the_published_schema() -> None:
    Draft202012Validator.check_schema(schema())
    published = Draft202012Validator(json.loads(SCHEMA.read_text()))

    published.validate(as_object(usage_event(1, tries=2)))
    published.validate(as_object(usage_event(2, cost_nano_usd=None, gap_max_us=5, cache_similarity=0.5)))

    assert not published.is_valid(as_object(usage_event(3, entry_us="soon")))
    assert not published.is_valid({"request_id": "req_1"})
