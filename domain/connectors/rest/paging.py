"""Going through pages: which request comes next, told what the last answer said. No I/O in it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from domain.errors import ToolFailed

PAGES: Final = 10
PAGES_MAX: Final = 1000
CURSOR_CHARS_MAX: Final = 8192


class PagingKind(StrEnum):
    """How the other side counts."""

    OFFSET = "offset"
    PAGE = "page"
    CURSOR = "cursor"
    """The answer holds a mark to be sent with the next request."""
    LINK_HEADER = "link_header"
    """The answer's `Link` header says where the next page is."""
    NEXT_LINK = "next_link"
    """The answer's JSON says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """`param` carries the offset, the page's number or the cursor; `size_param` how many to a page."""

    kind: PagingKind
    param: str = ""
    size_param: str = ""
    size: int = 0
    """0: the other side decides."""
    first: int = 0
    """Number of the first page, or the first offset."""
    in_body: bool = False
    """They go into the JSON body instead of the query."""
    pages_max: int = PAGES


class PageSeen(NamedTuple):
    """What an answer said. `more` and `total` where the configuration says where they stand."""

    items: int
    cursor: Any = None
    link: str | None = None
    more: bool | None = None
    total: int | None = None


class Step(NamedTuple):
    """The next request: values to send, or a link to follow instead of the template."""

    values: tuple[tuple[str, Any], ...] = ()
    link: str | None = None


class Pager:
    """One walk through pages. `begin` once, then `follow` after each answer until it says None."""

    def __init__(self, paging: Paging) -> None:
        self._paging = paging
        self._at = paging.first
        self._seen: set[str] = set()
        self.pages = 0
        self.cut = False
        """Whether there was more than `pages_max` pages."""

    def begin(self) -> Step:
        self.pages = 1
        counted = self._paging.kind in (PagingKind.OFFSET, PagingKind.PAGE)
        return self._step(self._at if counted else None)

    def follow(self, seen: PageSeen) -> Step | None:
        """Raises ToolFailed where the other side leads in circles."""
        step = self._next(seen)
        if step is None:
            return None
        if self.pages >= self._paging.pages_max:
            self.cut = True
            return None
        self.pages += 1
        return step

    def _next(self, seen: PageSeen) -> Step | None:
        paging = self._paging
        if seen.more is False:
            return None
        if paging.kind is PagingKind.CURSOR:
            if seen.cursor is None or seen.cursor == "" or isinstance(seen.cursor, bool):
                return None
            self._remember(str(seen.cursor))
            return self._step(seen.cursor)
        if paging.kind in (PagingKind.LINK_HEADER, PagingKind.NEXT_LINK):
            if not seen.link:
                return None
            self._remember(seen.link)
            return Step(link=seen.link)
        return self._counted(seen)

    def _counted(self, seen: PageSeen) -> Step | None:
        paging = self._paging
        if seen.items == 0:
            return None
        if paging.kind is PagingKind.OFFSET:
            self._at += seen.items
            done = self._at - paging.first
        else:
            self._at += 1
            done = (self._at - paging.first) * (paging.size or seen.items)
        if seen.total is not None:
            return None if done >= seen.total else self._step(self._at)
        if seen.more is None and paging.size and seen.items < paging.size:
            return None
        return self._step(self._at)

    def _step(self, mark: Any) -> Step:
        values: list[tuple[str, Any]] = []
        if mark is not None:
            values.append((self._paging.param, mark))
        if self._paging.size_param and self._paging.size:
            values.append((self._paging.size_param, self._paging.size))
        return Step(tuple(values))

    def _remember(self, mark: str) -> None:
        if len(mark) > CURSOR_CHARS_MAX:
            raise ToolFailed("the mark of the next page is far too long")
        if mark in self._seen:
            raise ToolFailed("the other side leads from page to page in a circle")
        self._seen.add(mark)
