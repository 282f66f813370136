"""Where connections may lead: the seam a guard against server-side request forgery plugs into."""

from collections.abc import Callable

EgressRule = Callable[[str, str, int], bool]
"""Asked `(host, ip, port)` for every address before it is connected to; False refuses it.

`host` is the name in the request, `ip` the address in canonical text without zone, and equal to `host` for
IP literals. Odd spellings such as `0x7f.1` arrive resolved. Behind an outbound proxy a name is resolved by
the proxy, so `ip` is empty then and the rule can only judge the name. Must be quick and must not raise.
"""


def allow_everything(host: str, ip: str, port: int) -> bool:
    """The rule of an installation that guards its egress elsewhere."""
    del host, ip, port
    return True
