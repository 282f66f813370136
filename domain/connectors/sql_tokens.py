"""Where literals, names and comments of a statement begin and end, as its database sees it.

Not a parser: just enough that nothing inside quotes or comments is ever taken for something else. What two
readers could take differently (a comment inside a comment, a lone carriage return) is refused, not guessed.
"""

import re
from enum import Enum, auto
from functools import cache
from typing import Final, NamedTuple

from domain.connectors.sql_dialect import NESTED_COMMENTS, SqlDialect


class TokenKind(Enum):
    WORD = auto()
    NUMBER = auto()
    LITERAL = auto()
    """A quoted value."""
    QUOTED_NAME = auto()
    COMMENT = auto()
    PLACEHOLDER = auto()
    """`:name`."""
    SPACE = auto()
    SYMBOL = auto()
    """Anything else: one character, or `::` and `:=`."""


class Token(NamedTuple):
    kind: TokenKind
    text: str


class SqlUnreadable(Exception):
    """It ends inside a literal or comment, or could be read in two ways. Shown to whoever wrote it."""


_WORD: Final = r"[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*"
_SIGNS_IN_WORDS: Final = {SqlDialect.ORACLE: "#", SqlDialect.TSQL: "#@"}
_PLAIN: Final = r"'[^']*(?:''[^']*)*'"
_BACKSLASHED: Final = r"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'"
_DOLLARED: Final = r"\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?)\$.*?\$(?P=tag)\$"
_ORACLE_QUOTED: Final = (
    r"[nN]?[qQ]'(?:\[.*?\]'|\{.*?\}'|\(.*?\)'|<.*?>'|(?P<fence>[^\s\[{(<])(?:.*?)(?P=fence)')"
)
_NAME: Final = r'"[^"]*(?:""[^"]*)*"'
_BACKTICKED: Final = r"`[^`]*(?:``[^`]*)*`"
_BRACKETED: Final = r"\[[^\]]*(?:\]\][^\]]*)*\]"
_BRACKETED_PLAINLY: Final = r"\[[^\]]*\]"
_LINE_COMMENT: Final = r"--[^\r\n]*"
_LINE_COMMENTS_OF_MYSQL: Final = r"\#[^\r\n]*|--(?=[\s\x00-\x20]|$)[^\r\n]*"

_LITERALS: Final = {
    SqlDialect.POSTGRES: rf"[eE]{_BACKSLASHED}|{_PLAIN}|{_DOLLARED}",
    SqlDialect.DUCKDB: rf"[eE]{_BACKSLASHED}|{_PLAIN}|{_DOLLARED}",
    SqlDialect.MYSQL: rf"{_BACKSLASHED}|" + _BACKSLASHED.replace("'", '"'),
    SqlDialect.ORACLE: rf"{_ORACLE_QUOTED}|{_PLAIN}",
    SqlDialect.TSQL: _PLAIN,
    SqlDialect.SQLITE: _PLAIN,
}
_NAMES: Final = {
    SqlDialect.POSTGRES: _NAME,
    SqlDialect.DUCKDB: _NAME,
    SqlDialect.MYSQL: _BACKTICKED,
    SqlDialect.ORACLE: _NAME,
    SqlDialect.TSQL: rf"{_NAME}|{_BRACKETED}",
    SqlDialect.SQLITE: rf"{_NAME}|{_BACKTICKED}|{_BRACKETED_PLAINLY}",
}
_ESCAPED_LITERAL: Final = re.compile(r"[eE]'")
_GOES_ON: Final = re.compile(r"(?:\s|--[^\r\n]*)*'")
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_LONE_RETURN: Final = re.compile(r"\r(?!\n)")


def tokens(text: str, dialect: SqlDialect) -> list[Token]:
    """All of `text`: joined, the tokens are it. Linear in its length. Raises SqlUnreadable."""
    if "\0" in text:
        raise SqlUnreadable("the SQL has a NUL character, which no database takes")
    pattern = _pattern(dialect)
    found: list[Token] = []
    position = 0
    while position < len(text):
        if text.startswith("/*", position):
            token = Token(TokenKind.COMMENT, text[position : _comment_end(text, position, dialect)])
        else:
            match = pattern.match(text, position)
            if match is None or match.lastgroup is None:
                raise SqlUnreadable(f"the quote at character {position + 1} is never closed")
            token = Token(_KINDS[_outer_group(match)], match.group())
        position += len(token.text)
        _check(token, text, position, dialect)
        found.append(token)
    return found


def _check(token: Token, text: str, end: int, dialect: SqlDialect) -> None:
    if token.kind is TokenKind.LITERAL:
        if (
            dialect in (SqlDialect.POSTGRES, SqlDialect.DUCKDB)
            and _ESCAPED_LITERAL.match(token.text)
            and _GOES_ON.match(text, end)
        ):
            # PostgreSQL reads on with backslashes; others do not.
            raise SqlUnreadable("a literal follows an E'' literal: write them as one")
    elif token.kind is TokenKind.NUMBER:
        if text.startswith(("'", '"'), end):
            raise SqlUnreadable("a quote follows a number without a space")
    elif token.kind in (TokenKind.SPACE, TokenKind.COMMENT) and _LONE_RETURN.search(token.text):
        raise SqlUnreadable("a carriage return without a line feed: databases disagree on where lines end")


def _comment_end(text: str, start: int, dialect: SqlDialect) -> int:
    depth, position = 1, start + 2
    while depth:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            raise SqlUnreadable(f"the comment at character {start + 1} is never closed")
        if edge.group() == "*/":
            depth -= 1
        elif dialect in NESTED_COMMENTS:
            depth += 1
        else:
            raise SqlUnreadable("a comment opens inside a comment")
        position = edge.end()
    return position


@cache
def _pattern(dialect: SqlDialect) -> re.Pattern[str]:
    word = _WORD.replace("$", "$" + _SIGNS_IN_WORDS.get(dialect, ""))
    comments = _LINE_COMMENTS_OF_MYSQL if dialect is SqlDialect.MYSQL else _LINE_COMMENT
    return re.compile(
        rf"(?P<space>\s+)|(?P<literal>{_LITERALS[dialect]})|(?P<name>{_NAMES[dialect]})|(?P<comment>{comments})"
        rf"|(?P<number>\d[\w.]*)|(?P<word>{word})|(?P<pair>::|:=)|(?P<placeholder>:[A-Za-z_][A-Za-z0-9_]*)"
        rf"|(?P<symbol>[^'\"{'`' if dialect in _BACKTICKS else ''}])",
        re.DOTALL,
    )


_BACKTICKS: Final = (SqlDialect.MYSQL, SqlDialect.SQLITE)
_KINDS: Final = {
    "space": TokenKind.SPACE,
    "literal": TokenKind.LITERAL,
    "name": TokenKind.QUOTED_NAME,
    "comment": TokenKind.COMMENT,
    "number": TokenKind.NUMBER,
    "word": TokenKind.WORD,
    "pair": TokenKind.SYMBOL,
    "placeholder": TokenKind.PLACEHOLDER,
    "symbol": TokenKind.SYMBOL,
}


def _outer_group(match: re.Match[str]) -> str:
    """The alternative that matched; `tag` and `fence` are groups inside one."""
    last = match.lastgroup or ""
    return last if last in _KINDS else "literal"
