"""What is offered at all, whatever is up at the moment."""

from application.ports.llm import LlmProvider
from domain.errors import InterchangeError, InvalidRequirements, NoProviderAvailable
from domain.llm.request import LlmRequest, Operation
from domain.routing.target import Target, Via

_ALWAYS_OFFERED = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.COUNT_TOKENS})
"""Every provider answers these one way or another, or somebody else stands in."""


class Offers:
    """Tells "not now" from "never": a caller who is told to come back would come in vain."""

    def __init__(self, direct: LlmProvider, gateway: LlmProvider | None) -> None:
        self._direct = direct
        self._gateway = gateway

    def offered(self, target: Target, dialect: str) -> bool:
        """Whether any way the target may take carries this dialect to it, were it up."""
        if target.via is not Via.PORTKEY and self._direct.speaks(dialect, target):
            return True
        gateway = self._gateway
        return target.via is not Via.DIRECT and gateway is not None and gateway.speaks(dialect, target)

    def explained(
        self, error: InterchangeError, request: LlmRequest, targets: tuple[Target, ...]
    ) -> InterchangeError:
        """The error; a clearer one where none of the route's targets could ever answer this."""
        if not isinstance(error, NoProviderAvailable) or request.operation in _ALWAYS_OFFERED:
            return error
        if not targets or any(self.offered(target, request.dialect) for target in targets):
            return error
        ways = {target.via for target in targets}
        through = " through Portkey, the only way they may take" if ways == {Via.PORTKEY} else ""
        return InvalidRequirements(
            f"no provider behind {request.model!r} offers {request.operation.value}{through}",
            param="model",
            details={"operation": request.operation.value},
        )
