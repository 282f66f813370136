"""Names of things, told apart by type."""

from typing import NewType

TenantId = NewType("TenantId", str)
KeyId = NewType("KeyId", str)
RequestId = NewType("RequestId", str)
ProviderId = NewType("ProviderId", str)
TargetId = NewType("TargetId", str)
"""`provider/model` as the operator names it, such as `acme/small`."""
RouteName = NewType("RouteName", str)
