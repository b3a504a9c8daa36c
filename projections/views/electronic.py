"""The electronic track (电子居住证): the same permit on the holder's phones."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(slots=True, kw_only=True)
class ElectronicPermit(TrackRow):
    """A row of ``views.electronic_permits``."""

    card_serial: int
    claimed: bool
    devices: list[str]


def evolve(row: ElectronicPermit | None, event: PermitEvent) -> ElectronicPermit:
    """The row after one more event, changed in place; a permit begins with :class:`PermitIssued`.

    Raises:
        RowMissing, RowOutOfOrder
    """
    if isinstance(event, PermitIssued):
        return begin(
            ElectronicPermit, event, card_serial=event.card_serial, claimed=False, devices=[]
        )
    row = advance(row, event)
    match event:
        case CardReissued() | CardReplaced():
            row.card_serial = event.card_serial
        case ElectronicPermitClaimed():
            row.claimed = True
            row.devices = _with([], event.device)
        case DeviceBound():
            row.devices = _with(row.devices, event.device)
        case HolderErased():
            row.devices = []
        case DeviceRevoked():
            row.devices = [phone for phone in row.devices if phone != event.thumbprint]
        case _:
            pass
    return row


def _with(devices: list[str], device: Device | Erased) -> list[str]:
    return devices if device is ERASED else [*devices, device.thumbprint]
