"""What a profile does with personal data and secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from scic.type.v1 import guard_pb2


class SensitiveType(StrEnum):
    """A kind of personal data, or a secret. The API's SensitiveType says what each means."""

    SECRET = "secret"  # noqa: S105 - a kind, not a secret
    EMAIL = "email"
    PHONE = "phone"
    PERSON = "person"
    PAYMENT_CARD = "payment_card"
    IBAN = "iban"
    NATIONAL_ID = "national_id"
    IP_ADDRESS = "ip_address"


class Action(StrEnum):
    """What is done with a value. The API's GuardAction says what each means."""

    ALLOW = "allow"
    MASK = "mask"
    DROP = "drop"
    REFUSE = "refuse"


_DEFAULTS: Mapping[SensitiveType, Action] = MappingProxyType(
    dict.fromkeys(SensitiveType, Action.ALLOW)
    | dict.fromkeys(
        (SensitiveType.SECRET, SensitiveType.PAYMENT_CARD, SensitiveType.IBAN, SensitiveType.NATIONAL_ID), Action.MASK
    )
)
"""Nobody needs these in a prompt. Whom to write or to call, on the other hand, is what many questions ask for."""


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """An action for each type, and whether the caller gets the pseudonyms' values back."""

    actions: Mapping[SensitiveType, Action] = field(default_factory=lambda: _DEFAULTS)
    restore: bool = False

    @classmethod
    def of(cls, message: guard_pb2.Guard) -> Self:
        """The policy that a profile's `guard` is: the defaults, and what it says otherwise."""
        rules = {
            SensitiveType[guard_pb2.SensitiveType.Name(rule.type).removeprefix("SENSITIVE_TYPE_")]: Action[
                guard_pb2.GuardAction.Name(rule.action).removeprefix("GUARD_ACTION_")
            ]
            for rule in message.rules
        }
        return cls(MappingProxyType({**_DEFAULTS, **rules}), message.restore)

    @property
    def acts(self) -> bool:
        """Whether anything is to be looked for at all."""
        return any(action is not Action.ALLOW for action in self.actions.values())
