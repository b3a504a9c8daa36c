"""Parse hosts as users type them, and make URLs of them."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv6Address, ip_address

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where to reach a server that listens everywhere


def bare_host(host: str) -> str:
    """Parse an address or a name; return ``[::1]`` without its brackets.

    Raises:
        ValueError: it is neither.
    """
    host = host.strip()
    if host.startswith("[") and host.endswith("]"):
        return str(IPv6Address(host[1:-1]))
    with suppress(ValueError):
        return str(ip_address(host))
    if not _NAME.fullmatch(host):
        raise ValueError("neither an address nor a host name")
    return host


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own, which no other can send from; ``False`` for what is
    no address. IPv4 within IPv6 is IPv4."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback


def local_url(host: str, port: int) -> str:
    """Make the URL to open on this machine, of a :func:`bare_host` (RFC 3986 §3.2.2, RFC 6874)."""
    host = _ANY.get(host, host)
    shown = f"[{host.replace('%', '%25')}]" if ":" in host else host.lower()
    return f"http://{shown}:{port}"
