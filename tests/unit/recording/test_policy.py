"""Whether the content of a request is kept, and until when."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.recording.policy import (
    DAY_US,
    NOTHING_RECORDED,
    RecordingPolicy,
    drawn,
    expires_at_us,
    together,
)

POLICIES = st.builds(
    RecordingPolicy, st.booleans(), st.booleans(), st.integers(1, 3650), st.floats(0, 1, allow_nan=False)
)


def test_nothing_is_recorded_unless_somebody_asks() -> None:
    assert not NOTHING_RECORDED.records
    assert not drawn(NOTHING_RECORDED, 0.0)
    assert not together(NOTHING_RECORDED, NOTHING_RECORDED).records


@settings(max_examples=100)
@given(POLICIES, POLICIES)
def test_both_together_keep_what_one_asks_for_and_never_longer_than_the_shorter(
    route: RecordingPolicy, key: RecordingPolicy
) -> None:
    both = together(route, key)
    assert both == together(key, route) or not (route.records and key.records)
    asking = [each for each in (route, key) if each.records]
    assert both.records == bool(asking)
    for each in asking:
        assert both.retention_days <= each.retention_days
        assert both.prompts >= each.prompts
        assert both.answers >= each.answers


@settings(max_examples=100)
@given(POLICIES, st.floats(0, 1, exclude_max=True, allow_nan=False))
def test_a_sample_of_one_keeps_all_and_of_zero_none(policy: RecordingPolicy, draw: float) -> None:
    some = policy._replace(prompts=True)
    assert drawn(some._replace(sample=1.0), draw)
    assert not drawn(some._replace(sample=0.0), draw)


def test_retention_is_counted_in_days() -> None:
    assert expires_at_us(RecordingPolicy(prompts=True, retention_days=2), 5) == 5 + 2 * DAY_US
