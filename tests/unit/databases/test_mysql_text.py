"""Values never become part of a statement for MySQL, whatever they are; and what its grants say."""

import datetime
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.databases.mysql_grants import of_grant, roles_in
from adapters.databases.mysql_text import literal, statement_text
from domain.errors import InvalidParameters, ToolRefused

HARMLESS = re.compile(
    r"NULL|TRUE|FALSE|-?\d+|-?\d+(\.\d+)?(e[+-]?\d+)|_utf8mb4 X'[0-9a-f]*'|_binary X'[0-9a-f]*'"
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.datetimes(),
)


@given(VALUES)
@settings(max_examples=300)
def test_a_literal_holds_nothing_that_could_end_it(value: object) -> None:
    assert HARMLESS.fullmatch(literal(value, "x"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=100)
def test_text_comes_back_from_its_digits(value: str) -> None:
    digits = literal(value, "x").removeprefix("_utf8mb4 X'").removesuffix("'")

    assert bytes.fromhex(digits).decode() == value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), [1], {"a": 1}, "\ud800", 1 << 5000, datetime.timedelta(1), object()]
)
def test_what_no_column_holds_is_refused(value: object) -> None:
    with pytest.raises(InvalidParameters) as refused:
        literal(value, "x")

    assert refused.value.param == "parameters.x"


def test_only_places_are_filled() -> None:
    text = "SELECT ':a', \":a\", `:a`, :a -- :a\n, '\\':a' /* :a */ FROM t WHERE x=:b"

    found = statement_text(text, {"a": 1, "b": "'"}, write=False)

    assert found == "SELECT ':a', \":a\", `:a`,  1  -- :a\n, '\\':a' /* :a */ FROM t WHERE x= _utf8mb4 X'27' "


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-- nothing",
        "CALL p()",
        "BEGIN NOT ATOMIC SELECT 1; END",
        "COMMIT",
        "SET @a = 1",
        "PREPARE p FROM 'SELECT 1'",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "HANDLER t OPEN",
        "DO SLEEP(1)",
        "LOAD DATA INFILE 'x' INTO TABLE t",
        "SELECT 1 /*! , 2 */",
        "/*M!100000 DELETE FROM t */",
        "SELECT 'open",
    ],
)
def test_reading_begins_with_a_word_that_reads(text: str) -> None:
    with pytest.raises(ToolRefused):
        statement_text(text, {}, write=False)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*00'", None),
        ("GRANT SELECT ON *.* TO `a`@`%`", None),
        ("GRANT SELECT (`id`), INSERT (`a`, `b`) ON `shop`.`people` TO `a`@`%`", None),
        ("GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`", None),
        ("GRANT `reader` TO `a`@`%`", None),
        ("SET DEFAULT ROLE `reader` FOR `a`@`%`", None),
        ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", "ALL PRIVILEGES"),
        ("GRANT SELECT, FILE ON *.* TO `a`@`%`", "FILE"),
        ("GRANT SUPER ON *.* TO `a`@`%`", "SUPER"),
        ("GRANT PROCESS, SELECT ON *.* TO `a`@`%`", "PROCESS"),
        ("GRANT SYSTEM_VARIABLES_ADMIN,SELECT ON *.* TO `a`@`%`", "SYSTEM_VARIABLES_ADMIN"),
        ("GRANT SELECT ON *.* TO `a`@`%` WITH GRANT OPTION", "others"),
        ("GRANT SELECT ON `mysql`.* TO `a`@`%`", "mysql"),
        ("GRANT SELECT ON `mysql`.`user` TO `a`@`%`", "mysql"),
        ("GRANT PROXY ON ''@'%' TO 'a'@'%'", "another user"),
        ("GRANT SOMETHING NEW ON *.* TO `a`@`%`", "SOMETHING NEW"),
    ],
)
def test_a_grant_is_read_for_what_it_allows(line: str, problem: str | None) -> None:
    found = of_grant(line)

    assert (found is None) if problem is None else (found is not None and problem in found)


def test_roles_are_found_in_grants_as_they_are_quoted() -> None:
    assert roles_in("GRANT `a`@`%`,`b`@`%` TO `x`@`%`") == ["`a`@`%`", "`b`@`%`"]
    assert roles_in("GRANT SELECT ON `a`.* TO `x`@`%`") == []
    assert roles_in("SET DEFAULT ROLE `a` FOR `x`@`%`") == []
