"""Which users and agents a caller may speak for, and whom it speaks for when it names nobody.

Identities decide whose budget pays and whose kept answers are given again. A key that may name only some of
them is bound to them; one without such a limit is trusted to name whom it likes, as a backend that serves
many users has to be.
"""

from collections.abc import Iterable
from typing import Final

from domain.errors import IdentityNotAllowed, InvalidRequest
from domain.tenancy.patterns import check_patterns, matches
from domain.tenancy.principal import Principal

USER: Final = "user"
AGENT: Final = "agent"
KINDS: Final = (USER, AGENT)


def check_assertable(patterns: Iterable[str], param: str = "assertable") -> None:
    """Raises InvalidRequest for what is not `user:…` or `agent:…`."""
    listed = tuple(patterns)
    check_patterns(listed, param)
    for pattern in listed:
        kind, colon, name = pattern.partition(":")
        if kind not in KINDS or not colon or not name.strip():
            raise InvalidRequest(
                f"{param} {pattern[:60]!r} must be user:<id> or agent:<id>, with `*` at the end for all that "
                "begin so",
                param=param,
            )


def spoken_for(by: Principal, kind: str, identity: str) -> str:
    """The identity that counts: the one named, or the only one this caller has; empty: nobody.

    Raises:
        IdentityNotAllowed: this caller may not name that one.
    """
    allowed = by.assertable
    if allowed is None:
        return identity
    if not identity:
        return _only(allowed, kind)
    named = f"{kind}:{identity}"
    if identity.isprintable() and any(matches(pattern, named) for pattern in allowed):
        return identity
    raise IdentityNotAllowed(
        f"this credential may not name the {kind} {identity[:80]!r}; it may name {_told(allowed, kind)}",
        param=f"{kind}_id",
    )


def own_session(by: Principal, session_id: str) -> str:
    """The conversation's id as everything here knows it. Callers bound to identities have sessions of their
    own, so that naming another's finds, spends and stops nothing of it."""
    if by.assertable is None or not session_id:
        return session_id
    mine = f"{by.key_id}/"
    return session_id if session_id.startswith(mine) else mine + session_id


def _only(allowed: frozenset[str], kind: str) -> str:
    prefix = f"{kind}:"
    names = [pattern[len(prefix) :] for pattern in allowed if pattern.startswith(prefix)]
    return names[0] if len(names) == 1 and not names[0].endswith("*") else ""


def _told(allowed: frozenset[str], kind: str) -> str:
    names = sorted(pattern for pattern in allowed if pattern.startswith(f"{kind}:"))
    if not names:
        return f"no {kind}"
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
