"""The ledger without encryption, for comparison: personal data in the clear, no keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Notification, StoredEvent

from domain.events import PermitEvent
from ledger.codec.mapper import EventMapper, OrjsonTranscoder, SealedEvent
from ledger.commands.blocking import BlockingLedger
from ledger.crypto.holder_keys import HolderKey, HolderKeys, Keys, WrappedKey
from projections.projector.pages import EventOpener, Page


class NoKey(HolderKey):
    """A key that does not encrypt."""

    def __init__(self) -> None:
        super().__init__("any-holder", bytes(32))

    def seal(self, plain: bytes, *place: str) -> bytes:  # noqa: ARG002
        return plain

    def seal_alike(self, plain: bytes, *place: str) -> bytes:  # noqa: ARG002
        return plain

    def open(self, box: bytes, *place: str) -> bytes:  # noqa: ARG002
        return box


NO_KEY = NoKey()


class Anybodys(dict[str, Any]):
    """The one key, for every holder."""

    def __missing__(self, holder_id: str) -> HolderKey:
        return NO_KEY


class NoKeys(HolderKeys):
    """A key store without keys."""

    def __init__(self) -> None:
        pass

    def new(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:  # noqa: ARG002
        return NO_KEY, cast("WrappedKey", None)

    async def new_async(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        return self.new(holder_id)

    def known(self, holder_ids: Iterable[str]) -> tuple[Keys, list[str]]:  # noqa: ARG002
        return Anybodys(), []


class ClearMapper(EventMapper):
    """Stores all fields beside each other."""

    def __init__(self) -> None:
        super().__init__(OrjsonTranscoder())

    def to_stored_event(
        self,
        domain_event: DomainEventProtocol[str],
        key: HolderKey | None = None,  # noqa: ARG002
    ) -> StoredEvent:
        event = cast("PermitEvent", domain_event)
        state = vars(event).copy()
        del state["originator_id"], state["originator_version"]
        return StoredEvent(
            originator_id=event.originator_id,
            originator_version=event.originator_version,
            topic=event.TOPIC,
            state=self.transcoder.encode(state),
        )

    def parse(self, stored_event: StoredEvent) -> SealedEvent:
        return SealedEvent(stored_event, self.transcoder.decode(stored_event.state), None)


class ClearLedger(BlockingLedger):
    """The ledger with this mapper and these keys."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, mapper=ClearMapper(), holder_keys=NoKeys(), **kwargs)


class ClearOpener(EventOpener):
    """Reads that log; what is written back is in the clear too."""

    def __init__(self) -> None:
        super().__init__(NoKeys(), mapper=ClearMapper())

    def open(self, connection: Any, stored: Sequence[Notification]) -> Page:  # noqa: ARG002
        sealed = [self._mapper.parse(event) for event in stored]
        return Page(stored, self._mapper.open(sealed, {}), Anybodys())
