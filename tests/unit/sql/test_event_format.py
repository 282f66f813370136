"""Events in journals of this version and of others."""

import msgspec
import pytest

from adapters.sql.event_format import (
    ATTEMPT_FIELDS,
    HEADER,
    REQUEST_FIELDS,
    EventDecoder,
    fitting,
    framed_event,
    framed_fields,
)
from contracts.ports.usage import usage_event


def payload(record: bytes) -> bytes:
    return record[HEADER.size :]


def test_an_event_is_read_as_it_was_written() -> None:
    event = usage_event(1, tries=3, agent_id="Ünï", first_token_us=5)

    assert EventDecoder(payload(framed_fields())).event(payload(framed_event(event))) == event


def test_an_event_that_fits_is_not_changed() -> None:
    event = usage_event(1, tries=2)

    assert fitting(event) == event


def test_a_journal_of_an_older_version_is_read_with_neutral_values() -> None:
    old_fields = [name for name in REQUEST_FIELDS if name not in {"cache", "cost_nano_usd", "candidates"}]
    event = usage_event(1, tries=1)
    old = [list(event.attempts[0])]
    values = [old if name == "attempts" else getattr(event, name) for name in old_fields]
    decoder = EventDecoder(msgspec.msgpack.encode([old_fields, list(ATTEMPT_FIELDS)]))

    read = decoder.event(msgspec.msgpack.encode(values))

    assert read == event._replace(cache="", cost_nano_usd=None, candidates=0)


def test_what_was_recorded_before_there_were_caches_saved_nothing() -> None:
    known = [name for name in REQUEST_FIELDS if name not in {"saved_nano_usd", "cache_similarity"}]
    tried = ATTEMPT_FIELDS[:-1]
    event = usage_event(1, tries=1, saved_nano_usd=5)
    old = [list(event.attempts[0][:-1])]
    values = [old if name == "attempts" else getattr(event, name) for name in known]
    decoder = EventDecoder(msgspec.msgpack.encode([known, list(tried)]))

    read = decoder.event(msgspec.msgpack.encode(values))

    assert (read.saved_nano_usd, read.cache_similarity) == (0, None)
    assert read.attempts[0].prompt_cache_saved_nano_usd is None


def test_what_was_recorded_before_stages_were_tells_nothing_of_them() -> None:
    wider = REQUEST_FIELDS[REQUEST_FIELDS.index("entry_us") : -1]
    known = [name for name in REQUEST_FIELDS if name not in wider]
    event = usage_event(1, tries=2, entry_us=7, task="code", gap_max_us=3, budget_left_nano_usd=9)
    values = [
        [list(each) for each in event.attempts] if name == "attempts" else getattr(event, name)
        for name in known
    ]
    decoder = EventDecoder(msgspec.msgpack.encode([known, list(ATTEMPT_FIELDS)]))

    read = decoder.event(msgspec.msgpack.encode(values))

    assert {getattr(read, name) for name in wider} == {0, "", None}
    assert (read.gap_max_us, read.budget_left_nano_usd, read.task) == (None, None, "")
    assert read.attempts == event.attempts


def test_a_similarity_is_a_fraction_or_unknown() -> None:
    found = [
        fitting(usage_event(1, cache_similarity=value)).cache_similarity
        for value in (0.25, None, float("nan"), float("inf"), "x")
    ]

    assert found == [0.25, None, None, None, None]


def test_a_field_of_a_newer_version_is_left_out() -> None:
    event = usage_event(1)
    decoder = EventDecoder(msgspec.msgpack.encode([["novelty", *REQUEST_FIELDS], list(ATTEMPT_FIELDS)]))

    assert decoder.event(msgspec.msgpack.encode(["x", *event])) == event


def test_a_value_of_the_wrong_type_is_made_to_fit() -> None:
    event = usage_event(1, status=None, agent_id=None, request_bytes=float("nan"), streamed=None)

    read = EventDecoder(payload(framed_fields())).event(payload(framed_event(event)))

    assert (read.status, read.agent_id, read.request_bytes, read.streamed) == (0, "", 0, False)


@pytest.mark.parametrize("content", [b"\x01", msgspec.msgpack.encode([1, 2]), msgspec.msgpack.encode([[]])])
def test_what_does_not_name_its_fields_is_no_journal(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        EventDecoder(content)
