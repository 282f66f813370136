"""Pages follow one another until the other side says that there are no more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.connectors.rest.links import link_of
from domain.connectors.rest.paging import Pager, PageSeen, Paging, PagingKind, Step
from domain.connectors.rest.signing import check_signed_parts, signature, signed_bytes
from domain.errors import ToolFailed


@settings(max_examples=100)
@given(st.integers(0, 200), st.integers(1, 30), st.integers(1, 10))
def test_offsets_reach_every_item_once(total: int, size: int, pages_max: int) -> None:
    pager = Pager(Paging(kind=PagingKind.OFFSET, param="offset", size=size, pages_max=pages_max))
    seen: list[int] = []

    step: Step | None = pager.begin()
    while step is not None:
        offset = dict(step.values)["offset"]
        page = list(range(total))[offset : offset + size]
        seen += page
        step = pager.follow(PageSeen(items=len(page)))

    assert seen == list(range(min(total, size * pages_max)))
    assert pager.pages <= pages_max
    assert pager.cut or len(seen) == total


def test_pages_are_numbered_from_where_they_begin() -> None:
    pager = Pager(Paging(kind=PagingKind.PAGE, param="page", first=1, size_param="per", size=2))

    assert pager.begin().values == (("page", 1), ("per", 2))
    step = pager.follow(PageSeen(items=2))
    assert step is not None and step.values == (("page", 2), ("per", 2))
    assert pager.follow(PageSeen(items=1)) is None
    assert not pager.cut


def test_a_total_says_when_it_is_over() -> None:
    pager = Pager(Paging(kind=PagingKind.OFFSET, param="startAt", size=50))
    pager.begin()

    assert pager.follow(PageSeen(items=20, total=30)) == Step((("startAt", 20),))
    assert pager.follow(PageSeen(items=10, total=30)) is None


@pytest.mark.parametrize("over", [None, "", False])
def test_a_cursor_that_is_none_ends_it(over: object) -> None:
    pager = Pager(Paging(kind=PagingKind.CURSOR, param="cursor"))

    assert pager.begin() == Step()
    assert pager.follow(PageSeen(items=0, cursor="a")) == Step((("cursor", "a"),))
    assert pager.follow(PageSeen(items=1, cursor=over)) is None


def test_no_more_is_no_more_whatever_the_cursor_says() -> None:
    pager = Pager(Paging(kind=PagingKind.CURSOR, param="starting_after"))
    pager.begin()

    assert pager.follow(PageSeen(items=1, cursor="x", more=False)) is None


@pytest.mark.parametrize("kind", [PagingKind.CURSOR, PagingKind.LINK_HEADER, PagingKind.NEXT_LINK])
def test_a_circle_is_noticed(kind: PagingKind) -> None:
    pager = Pager(Paging(kind=kind, param="c", pages_max=100))
    pager.begin()
    pager.follow(PageSeen(items=1, cursor="a", link="/a"))

    with pytest.raises(ToolFailed, match="circle"):
        pager.follow(PageSeen(items=1, cursor="a", link="/a"))


def test_more_pages_than_wanted_are_told() -> None:
    pager = Pager(Paging(kind=PagingKind.LINK_HEADER, pages_max=2))
    pager.begin()

    assert pager.follow(PageSeen(items=1, link="/2")) == Step(link="/2")
    assert pager.follow(PageSeen(items=1, link="/3")) is None
    assert pager.cut


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://x/?page=2>; rel="next", <https://x/?page=9>; rel="last"', "https://x/?page=2"),
        ('<https://x/1>; rel="prev first", </2>; title="a, b"; rel=next', "/2"),
        ('</2>; REL="Next"', "/2"),
        ('</2>; rel="nextish"', None),
        ("<", None),
        ("", None),
        (None, None),
        ("<" * 40_000, None),
        ("<a>" + ";a=b" * 7000, None),
    ],
)
def test_the_next_link_is_found(header: str | None, target: str | None) -> None:
    assert link_of(header) == target


def test_a_signature_covers_the_parts_in_their_order() -> None:
    signed = signed_bytes("{timestamp}.{body}", {"timestamp": "1", "body": b"\xff"})

    assert signed == b"1.\xff"
    # RFC 4231, case 2.
    made = signature(b"Jefe", "sha256", b"what do ya want for nothing?", encoding="hex")
    assert made == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signature(b"k", "sha1", b"", encoding="base64").endswith("=")


@pytest.mark.parametrize("template", ["{nonsense}", "fixed"])
def test_only_parts_that_there_are_can_be_signed(template: str) -> None:
    with pytest.raises(ValueError):
        check_signed_parts(template)
