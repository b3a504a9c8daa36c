"""What operators receive, and the public statistics, as OpenAPI shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class Readiness(BaseModel):
    ready: bool
    log_position: int
    views_position: int
    lag_events: int


class RemoteReadiness(BaseModel):
    ready: bool
    as_of_position: int
    stale_s: float
    stale_s_max: int
    bad_records: int
    quarantined_permits: int


class QuarantinedAnswer(BaseModel):
    """A permit in quarantine and the reason; `trace` is the place in the code, without values."""

    permit_number: str
    position: int = Field(description="the first event that the views do not have")
    version: int
    topic: str
    found_by: Literal["projector", "auditor"]
    reason: str
    trace: str
    parked_at: datetime
    retries: int
    retried_at: datetime | None
    events_waiting: int


class QuarantineAnswer(BaseModel):
    """The first 1,000, by position."""

    permits: list[QuarantinedAnswer]
    as_of_position: int


class RetriedAnswer(BaseModel):
    """The result of a retry; if it failed, `position` and `reason` of the cause."""

    permit_number: str
    released: bool
    position: int | None
    reason: str | None
    as_of_position: int


class QuestionAnswer(BaseModel):
    """A table; null is a number that is withheld, or does not exist."""

    columns: list[str]
    rows: list[list[Any]]
    rows_left_out: Annotated[int, Field(description="whose numbers are all withheld")]


class StaffStatsAnswer(BaseModel):
    """The newest statistics; local counts below ``count_min`` are withheld."""

    as_of_position: Annotated[int, Field(description="of the log, of the newest event in it")]
    as_of_checks: Annotated[int, Field(description="of the log of checks")]
    recorded_at: Annotated[datetime | None, Field(description="of the newest event")]
    today: Annotated[date, Field(description="for which it was asked")]
    events: int
    parked: Annotated[int, Field(description="records that can't be counted")]
    count_min: int
    questions: dict[str, QuestionAnswer]


class SupervisionAnswer(StaffStatsAnswer):
    """What those who work with the ledger did; nothing is withheld."""

    unusual: Annotated[
        dict[str, int], Field(description="by question: rows of today and yesterday to ask about")
    ]


class StatsAnswer(StaffStatsAnswer):
    """The public statistics; local counts are multiples of ``count_min``, and withheld below."""

    charts: Annotated[
        dict[str, dict[str, dict[str, str]]],
        Field(description="chart, language, width: the name of its file"),
    ]
