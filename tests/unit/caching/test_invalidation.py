"""Rules about kept answers: none is ever lost, whatever the order and however few are remembered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.system import SteppingClock
from application.caching.rule_format import read_rule, rule_data
from contracts.ports.answer_store import kept_answer
from domain.caching import invalidation
from domain.caching.entry import CachedAnswer, Position
from domain.caching.invalidation import (
    InvalidationKind,
    InvalidationRule,
    Radius,
    RuleBook,
    check_name,
    check_rule,
    matches,
    radius_value,
    read_radius,
)
from domain.errors import InvalidRequest

EPOCH = "e1"
CLOCK = SteppingClock()
KEYS = [bytes([number]) * 32 for number in range(3)]
TENANTS = ["acme", "globex"]
VALUES = {
    InvalidationKind.ENTRY: [key.hex() for key in KEYS],
    InvalidationKind.TAG: ["a", "b"],
    InvalidationKind.MODEL: ["openai/m", "openai/m2", "openai/*", "other/*"],
    InvalidationKind.ROUTE: ["fast", "slow"],
    InvalidationKind.NAMESPACE: ["", "n", "n/1", "n*"],  # an empty one means nothing
    InvalidationKind.PROMPT: ["what is", " WHAT\n is the ", "who"],
    InvalidationKind.TENANT: [""],
    InvalidationKind.EVERYTHING: [""],
    InvalidationKind.RADIUS: [radius_value(Radius(0.9, b"\0\0\0\0", "minilm"))],
}


def rule(
    kind: InvalidationKind, value: str = "", tenant_id: str = "acme", position: int = 5
) -> InvalidationRule:
    return InvalidationRule(kind, tenant_id, value, position)


def asked(at: int, epoch: str = EPOCH, **changed: object) -> CachedAnswer:
    made = kept_answer(CLOCK, KEYS[0], heard=Position(epoch, at))
    return made._replace(**changed)  # type: ignore[arg-type]


def book(*rules: InvalidationRule, since: int = 0) -> RuleBook:
    made = RuleBook()
    made.reset(Position(EPOCH, since))
    for one in rules:
        made.hear(one)
    return made


@st.composite
def rules(draw: st.DrawFn) -> InvalidationRule:
    kind = draw(st.sampled_from(list(InvalidationKind)))
    whole = kind is InvalidationKind.EVERYTHING
    tenant_id = "" if whole else draw(st.sampled_from(TENANTS))
    return InvalidationRule(kind, tenant_id, draw(st.sampled_from(VALUES[kind])), draw(st.integers(1, 30)))


@st.composite
def answers(draw: st.DrawFn) -> CachedAnswer:
    return asked(
        draw(st.integers(0, 30)),
        key=draw(st.sampled_from(KEYS)),
        tenant_id=draw(st.sampled_from(TENANTS)),
        tags=draw(st.sampled_from([(), ("a",), ("a", "b")])),
        model=draw(st.sampled_from(["m", "m2"])),
        route=draw(st.sampled_from(["fast", "slow"])),
        namespace=draw(st.sampled_from(["", "n", "n/1"])),
        question=draw(st.sampled_from(["", "What  is the time?", "Who am I"])),
    )


class TestAgainstAPlainList:
    @given(st.lists(rules(), max_size=12), st.lists(answers(), min_size=1, max_size=5))
    @settings(max_examples=200)
    def test_allowed_is_what_no_later_rule_matches(
        self, heard: list[InvalidationRule], kept: list[CachedAnswer]
    ) -> None:
        known = book(*heard)

        for answer in kept:
            forbidden = any(one.position > answer.heard.number and matches(one, answer) for one in heard)
            assert known.allows(answer) is not forbidden

    @given(
        st.lists(rules(), max_size=40),
        st.lists(answers(), min_size=1, max_size=5),
        st.integers(0, 30),
        st.randoms(use_true_random=False),
    )
    @settings(max_examples=200)
    def test_nothing_that_a_rule_matches_is_allowed_however_little_is_remembered(
        self, heard: list[InvalidationRule], kept: list[CachedAnswer], forgotten: int, chance: object
    ) -> None:
        chance.shuffle(heard)  # type: ignore[attr-defined]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(invalidation, "EXACT_PER_TENANT_MAX", 2)
            patch.setattr(invalidation, "PREFIXES_PER_TENANT_MAX", 1)
            patch.setattr(invalidation, "RADII_PER_TENANT_MAX", 1)
            patch.setattr(invalidation, "RULES_MAX", 4)
            patch.setattr(invalidation, "TENANTS_MAX", 1)
            known = book()
            for place, one in enumerate(heard):
                known.hear(one)
                if place == len(heard) // 2:
                    known.forget_up_to(forgotten)

        assert len(known) <= 6
        for answer in kept:
            if known.allows(answer):
                assert not any(one.position > answer.heard.number and matches(one, answer) for one in heard)

    @given(st.lists(rules(), max_size=40), answers())
    def test_a_tenants_rules_touch_nobody_else(
        self, heard: list[InvalidationRule], answer: CachedAnswer
    ) -> None:
        others = [one for one in heard if one.tenant_id not in ("", answer.tenant_id)]

        assert book(*others).allows(answer)


class TestWhatCounts:
    def test_who_had_heard_a_rule_before_asking_is_not_touched_by_it(self) -> None:
        known = book(rule(InvalidationKind.TENANT, position=5))

        assert not known.allows(asked(4))
        assert known.allows(asked(5))

    def test_the_same_rule_heard_again_earlier_changes_nothing(self) -> None:
        known = book(rule(InvalidationKind.TAG, "a", position=9), rule(InvalidationKind.TAG, "a", position=3))

        assert not known.allows(asked(8, tags=("a",)))

    def test_answers_of_another_epoch_never_count(self) -> None:
        known = book()

        assert known.allows(asked(1))
        assert not known.allows(asked(1, epoch="e0"))

    def test_what_was_asked_before_the_known_part_does_not_count(self) -> None:
        known = book(since=10)

        assert not known.allows(asked(9))
        assert known.allows(asked(10))

    def test_a_new_epoch_forgets_the_rules_of_the_old_one(self) -> None:
        known = book(rule(InvalidationKind.TENANT, position=500))

        known.reset(Position("e2", 0))

        assert known.allows(asked(1, epoch="e2")) and len(known) == 0

    def test_a_gap_within_an_epoch_keeps_later_rules(self) -> None:
        known = book(rule(InvalidationKind.TAG, "a", position=20))

        known.reset(Position(EPOCH, 10))

        assert not known.allows(asked(15, tags=("a",)))
        assert known.allows(asked(15, tags=("b",)))
        assert not known.allows(asked(9, tags=("b",)))

    def test_a_prompt_prefix_looks_past_case_and_spaces(self) -> None:
        known = book(rule(InvalidationKind.PROMPT, "What  IS"))

        assert not known.allows(asked(1, question="\n what is\tthe weather"))
        assert known.allows(asked(1, question="whatever is"))

    def test_a_question_that_was_not_kept_counts_as_meant(self) -> None:
        known = book(rule(InvalidationKind.PROMPT, "what is"))

        assert not known.allows(asked(1, question=""))

    def test_a_question_behind_a_long_run_of_spaces_counts_as_meant(self) -> None:
        known = book(rule(InvalidationKind.PROMPT, "what is"))

        assert not known.allows(asked(1, question="what" + " " * 10_000 + "is it"))
        assert known.allows(asked(1, question="who" + " " * 10_000 + "is it"))

    def test_a_rule_without_a_tenant_is_about_all(self) -> None:
        known = book(rule(InvalidationKind.MODEL, "openai/*", tenant_id=""))

        assert not known.allows(asked(1, tenant_id="globex"))
        assert known.allows(asked(1, tenant_id="globex", provider="anthropic"))

    def test_a_value_that_means_nothing_counts_for_the_whole_tenant(self) -> None:
        known = book(rule(InvalidationKind.ENTRY, "not hex"))

        assert not known.allows(asked(1))
        assert known.allows(asked(1, tenant_id="globex"))

    def test_too_many_rules_keep_the_newer_ones_apart(self) -> None:
        many = invalidation.EXACT_PER_TENANT_MAX
        known = book(
            *(rule(InvalidationKind.TAG, str(number), position=number) for number in range(1, many + 2))
        )

        assert known.collapsed == 1 and len(known) < many
        assert not known.allows(asked(0, tags=("unrelated",)))
        assert known.allows(asked(many // 2 + 1, tags=("unrelated",)))
        assert not known.allows(asked(many // 2 + 1, tags=(str(many),)))
        assert known.allows(asked(0, tenant_id="globex"))


class TestRadii:
    def test_they_are_told_to_whoever_was_asked_before(self) -> None:
        radius = Radius(0.85, b"\x01\x02\x03\x04", "minilm-l6-v2/int8")
        known = book(rule(InvalidationKind.RADIUS, radius_value(radius), position=5))

        assert list(known.radii("acme", Position(EPOCH, 4))) == [radius]
        assert list(known.radii("acme", Position(EPOCH, 5))) == []
        assert list(known.radii("globex", Position(EPOCH, 4))) == []
        assert known.allows(asked(4))

    @pytest.mark.parametrize(
        "value", ["", "0.9", "0.9:m:", "0.9::00", "x:m:00", "2:m:00", "nan:m:00", "0.9:m:0"]
    )
    def test_what_is_none_is_refused(self, value: str) -> None:
        with pytest.raises(InvalidRequest):
            read_radius(value)


class TestChecking:
    @pytest.mark.parametrize(
        "wrong",
        [
            rule(InvalidationKind.TAG),
            rule(InvalidationKind.TENANT, "x"),
            rule(InvalidationKind.TENANT, tenant_id=""),
            rule(InvalidationKind.EVERYTHING),
            rule(InvalidationKind.ENTRY, "xyz"),
            rule(InvalidationKind.PROMPT, " \n"),
            rule(InvalidationKind.RADIUS, "0.9"),
            rule(InvalidationKind.ROUTE, "r" * 600),
        ],
    )
    def test_rules_that_say_nothing_are_refused(self, wrong: InvalidationRule) -> None:
        with pytest.raises(InvalidRequest) as refused:
            check_rule(wrong)

        assert refused.value.param in ("value", "kind", "tenant_id")

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (InvalidationKind.ENTRY, "abcd"),
            (InvalidationKind.TAG, "a b"),
            (InvalidationKind.TAG, "a,b"),
            (InvalidationKind.TAG, "faq*"),
            (InvalidationKind.MODEL, "gpt-4o"),
            (InvalidationKind.MODEL, "openai/*-mini"),
            (InvalidationKind.NAMESPACE, "*v1*"),
        ],
    )
    def test_a_name_that_no_answer_can_have_is_refused(self, kind: InvalidationKind, value: str) -> None:
        with pytest.raises(InvalidRequest) as refused:
            check_name(kind, value)

        assert refused.value.param == "value"

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (InvalidationKind.ENTRY, KEYS[0].hex()),
            (InvalidationKind.TAG, "team/faq:2026"),
            (InvalidationKind.MODEL, "bedrock/arn:aws:x/y"),
            (InvalidationKind.MODEL, "openai*"),
            (InvalidationKind.NAMESPACE, "*"),
            (InvalidationKind.ROUTE, "any thing"),
            (InvalidationKind.PROMPT, "What * is"),
        ],
    )
    def test_a_name_that_an_answer_can_have_is_taken(self, kind: InvalidationKind, value: str) -> None:
        check_name(kind, value)

    @given(rules())
    def test_rules_come_back_from_the_log_as_they_were(self, one: InvalidationRule) -> None:
        assert read_rule(rule_data(one), one.position) == one

    @pytest.mark.parametrize(
        "data",
        [b"", b"\xff", b"[]", b"{}", b'["tag",1,"x"]', b'["tag","a"]', b'["new","a","b"]', b"[" * 100_000],
    )
    def test_data_that_is_no_rule_is_told(self, data: bytes) -> None:
        with pytest.raises(InvalidRequest):
            read_rule(data, 1)
