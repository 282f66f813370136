"""One look for all national numbers says exactly whether one of them is there."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.privacy.cards import has_luhn_digit
from adapters.privacy.national_ids import ANY_NUMBER, NUMBERS

FORMS = (
    "078-05-1120", "123 456 782", "123.456.789-09", "12 345 678 901", "12345678z", "756.1234.5678.97",
    "850717-1234", "131052-308t", "2345 6789 0124", "11010519491231002x", "800101-1234567", "8001014800087",
)  # fmt: skip


@settings(max_examples=200)
@given(st.text("0123456789 -.+AaXxZz", max_size=24), st.sampled_from(("", *FORMS)))
@example("", "078-05-1120")
@example(" 1", "2345 6789 0124")
def test_it_matches_where_one_of_them_does(text: str, form: str) -> None:
    for read in (text, form, form + text):
        told = any(entry.pattern.match(read) is not None for entry in NUMBERS)
        assert (ANY_NUMBER.match(read) is not None) == told


def test_each_form_is_found() -> None:
    assert [form for form in FORMS if ANY_NUMBER.match(form) is None] == []


@settings(max_examples=100)
@given(st.text("0123456789", min_size=1, max_size=19))
def test_the_check_digit_is_the_one_of_the_standard(digits: str) -> None:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    assert has_luhn_digit(digits) == (total % 10 == 0)
