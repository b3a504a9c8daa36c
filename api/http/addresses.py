"""Parse hosts as users type them, and make URLs of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::[0-9]*)?", re.ASCII)
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


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The hosts by which callers may ask: this machine's loopback, and ``names``. A page of another
    name that has made that name lead here asks under its own. ``of_any`` are paths that are
    answered under every name."""

    names: frozenset[str]
    of_any: frozenset[str] = frozenset()

    def admit(self, path: str, asked: Iterable[str]) -> bool:
        """Whether to answer a request with these values of ``Host``: exactly one, of any port."""
        if path in self.of_any:
            return True
        match list(asked):
            case [authority]:
                host = _host_of(authority)
                return host in self.names or _is_local(host)
            case _:
                return False


def _host_of(authority: str) -> str:
    """The host of ``host:port`` (RFC 9110 §7.2), as it is compared; empty if it is none."""
    found = _AUTHORITY.fullmatch(authority.strip())
    return (found[1] or found[2]).lower().removesuffix(".") if found else ""


@lru_cache(maxsize=64)  # asked for each request; a head has a bound
def _is_local(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost") or is_loopback(host)


def local_url(host: str, port: int) -> str:
    """Make the URL to open on this machine, of a :func:`bare_host` (RFC 3986 §3.2.2, RFC 6874)."""
    host = _ANY.get(host, host)
    shown = f"[{host.replace('%', '%25')}]" if ":" in host else host.lower()
    return f"http://{shown}:{port}"
