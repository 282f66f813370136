"""Puts together guardrails, from ports alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from application.foresight import Foresight
from application.guardrails.book import GuardrailBook
from application.guardrails.checking import Checks
from application.guardrails.counting import GuardrailCounts
from application.guardrails.inspecting import GuardrailInspector
from application.ports.guardrail import OutsideGuardrails, SchemaReader
from application.ports.wire import RequestReader
from application.privacy.inspecting import PrivacyInspector
from domain.guardrails.terms import Guardrail, SchemaRule
from domain.vault.secret import SecretText
from entrypoints.caching import Caching
from entrypoints.config.guardrail_section import guardrail_secrets, made_guardrails
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """Everything around guardrails of one process."""

    inspector: GuardrailInspector
    foresight: Foresight
    schemas: SchemaReader
    use_secrets: Callable[[Mapping[str, SecretText]], None]

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """What puts the guardrails of a configuration in the place of all others, in one step.

        Raises ProvisioningError for a schema that cannot be used.
        """
        guardrails = made_guardrails(settings.guardrails)
        secrets = guardrail_secrets(settings.guardrails)
        check_schemas(guardrails, self.schemas)

        def use() -> None:
            self.use_secrets(secrets)
            self.inspector.book.use(guardrails)

        return use


def check_schemas(guardrails: Sequence[Guardrail], schemas: SchemaReader) -> None:
    """Raises ProvisioningError for every schema that cannot be used."""
    problems = [
        f"guardrails.{each.name}.answer_schema: {problem}"
        for each in guardrails
        if isinstance(each.rule, SchemaRule) and (problem := schemas.unusable(each.rule.schema))
    ]
    if problems:
        raise ProvisioningError(problems)


def make_guardrails(
    settings: Settings,
    caching: Caching,
    privacy: PrivacyInspector,
    reader: RequestReader,
    schemas: SchemaReader,
    outside: OutsideGuardrails,
    use_secrets: Callable[[Mapping[str, SecretText]], None],
) -> Guardrails:
    """Those of a serving process; from now on the cache keeps answers apart by them, too.

    Raises ProvisioningError for a schema that cannot be used.
    """
    inspector = GuardrailInspector(
        book=GuardrailBook(),
        tenants=privacy.tenants,
        texts=privacy.texts,
        checks=Checks(privacy.detector, schemas, outside, GuardrailCounts()),
        reader=reader,
        offloading=privacy.offloading,
    )
    made = Guardrails(
        inspector=inspector,
        foresight=Foresight(privacy, inspector),
        schemas=schemas,
        use_secrets=use_secrets,
    )
    made.prepare(settings)()
    caching.cache.policy_version = made.foresight.version
    return made
