"""Reading and making trace context, as the W3C recommendation says."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tracing.context import (
    STATE_CHARS_MAX,
    STATE_MEMBERS_MAX,
    TraceParent,
    parse_traceparent,
    parse_tracestate,
    traceparent,
)
from domain.tracing.ids import span_id_of, trace_id_of
from domain.tracing.sampling import Sampler

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"

hexadecimal = st.text("0123456789abcdef", min_size=32, max_size=32).filter(lambda text: text.strip("0"))
span_ids = st.text("0123456789abcdef", min_size=16, max_size=16).filter(lambda text: text.strip("0"))
keys = st.from_regex(r"[a-z][a-z0-9_\-*/]{0,20}", fullmatch=True)
values = st.from_regex(r"[\x21-\x2b\x2d-\x3c\x3e-\x7e]{1,40}", fullmatch=True)


@given(hexadecimal, span_ids, st.integers(0, 3))
def test_what_was_made_is_read_again(trace_id: str, span_id: str, flags: int) -> None:
    assert parse_traceparent(traceparent(trace_id, span_id, flags)) == TraceParent(trace_id, span_id, flags)


@given(st.text(max_size=80))
def test_any_text_is_read_or_counts_as_none(text: str) -> None:
    read = parse_traceparent(text)

    assert read is None or (len(read.trace_id), len(read.span_id)) == (32, 16)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01 ",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-extra",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE}-{SPAN}-0G",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"cc-{TRACE}-{SPAN}-01.what-the-future-brings",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
    ],
)
def test_what_breaks_a_rule_counts_as_none(text: str) -> None:
    assert parse_traceparent(text) is None


@pytest.mark.parametrize("text", [f"cc-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what-the-future-brings"])
def test_of_a_later_version_the_known_beginning_is_read(text: str) -> None:
    assert parse_traceparent(text) == TraceParent(TRACE, SPAN, 1)


def test_flags_without_a_meaning_are_not_passed_on() -> None:
    assert parse_traceparent(f"00-{TRACE}-{SPAN}-ff") == TraceParent(TRACE, SPAN, 3)


@given(st.dictionaries(keys, values, min_size=1, max_size=8))
def test_a_state_is_passed_on_in_its_order(members: dict[str, str]) -> None:
    text = ",".join(f"{key}={value}" for key, value in members.items())

    assert parse_tracestate(text) == text


@given(st.text(max_size=1200))
def test_whatever_state_comes_what_goes_on_is_bounded_and_plain(text: str) -> None:
    state = parse_tracestate(text)

    assert len(state) <= STATE_CHARS_MAX
    assert state.isascii()
    assert state.isprintable()
    assert parse_tracestate(state) == state


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a=",
        "=1",
        "A=1",
        "a=1,a=2",
        "a=1=2",
        "a=b\nc=d",
        "tenant@@vendor=1",
        "1=2",
        ",".join(f"k{number}=1" for number in range(STATE_MEMBERS_MAX + 1)),
    ],
)
def test_a_state_that_breaks_a_rule_is_dropped_as_a_whole(text: str) -> None:
    assert parse_tracestate(text) == ""


def test_empty_members_and_spaces_around_members_are_allowed() -> None:
    assert parse_tracestate(" a=1 ,, 0tenant@vendor=x y\t") == "a=1,0tenant@vendor=x y"


def test_of_a_long_state_the_long_members_go_first() -> None:
    long = "long=" + "x" * 200
    short = [f"s{number}={'y' * 20}" for number in range(14)]

    state = parse_tracestate(",".join([long, *short, "other=" + "z" * 250]))

    assert state == ",".join(short)


@given(hexadecimal, st.booleans())
def test_who_belongs_to_a_trace_follows_its_caller(trace_id: str, sampled: bool) -> None:
    parent = TraceParent(trace_id, SPAN, int(sampled))

    assert Sampler(0.0).records(trace_id, parent) is sampled
    assert Sampler(1.0).records(trace_id, parent) is sampled


@given(hexadecimal)
def test_without_parents_the_ratio_decides_for_all(trace_id: str) -> None:
    parent = TraceParent(trace_id, SPAN, 1)

    assert not Sampler(0.0, parent_based=False).records(trace_id, parent)
    assert Sampler(1.0, parent_based=False).records(trace_id, parent)


@given(hexadecimal, st.floats(0, 1), st.floats(0, 1))
def test_who_is_recorded_at_a_ratio_is_recorded_at_any_higher_one(
    trace_id: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))

    assert Sampler(high).records(trace_id, None) or not Sampler(low).records(trace_id, None)


def test_a_ratio_is_kept_by_traces_that_begin_here() -> None:
    sampler, chance = Sampler(0.1), random.Random(7)
    ids = [f"req_{(1_760_000_000_000 << 64) | chance.getrandbits(64):028x}" for _ in range(20_000)]

    recorded = sum(sampler.records(trace_id_of(request_id), None) for request_id in ids)

    assert 1_850 <= recorded <= 2_150


@given(st.text(max_size=60))
def test_ids_made_of_names_are_ids(name: str) -> None:
    made = parse_traceparent(traceparent(trace_id_of(name), span_id_of(name), 1))

    assert made is not None
    assert trace_id_of(name) == trace_id_of(name)
    assert span_id_of(name) != span_id_of(name + "x")
