"""What the words around a number say about it."""

from domain.privacy.context import context_words, speaks_against, speaks_for

PHONES = context_words(("phone", "call", "direct line", "电话"), ("order", "invoice", "call"))


def test_a_word_before_it_says_what_it_is() -> None:
    assert speaks_for("My Phone: ", "", PHONES)
    assert speaks_for("我的电话是", "", PHONES)
    assert speaks_for("the direct line is ", "", PHONES)


def test_a_part_of_a_word_says_nothing() -> None:
    assert not speaks_for("my iphoneless ", "", PHONES)


def test_the_nearest_word_decides() -> None:
    assert not speaks_for("phone me about order ", "", PHONES)
    assert speaks_for("about that order, phone ", "", PHONES)
    assert speaks_against("phone me about order ", PHONES)
    assert not speaks_against("about that order, phone ", PHONES)


def test_a_word_behind_it_counts_where_none_before_says_anything() -> None:
    assert speaks_for("", "-Phone", PHONES)
    assert not speaks_for("order ", " phone", PHONES)
    assert not speaks_for("", "\nphone", PHONES)


def test_a_word_on_both_sides_of_the_table_speaks_for_the_kind() -> None:
    assert speaks_for("call ", "", PHONES)


def test_nothing_is_said_by_nothing() -> None:
    assert not speaks_for("", "", PHONES)
    assert not speaks_against("", PHONES)
