"""The stages of an application, and their order."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Stage(StrEnum):
    ACCEPTED = "accepted"
    SENT_TO_HUKOU_POLICE = "sent_to_hukou_police"
    APPROVED = "approved"
    RETURNED = "returned"
    PRODUCED = "produced"
    ARRIVED = "arrived"
    COLLECTED = "collected"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        return self not in _ENDS

    @property
    def awaits_card(self) -> bool:
        """Whether the card is still to come, so that the application can be overdue."""
        return self.is_open and self is not Stage.ARRIVED


_ENDS: Final = frozenset({Stage.RETURNED, Stage.COLLECTED, Stage.WITHDRAWN})
"""After a return the applicant makes a new application, with a due date of its own. [D]"""

COMES_FROM: Final = {
    Stage.SENT_TO_HUKOU_POLICE: frozenset({Stage.ACCEPTED}),
    Stage.APPROVED: frozenset({Stage.SENT_TO_HUKOU_POLICE}),
    Stage.RETURNED: frozenset({Stage.SENT_TO_HUKOU_POLICE}),
    Stage.PRODUCED: frozenset({Stage.APPROVED}),
    Stage.ARRIVED: frozenset({Stage.PRODUCED}),
    Stage.COLLECTED: frozenset({Stage.ARRIVED}),
    Stage.WITHDRAWN: frozenset(stage for stage in Stage if stage.is_open),
}
"""The stages that each one can follow; an application begins as accepted."""
