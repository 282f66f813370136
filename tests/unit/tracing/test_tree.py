"""A wide event as a tree of spans: what hangs where, when, and what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.tracing import conventions as names
from application.tracing.tree import TEXT_CHARS_MAX, SpanTree
from domain.tracing.active import ActiveTrace, Receiver, TraceContext
from domain.tracing.context import TraceParent
from domain.tracing.ids import span_id_of, trace_id_of
from domain.tracing.span import Span, SpanKind
from tests.unit.tracing.events import AT_US, attempt, event

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = TraceParent(TRACE, "b7ad6b7169203331", 1)
CONTEXT = TraceContext(PARENT, "vendor=1")
TREE = SpanTree()


def by_name(spans: list[Span]) -> dict[str, Span]:
    return {span.name: span for span in spans}


def said(span: Span) -> dict[str, object]:
    return dict(span.attributes)


def test_the_steps_follow_each_other_within_the_request() -> None:
    spans = TREE.spans_of(
        event(
            entry_us=100, admit_us=50, cache="miss", cache_us=20, plan_us=30, hold_us=10, duration_us=5_000,
            attempts=(attempt(started_at_us=AT_US + 120, duration_us=4_000),),
        ),
        CONTEXT,
        None,
        (AT_US + 4_200, AT_US + 4_300),
    )  # fmt: skip

    root, *steps = spans
    assert (root.start_us, root.end_us) == (AT_US - 100, AT_US + 5_000)
    assert [(span.name, span.start_us - AT_US, span.end_us - AT_US) for span in steps] == [
        ("admission", 0, 50),
        ("cache lookup L1", 50, 70),
        ("routing decision", 70, 100),
        ("budget hold", 100, 110),
        ("chat small", 120, 4_120),
        ("cache write", 4_200, 4_300),
        ("response build", 4_300, 5_000),
    ]
    assert all(span.parent_span_id == root.span_id for span in steps)
    assert {span.trace_id for span in spans} == {TRACE}
    assert len({span.span_id for span in spans}) == len(spans)


def test_the_request_hangs_below_its_callers_span() -> None:
    root = TREE.spans_of(event(), CONTEXT)[0]

    assert (root.trace_id, root.parent_span_id, root.trace_state) == (TRACE, PARENT.span_id, "vendor=1")
    assert root.remote_parent
    assert root.kind is SpanKind.SERVER


def test_a_trace_that_begins_here_has_an_id_anybody_can_tell() -> None:
    root = TREE.spans_of(event(request_id="req_7"), None)[0]

    assert (root.trace_id, root.span_id) == (trace_id_of("req_7"), span_id_of("req_7"))
    assert root.parent_span_id == ""
    assert not root.remote_parent


def test_a_second_look_into_caches_has_its_own_span_and_time() -> None:
    spans = by_name(
        TREE.spans_of(event(cache="hit-l2", cache_us=500, plan_us=40), None, (AT_US + 100, AT_US + 580), None)
    )

    first, second = spans[names.CACHE_LOOKUP], spans[names.CACHE_LOOKUP_FURTHER]
    assert first.end_us - first.start_us == 20
    assert (second.start_us - AT_US, second.end_us - AT_US) == (100, 580)
    assert said(first)[names.CACHE] == "miss"
    assert said(second)[names.CACHE] == "hit-l2"


def test_without_a_cache_no_span_speaks_of_one() -> None:
    assert names.CACHE_LOOKUP not in by_name(TREE.spans_of(event(cache="off"), None))


def test_a_failed_attempt_says_how_and_its_message_stays_here() -> None:
    failing = attempt(outcome="server_error", status=503, message="prompt was: top secret", ordinal=0)

    spans = TREE.spans_of(event(attempts=(failing, attempt(ordinal=1, attempt_id="req_1.1"))), None)

    first, second = (span for span in spans if span.kind is SpanKind.CLIENT)
    assert first.failed
    assert said(first)[names.ERROR_TYPE] == "server_error"
    assert said(first)[names.HTTP_STATUS] == 503
    assert not second.failed
    assert said(second)[names.HTTP_RESEND_COUNT] == 1
    assert "secret" not in repr(spans)


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [("ok", False), ("error", True), ("cut", True), ("cancelled", False), ("refused", False)],
)
def test_a_request_is_a_failure_only_where_its_work_was_not_done(outcome: str, failed: bool) -> None:
    assert TREE.spans_of(event(outcome=outcome), None)[0].failed is failed


def test_people_and_conversations_are_named_only_where_that_is_wanted() -> None:
    about = event(user_id="eve@example.com", session_id="talk-7")

    assert "eve@" not in repr(TREE.spans_of(about, None))
    assert "talk-7" not in repr(TREE.spans_of(about, None))
    root = SpanTree(personal=True).spans_of(about, None)[0]
    assert said(root)[names.USER_ID] == "eve@example.com"
    assert said(root)[names.CONVERSATION_ID] == "talk-7"


def test_the_tenant_and_the_key_are_named_and_what_callers_send_besides_is_not() -> None:
    root = TREE.spans_of(event(metadata='{"note":"private"}'), None)[0]

    assert said(root)[names.TENANT] == "acme"
    assert said(root)[names.KEY] == "key_1"
    assert "private" not in repr(root)


def test_a_tool_is_an_execution_of_a_tool() -> None:
    spans = TREE.spans_of(
        event(operation="tool", model="query", model_asked="shop/query", attempts=(attempt(model="query"),)),
        None,
    )

    [call] = [span for span in spans if span.kind is SpanKind.CLIENT]
    assert call.name == "execute_tool query"
    assert said(call)["gen_ai.operation.name"] == "execute_tool"
    assert said(call)["gen_ai.tool.name"] == "query"
    assert "gen_ai.request.model" not in said(call)


def test_classic_names_are_used_unless_the_newest_are_asked_for() -> None:
    about = event(attempts=(attempt(provider="bedrock", cached_read_tokens=5),))
    newest = SpanTree(names.conventions("http, gen_ai_latest_experimental"))

    [classic_call] = [each for each in TREE.spans_of(about, None) if each.kind is SpanKind.CLIENT]
    [newest_call] = [each for each in newest.spans_of(about, None) if each.kind is SpanKind.CLIENT]

    assert said(classic_call)["gen_ai.system"] == "aws.bedrock"
    assert said(classic_call)["gen_ai.usage.cache_read_input_tokens"] == 5
    assert "gen_ai.provider.name" not in said(classic_call)
    assert said(newest_call)["gen_ai.provider.name"] == "aws.bedrock"
    assert said(newest_call)["gen_ai.usage.cache_read.input_tokens"] == 5
    assert "gen_ai.system" not in said(newest_call)


def test_a_request_of_many_attempts_has_a_bounded_tree() -> None:
    many = tuple(attempt(ordinal=number, attempt_id=f"req_1.{number}") for number in range(500))

    assert len(TREE.spans_of(event(attempts=many, model_asked="x" * 10_000), None)) < 50


@given(
    stages=st.lists(st.integers(0, 10**7), min_size=6, max_size=6),
    attempts=st.lists(st.tuples(st.integers(-(10**6), 10**7), st.integers(0, 10**7)), max_size=4),
    write=st.none() | st.tuples(st.integers(-(10**6), 10**7), st.integers(0, 10**6)),
    outcome=st.sampled_from(["ok", "error", "cut", "cancelled", "refused"]),
)
def test_nothing_lies_outside_of_its_parent_whatever_the_clocks_said(
    stages: list[int],
    attempts: list[tuple[int, int]],
    write: tuple[int, int] | None,
    outcome: str,
) -> None:
    entry, admit, cache, plan, hold, duration = stages
    about = event(
        entry_us=entry, admit_us=admit, cache_us=cache, plan_us=plan, hold_us=hold, duration_us=duration,
        cache="miss", outcome=outcome,
        attempts=tuple(
            attempt(started_at_us=AT_US + start, duration_us=took, ordinal=n, attempt_id=f"req_1.{n}")
            for n, (start, took) in enumerate(attempts)
        ),
    )  # fmt: skip
    wrote = None if write is None else (AT_US + write[0], AT_US + write[0] + write[1])

    root, *steps = TREE.spans_of(about, None, None, wrote)

    assert root.start_us <= root.end_us
    assert all(root.start_us <= each.start_us <= each.end_us <= root.end_us for each in steps)
    for span in (root, *steps):
        assert all(len(value) <= TEXT_CHARS_MAX for _, value in span.attributes if isinstance(value, str))


def test_what_is_sent_outward_is_the_span_that_is_recorded() -> None:
    trace = ActiveTrace(TRACE, CONTEXT, True, frozenset(Receiver))

    [told] = trace.headers(Receiver.PROVIDERS, "req_1.0")

    [call] = [span for span in TREE.spans_of(event(attempts=(attempt(),)), CONTEXT) if span.kind.value == 3]
    assert told == ("traceparent", f"00-{TRACE}-{call.span_id}-01")


def test_only_the_gateway_gets_what_vendors_put_into_the_state() -> None:
    trace = ActiveTrace(TRACE, CONTEXT, True, frozenset(Receiver))

    assert dict(trace.headers(Receiver.GATEWAY, "a"))["tracestate"] == "vendor=1"
    assert "tracestate" not in dict(trace.headers(Receiver.TOOLS, "a"))
    assert dict(trace.headers(Receiver.TOOLS, "a", state=True))["tracestate"] == "vendor=1"


def test_nobody_is_told_who_is_not_to_be() -> None:
    trace = ActiveTrace(TRACE, CONTEXT, True, frozenset({Receiver.TOOLS}))

    assert trace.headers(Receiver.PROVIDERS, "a") == ()
    assert trace.headers(Receiver.GATEWAY, "a") == ()


def test_a_trace_that_begins_here_and_is_not_recorded_is_told_to_nobody() -> None:
    assert ActiveTrace(TRACE, None, False, frozenset(Receiver)).headers(Receiver.TOOLS, "a") == ()
