"""What callers say about who is behind a call, held against whom they may speak for."""

from application.job import Attribution
from domain.errors import IdentityNotAllowed
from domain.tenancy.identities import AGENT, USER, own_session, spoken_for
from domain.tenancy.principal import Principal


def speak_for(by: Principal, who: Attribution) -> None:
    """Makes `who` what its caller may claim: the only user or agent it has is filled in where it names none,
    and its sessions become its own. Doing it again changes nothing.

    Raises:
        IdentityNotAllowed: it named somebody it may not speak for; `who` then names nobody, so that nothing
            is recorded on that one.
    """
    if by.assertable is None:
        return
    try:
        user_id, agent_id = spoken_for(by, USER, who.user_id), spoken_for(by, AGENT, who.agent_id)
    except IdentityNotAllowed:
        who.user_id = who.agent_id = who.session_id = ""
        raise
    who.user_id, who.agent_id = user_id, agent_id
    who.session_id = own_session(by, who.session_id)
