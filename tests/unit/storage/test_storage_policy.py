"""What keys, types, sizes and metadata may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.connectors.storage_policy import (
    KEY_BYTES_MAX,
    READING,
    StorageOperation,
    StoragePolicy,
    checked_metadata,
    key_problem,
)
from domain.errors import InterchangeError, InvalidConfiguration, InvalidParameters, ToolRefused

POLICY = StoragePolicy(prefix="agents/team-a/")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "../x",
        "a/../../x",
        "a/..",
        "a/./b",
        "a//b",
        "a/",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        "a\u202eb",
        "a\u200bb",
        "\ufeffa",
        "．．/x",  # noqa: RUF001 - fullwidth full stops
        "a／b",  # noqa: RUF001 - fullwidth solidus
        "a∕b",  # noqa: RUF001 - division slash
        "a⁄b",  # noqa: RUF001 - fraction slash
        "a＼b",  # noqa: RUF001 - fullwidth reverse solidus
        "a﹨b",  # noqa: RUF001 - small reverse solidus
        "‥/x",
        " .. /x",
        "\ud800",
    ],
)
def test_keys_that_lead_anywhere_else_are_refused(key: str) -> None:
    with pytest.raises(ToolRefused) as caught:
        POLICY.place(key)
    assert caught.value.param == "parameters.key"


@pytest.mark.parametrize(
    "key",
    [
        "a",
        "a/b.txt",
        "...",
        "a..b/c",
        ".hidden",
        "a/..b",
        "Überblick/日本 1.txt",
        "👩‍👩‍👧/x",
        "a%2e%2e/b",
        "~x",
    ],
)
def test_ordinary_keys_are_placed_below_the_prefix(key: str) -> None:
    placed = POLICY.place(key)
    assert placed == f"agents/team-a/{key}"
    assert POLICY.shown(placed) == key


@given(st.text(max_size=40))
def test_no_key_leaves_the_prefix(key: str) -> None:
    try:
        placed = POLICY.place(key)
    except InterchangeError:
        return
    assert placed.startswith(POLICY.prefix)
    assert not {"..", ".", ""} & set(placed.split("/"))
    assert "\\" not in placed and "\0" not in placed


@given(st.text(alphabet="ab./\\", max_size=12))
def test_no_prefix_of_a_list_leaves_the_prefix(prefix: str) -> None:
    try:
        placed = POLICY.place_prefix(prefix)
    except InterchangeError:
        return
    assert placed.startswith(POLICY.prefix)
    assert not {"..", "."} & set(placed.split("/")[:-1])


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "reports/2026-", "a/."])
def test_a_list_may_begin_anywhere_below(prefix: str) -> None:
    assert POLICY.place_prefix(prefix) == POLICY.prefix + prefix


@pytest.mark.parametrize("prefix", ["/", "../", "a/../", "a//", ".."])
def test_a_list_may_not_begin_elsewhere(prefix: str) -> None:
    with pytest.raises(ToolRefused):
        POLICY.place_prefix(prefix)


def test_a_key_is_bounded_with_its_prefix() -> None:
    room = KEY_BYTES_MAX - len(POLICY.prefix)
    assert POLICY.place("ü" * (room // 2))
    with pytest.raises(InvalidParameters):
        POLICY.place("ü" * (room // 2 + 1))


def test_what_the_store_answers_outside_of_the_prefix_is_not_shown() -> None:
    with pytest.raises(ToolRefused):
        POLICY.shown("agents/team-ab/secret")


@pytest.mark.parametrize("prefix", ["a", "/a/", "../", "a/../b/", "a//"])
def test_a_prefix_that_confines_nothing_is_no_configuration(prefix: str) -> None:
    with pytest.raises(InvalidConfiguration):
        StoragePolicy(prefix=prefix)


def test_types_are_allowed_by_name_and_by_kind() -> None:
    policy = StoragePolicy(content_types=("text/plain", "image/*"))
    for allowed in ("text/plain", "Text/Plain; charset=utf-8", "image/png"):
        policy.check_content_type(allowed)
    for refused in ("text/html", "application/x-sh", "images/png"):
        with pytest.raises(ToolRefused):
            policy.check_content_type(refused)
    for malformed in ("text", "text/plain\r\nx: y", "text/plain;", "/", ""):
        with pytest.raises(InvalidParameters):
            StoragePolicy().check_content_type(malformed)


def test_sizes_and_expiries_are_bounded() -> None:
    policy = StoragePolicy(size_bytes_max=10, presign_expires_s_max=60)
    policy.check_size(10)
    policy.check_expiry(60)
    with pytest.raises(ToolRefused):
        policy.check_size(11)
    for expires_s in (0, -1, 61):
        with pytest.raises(ToolRefused):
            policy.check_expiry(expires_s)


def test_operations_are_allowed_one_by_one() -> None:
    policy = StoragePolicy(operations=READING)
    policy.require(StorageOperation.READ, StorageOperation.LIST)
    with pytest.raises(ToolRefused, match="write"):
        policy.require(StorageOperation.READ, StorageOperation.WRITE)


def test_metadata_is_small_and_its_names_do_not_differ_by_case() -> None:
    assert checked_metadata({"Author": "Zoë"}) == {"author": "Zoë"}
    for wrong in (
        {"a b": "x"},
        {"": "x"},
        {"1a": "x"},
        {"a": "x", "A": "y"},
        {"a": "line\r\nx-amz-acl: public-read"},
        {"a": "x" * 2000},
        {f"a{number}": "x" for number in range(17)},
    ):
        with pytest.raises(InvalidParameters):
            checked_metadata(wrong)


@given(st.text(max_size=20))
def test_judging_a_key_never_fails(key: str) -> None:
    assert key_problem(key) is None or isinstance(key_problem(key), str)
