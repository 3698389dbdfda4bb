"""Addresses of hosts."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from services.gateway.guard.hit import Hit
from services.gateway.guard.patterns import Pattern, Patterns
from services.gateway.guard.policy import SensitiveType

_V4 = Pattern(re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\w)", re.ASCII), r"\d\.\d{1,3}\.\d{1,3}\.\d")
_IN_USE = r"(?:[23][0-9a-f]{3}|f[cd][0-9a-f]{2}|fe[89ab][0-9a-f])"
"""How global, local and link-local addresses begin. It keeps `a::b` of C++ out."""
_V6 = Pattern(
    re.compile(rf"(?<![\w:.]){_IN_USE}(?::{{1,2}}[0-9a-f]{{1,4}}){{1,7}}(?:::)?(?![\w:])", re.ASCII | re.IGNORECASE),
    rf"(?i){_IN_USE}::?[0-9a-f]",
)
_VERSION = re.compile(
    r"(?:(?:version|release|build|firmware|revision|section|chapter|upgrade[sd]? to|ver\.?|v|§)"
    r"[\"']?[ ]?[:=]{0,2}[ ]?[\"']?|[=<>~!]=[ ]?|\^)\Z",
    re.IGNORECASE,
)
"""What stands before a version or a section, which look like an address."""
_PUBLISHED = tuple(ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
"""Reserved for documentation (RFC 5737, RFC 3849)."""
_LONGEST_LEAD = 24


class IpAddresses:
    """IPv4 in four decimal parts and IPv6 in hexadecimal ones; not of loopback, documentation, masks or multicast."""

    name = "ip_address"

    def __init__(self) -> None:
        self._patterns = Patterns([_V4, _V6])

    def find(self, text: str) -> Iterator[Hit]:
        """Where they stand."""
        for _, candidate in self._patterns.find(text):
            lead = text[max(0, candidate.start() - _LONGEST_LEAD) : candidate.start()]
            if _is_of_somebody(candidate[0]) and not _VERSION.search(lead):
                yield Hit(*candidate.span(), SensitiveType.IP_ADDRESS)


def _is_of_somebody(value: str) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(value)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_reserved:
        return False
    # An address that begins with 0 or 255 is a mask or a version.
    return value.partition(".")[0] not in {"0", "255"} and not any(
        address in net for net in _PUBLISHED if net.version == address.version
    )
