"""Regular expressions whose work is bounded for every text: a subset, measured before it is used.

Taken are literals, classes, groups, alternatives, `\\b` and quantifiers. What could make a search take longer
than a small multiple of the text's length is refused: references, looking around, repetitions of what can be
read in several ways, and chains of repetitions that overlap. `*`, `+` and `{n,}` stand for a bounded number
of repetitions, so that every match has a longest length: a stream need not be held back further.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

SOURCE_CHARS_MAX: Final = 500
UNBOUNDED_MAX: Final = 100
"""What `*` and `+` stand for."""
REPEATS_MAX: Final = 1000
WIDTH_MAX: Final = 4000
STEPS_MAX: Final = 5000
"""How often a character may be looked at, at worst, for each place where a match could begin."""
PIECE_CHARS: Final = 16 * 1024
PIECE_CHARS_MIN: Final = 256
PIECE_STEPS: Final = 1_000_000
"""A search in one text lets no other thread run, so that long ones are searched in pieces of so much work."""
_DEPTH_MAX: Final = 20
_WHOLE_UNBOUNDED_MAX: Final = 20_000
_CLASSES: Final = frozenset("dDwWsS")
_PLAIN_ESCAPES: Final = frozenset("ntrfv")
_NESTING: Final = frozenset({"--", "&&", "~~", "||"})
_CODES: Final = re.compile(r"\\[xuU]([0-9A-Fa-f]{2,8})")
_BOUNDS: Final = re.compile(r"\{(\d{0,5})(,?)(\d{0,5})\}")
_SAMPLE: Final = frozenset(map(chr, range(9, 127))) | frozenset(
    "\x00\x7f\x85\u00a0\u00e9\u00df\u017f\u0130\u0131\u03c3\u043a\u05d0\u0660\u0967\u212a\u2003\u4e2d\uff21"
    "\u200b\U0001f600"
)
"""One of each sort of character; those of the expression itself are added."""


@dataclass(frozen=True, slots=True)
class Regular:
    """`width`: the longest match in characters. `steps`: the bound of the work for each place."""

    source: str
    pattern: re.Pattern[str]
    width: int
    steps: int

    def finditer(self, text: str, start: int = 0) -> Iterator[tuple[int, int]]:
        """Where its matches are, in order, without overlap; none begins before `start`."""
        length = len(text)
        at = start
        piece = max(PIECE_CHARS_MIN, min(PIECE_CHARS, PIECE_STEPS // self.steps))
        while at <= length:
            last = at + piece
            # Whatever begins in this piece can be seen whole, and one character behind it.
            end = min(length, last + self.width + 1)
            found = self.pattern.search(text, at, end)
            if found is None or found.start() >= last:
                at = last
                continue
            if found.end() > found.start():
                yield found.span()
            at = max(found.end(), found.start() + 1)

    def found(self, text: str, start: int = 0) -> bool:
        """Whether there is a match that is not empty."""
        return next(self.finditer(text, start), None) is not None


def regular(source: str, *, ignore_case: bool = True, whole: bool = False) -> Regular:
    """Compiles an expression. `whole`: it will be compared with whole texts only, at one place.

    Raises ValueError with what is wrong, without repeating the expression.
    """
    if len(source) > SOURCE_CHARS_MAX:
        raise ValueError(f"is longer than {SOURCE_CHARS_MAX} characters")
    flags = re.IGNORECASE if ignore_case else 0
    parser = _Parser(source, flags, _WHOLE_UNBOUNDED_MAX if whole else UNBOUNDED_MAX)
    node = parser.all()
    if node.max == 0:
        raise ValueError("matches nothing but the empty text")
    if not whole:
        if node.min == 0:
            raise ValueError("matches the empty text, and so everywhere")
        if node.max > WIDTH_MAX:
            raise ValueError(f"matches up to {node.max} characters; {WIDTH_MAX} are taken")
    steps_max = STEPS_MAX * (1 if not whole else UNBOUNDED_MAX)
    if node.steps > steps_max:
        raise ValueError(
            f"may look at a character {node.steps} times; {steps_max} are taken: bound its repetitions, or "
            "keep apart what follows one another (`*` and `+` count as "
            f"{_WHOLE_UNBOUNDED_MAX if whole else UNBOUNDED_MAX})"
        )
    return Regular(source, re.compile(node.text, parser.flags), node.max, node.steps)


def folded(text: str) -> str:
    """The text without characters that are not seen, and with other forms of letters as plain ones."""
    if text.isascii():
        return text
    seen = "".join(each for each in text if unicodedata.category(each) not in ("Cf", "Mn", "Cs"))
    return unicodedata.normalize("NFKC", seen)


class _Node(NamedTuple):
    """`ways`: in how many lengths it may match what stands at one place, as whatever follows sees it.
    `first`: characters that may begin it."""

    text: str
    min: int
    max: int
    steps: int
    ways: int
    first: frozenset[str]
    counts: int = 1
    """Of a repetition, how many numbers of times there are; what follows may decide between them."""
    literal: str | None = None
    """The one text it matches, letters' cases aside; None: there may be several."""


class _Parser:
    def __init__(self, source: str, flags: int, unbounded_max: int) -> None:
        if source.startswith("(?i)"):
            source, flags = source[4:], flags | re.IGNORECASE
        self._source = source
        self.flags = flags
        self._at = 0
        self._depth = 0
        self._unbounded_max = unbounded_max
        meant = {chr(int(code, 16) % 0x110000) for code in _CODES.findall(source)}
        cases = {form for each in source for form in (each, *each.upper(), *each.lower())}
        self._sample = sorted(_SAMPLE | cases | meant)

    def all(self) -> _Node:
        node = self._choice(top=True)
        if self._at < len(self._source):
            raise ValueError("has a `)` without a `(`")
        return node

    def _choice(self, *, top: bool) -> _Node:
        branches = [self._sequence(top=top)]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence(top=top))
        if len(branches) == 1:
            return branches[0]
        first = frozenset[str]().union(*(each.first for each in branches))
        # Where no two begin alike, what stands there says which one it is.
        apart = all(each.min for each in branches) and sum(len(each.first) for each in branches) == len(first)
        ways, steps = [each.ways for each in branches], [each.steps for each in branches]
        return _Node(
            text="|".join(each.text for each in branches),
            min=min(each.min for each in branches),
            max=max(each.max for each in branches),
            steps=len(branches) + max(steps) if apart else sum(steps),
            ways=max(ways) if apart else _alike([each.literal for each in branches]) or sum(ways),
            first=first,
        )

    def _sequence(self, *, top: bool) -> _Node:
        items: list[_Node] = []
        while (char := self._peek()) and char not in "|)":
            items.append(self._quantified(self._atom(char)))
        return _joined(items, top=top)

    def _atom(self, char: str) -> _Node:
        if char == "(":
            return self._group()
        if char == "[":
            return self._one(self._bracket())
        if char == "\\":
            return self._escape()
        if char in "^$":
            self._refuse(
                "`^` and `$`: what is denied is searched everywhere, what is allowed is the whole text"
            )
        if char in "*+?{}":
            self._refuse(f"`{char}` with nothing before it; escape it where it is meant itself")
        self._at += 1
        if char == ".":
            return self._one(".")
        node = self._one(re.escape(char))
        return node._replace(literal=char.lower()) if char.isascii() else node

    def _group(self) -> _Node:
        if self._source.startswith("(?:", self._at):
            self._at += 3
        elif self._source.startswith("(?", self._at):
            self._refuse("groups that begin with `(?`, other than `(?:`")
        else:
            self._at += 1
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            self._refuse(f"more than {_DEPTH_MAX} groups in one another")
        inside = self._choice(top=False)
        self._depth -= 1
        if self._peek() != ")":
            raise ValueError("has a `(` without a `)`")
        self._at += 1
        return inside._replace(text=f"(?:{inside.text})")

    def _bracket(self) -> str:
        source, at = self._source, self._at + 1
        said = ["["]
        if source.startswith("^", at):
            said.append("^")
            at += 1
        first = True
        while at < len(source) and (first or source[at] != "]"):
            size = 2 if source[at] == "\\" else 1
            if size == 1 and source[at : at + 2] in _NESTING:
                self._refuse(f"`{source[at : at + 2]}` in a class")
            said.append("\\[" if source[at] == "[" else source[at : at + size])
            at += size
            first = False
        if at >= len(source):
            raise ValueError("has a `[` without a `]`")
        self._at = at + 1
        return "".join(said) + "]"

    def _escape(self) -> _Node:
        char = self._source[self._at + 1 : self._at + 2]
        if not char:
            raise ValueError("ends with a `\\`")
        digits = {"x": 2, "u": 4, "U": 8}.get(char)
        if char in "bB":
            self._at += 2
            return _Node("\\" + char, 0, 0, 1, 1, frozenset())
        if digits:
            text = self._source[self._at : self._at + 2 + digits]
        elif char in _CLASSES or char in _PLAIN_ESCAPES or not char.isalnum():
            text = "\\" + char
        else:
            self._refuse(f"`\\{char}`")
        self._at += len(text)
        return self._one(text)

    def _one(self, text: str) -> _Node:
        """Something that stands for one character."""
        try:
            is_one = re.compile(text, self.flags).fullmatch
        except re.error as error:
            raise ValueError(f"is no regular expression: {error.msg}") from None
        except (ValueError, OverflowError):
            raise ValueError("names a character that there is not") from None
        return _Node(text, 1, 1, 1, 1, frozenset(each for each in self._sample if is_one(each)))

    def _quantified(self, node: _Node) -> _Node:
        bounds = self._bounds()
        if bounds is None:
            return node
        least, most = bounds
        lazy = self._peek() == "?"
        self._at += lazy
        if self._peek() in tuple("*+?") or self._bounds() is not None:
            self._refuse("a quantifier after another")
        if node.max == 0:
            self._refuse("a quantifier of what has no length")
        if most > 1 and (node.ways > 1 or node.min == 0):
            raise ValueError("repeats what can be read in several ways, which may take for ever")
        text = f"{node.text}{{{least},{most}}}{'?' if lazy else ''}"
        return _Node(
            text=text,
            min=node.min * least,
            max=node.max * most,
            steps=node.steps * max(1, most),
            ways=node.ways * (most - least + 1),
            first=node.first,
            counts=most - least + 1,
        )

    def _bounds(self) -> tuple[int, int] | None:
        char = self._peek()
        if char and char in "*+?":
            self._at += 1
            return {"*": (0, self._unbounded_max), "+": (1, self._unbounded_max), "?": (0, 1)}[char]
        found = _BOUNDS.match(self._source, self._at)
        if char != "{" or found is None or not (found[1] or found[3]):
            return None
        self._at = found.end()
        least = int(found[1] or 0)
        most = int(found[3]) if found[3] else (max(least, self._unbounded_max) if found[2] else least)
        if least > most or most < 1:
            raise ValueError("has a quantifier whose bounds are the wrong way round")
        if most > max(REPEATS_MAX, self._unbounded_max):
            raise ValueError(f"repeats something more than {REPEATS_MAX} times")
        return least, most

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(f"{what}: not taken here")


def _joined(items: Sequence[_Node], *, top: bool) -> _Node:
    """One after another. The work is summed from the end: each way of reading an item tries all that follows.

    An item that varies is read in one way where what follows it begins with other characters than it goes on
    with, or where nothing follows that could fail.
    """
    steps, ways = 1, 1
    after: frozenset[str] = frozenset()
    ended = True
    for item in reversed(items):
        decided = not (item.first & after) and (top or not ended)
        own = item.ways // item.counts if decided else item.ways
        steps = item.steps + own * steps
        ways *= own
        if item.min:
            after, ended = item.first, False
        else:
            after = after | item.first
    return _Node(
        text="".join(item.text for item in items),
        min=sum(item.min for item in items),
        max=sum(item.max for item in items),
        steps=min(steps, 10**12),
        ways=min(ways, 10**12),
        first=after,
        literal=None
        if any(item.literal is None for item in items)
        else "".join(item.literal or "" for item in items),
    )


def _alike(texts: Sequence[str | None]) -> int:
    """How many of these texts can stand at one place at most; 0: not all of them are known."""
    known = [text for text in texts if text is not None]
    if len(known) < len(texts):
        return 0
    return max(sum(longer.startswith(text) for text in known) for longer in known)
