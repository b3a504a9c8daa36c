"""A permit with thousands of events: its holder has bound and removed phones all day, as a policy
allowed."""

from dataclasses import replace

from joserfc.jwk import ECKey

from domain.context import CommandContext
from domain.device import Device, FaceMatch
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import as_service
from ledger.eventlog.append import Append
from permit_ledger.bootstrap.cli_context import policy_in_force
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.settings import Settings
from tests.api.service import Service

APPENDS_MAX = 500


def lengthen(service: Service, number: str, events: int) -> int:
    """Append so many events to a permit, as its holder's commands would; returns the last
    position. The phones that are bound before stay bound."""
    settings = Settings(data_dir=service.data_dir, development=True)
    ledger = BlockingLedger(
        as_service(service.database_url),
        blind_index=keys.blind_index(settings),
        keyring=keyring(settings),
    )
    try:
        permit = ledger.permit(number)
        key = service.holder_key(permit.holder_id)
        context = CommandContext(
            actor=permit.holder_id,
            station=None,
            correlation_id="long",
            at=permit.modified_on,
            policy=replace(
                policy_in_force(settings),
                devices_bound_per_day_max=events,
                events_per_account_and_day_max=2 * events,
            ),
        )
        phone = ECKey.generate_key("P-256", private=True)
        device = Device(phone.thumbprint(), phone.as_dict(private=False))
        match = FaceMatch.unsigned("test", 0.97, matched=True)
        for n in range(events):
            if n % 2:
                permit.revoke_device(device.thumbprint, context)
            else:
                permit.claim(device, match, confirmed=True, context=context)
        stored = [
            ledger.event_mapper.to_stored_event(event, key) for event in permit.collect_events()
        ]
        position = 0
        for at in range(0, len(stored), APPENDS_MAX):
            appends = [Append([event]) for event in stored[at : at + APPENDS_MAX]]
            position = ledger.append_all(appends)[-1]
        return position
    finally:
        ledger.close()
