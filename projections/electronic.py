"""The electronic track (电子居住证): the same permit on the holder's phones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.device import Device
from domain.events import (
    CardReissued,
    CardReplaced,
    DeviceBound,
    DeviceRevoked,
    ElectronicPermitClaimed,
    HolderErased,
    PermitEvent,
    PermitIssued,
)
from domain.personal import ERASED, Erased

from .track import TrackRow, advance, begin


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectronicPermit(TrackRow):
    """A row of ``views.electronic_permits``."""

    card_serial: int
    claimed: bool
    devices: list[str]


def evolve(row: ElectronicPermit | None, event: PermitEvent) -> ElectronicPermit:
    """The row after one more event; a permit begins with :class:`PermitIssued`."""
    if isinstance(event, PermitIssued):
        return begin(
            ElectronicPermit, event, card_serial=event.card_serial, claimed=False, devices=[]
        )
    assert row is not None  # noqa: S101  a stream starts with its first version
    row = advance(row, event)
    match event:
        case CardReissued() | CardReplaced():
            return replace(row, card_serial=event.card_serial)
        case ElectronicPermitClaimed():
            return replace(row, claimed=True, devices=_with([], event.device))
        case DeviceBound():
            return replace(row, devices=_with(row.devices, event.device))
        case HolderErased():
            return replace(row, devices=[])
        case DeviceRevoked():
            kept = [thumbprint for thumbprint in row.devices if thumbprint != event.thumbprint]
            return replace(row, devices=kept)
        case _:
            return row


def _with(devices: list[str], device: Device | Erased) -> list[str]:
    return devices if device is ERASED else [*devices, device.thumbprint]
