"""One import run: each chunk of lines is validated row by row and appended as a whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from domain import permit_number
from domain.context import CommandContext
from domain.errors import AlreadyHoldsPermit, DomainError, HolderIsRestricted, InvalidDetails
from domain.permit import Permit
from ledger.commands.blocking import BlockingLedger
from ledger.commands.bulk import BulkAppender
from ledger.errors import AppendConflict
from ledger.eventlog.idempotency import IdempotencyKey, PendingAnswer
from ledger.eventlog.recognition import require_same_person
from ledger.eventlog.registry import ClaimHolder, Holder

from .csv_lines import Line
from .errors_file import ErrorsFile
from .first_occurrences import FirstOccurrences
from .rows import Row, explain, read_application, read_row, reference_problem

CALLER = "import"
"""The idempotency scope of imported rows, keyed by a digest of the reference."""


class RowRefused(Exception):
    """This row can't be imported: a code for programs, a reason for people."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A row whose permit may be appended."""

    row: Row
    key: IdempotencyKey
    citizen_index: bytes
    permit: Permit
    is_new: bool
    """Whether no holder with this number is on record."""


class ImportRun:
    """Counts rows by outcome; refused ones go to ``errors_file``."""

    def __init__(
        self,
        ledger: BlockingLedger,
        context: Callable[[int], CommandContext],
        header: tuple[str, ...],
        errors_file: ErrorsFile,
        first_occurrences: FirstOccurrences,
    ) -> None:
        self._ledger = ledger
        self._context = context
        self._header = header
        self._errors_file = errors_file
        self._first_occurrences = first_occurrences
        self.rows_read = self.imported = self.already_imported = 0

    def take(self, lines: Sequence[Line]) -> None:
        """Import a chunk: on return its good rows are durable and its bad ones reported."""
        self.rows_read += len(lines)
        rows = [row for line in lines if (row := self._row(line))]
        imported = self._imported_fingerprints(rows)
        holders = self._ledger.run(self._ledger.event_log.holders(map(self._citizen_index, rows)))
        candidates = []
        for row in rows:
            holder = holders.get(self._citizen_index(row))
            with self._reporting(row):
                candidate = self._judge(row, imported.get(self._retry_key(row)), holder)
                if candidate is None:
                    self.already_imported += 1
                else:
                    candidates.append(candidate)
        self._append(candidates)
        self._errors_file.flush()

    # -- judge ---------------------------------------------------------------------------------

    def _row(self, line: Line) -> Row | None:
        try:
            return read_row(line, self._header)
        except ValueError as reason:
            self._errors_file.add_unreadable(line, "UNREADABLE_ROW", str(reason))
            return None

    def _judge(self, row: Row, imported: bytes | None, holder: Holder | None) -> _Candidate | None:
        """Decide on a row; ``None`` if it was imported before, with the fingerprint ``imported``.

        Raises:
            RowRefused
        """
        if problem := reference_problem(row):
            raise RowRefused("INVALID_REQUEST", problem)
        reference, person = row.reference.encode(), self._citizen_index(row)
        if (line := self._first_occurrences.find(b"reference", reference)) is not None:
            raise RowRefused("DUPLICATE_REFERENCE", f"the same reference as on line {line}")
        if (line := self._first_occurrences.find(b"person", person)) is not None:
            raise RowRefused("DUPLICATE_PERSON", f"the same person as on line {line}")
        key = IdempotencyKey(CALLER, self._retry_key(row), self._fingerprint(row))
        candidate = None
        if imported is None:
            candidate = _Candidate(row, key, person, self._permit(row, holder), holder is None)
        else:
            _require_unchanged(imported, key)
        self._first_occurrences.note(b"reference", reference, row.line)
        self._first_occurrences.note(b"person", person, row.line)
        return candidate

    def _imported_fingerprints(self, rows: Iterable[Row]) -> dict[str, bytes]:
        """The fingerprints of the rows that were imported before, by idempotency key."""
        keys = [self._retry_key(row) for row in rows]
        kept = self._ledger.run(self._ledger.event_log.answers(CALLER, keys))
        return {key: fingerprint for key, (fingerprint, _) in kept.items()}

    def _permit(self, row: Row, holder: Holder | None) -> Permit:
        context = self._context(row.line)
        holder_id = holder.holder_id if holder else uuid4().hex
        try:
            application = read_application(row, context.today)
            number = permit_number.draw(secrets.randbits)
            permit = Permit.issue(number, holder_id, application, context)
            if holder and holder.permit_number is not None:
                raise AlreadyHoldsPermit
            if holder and holder.restricted:
                raise HolderIsRestricted
            if holder:
                self._require_same_person(holder, row)
        except InvalidDetails as invalid:
            raise RowRefused(invalid.code, explain(invalid.problems)) from None
        except DomainError as refused:
            raise RowRefused(refused.code, refused.detail) from None
        return permit

    def _require_same_person(self, holder: Holder, row: Row) -> None:
        """
        Raises:
            RegisterDiffers: the register gives this person another's record.
        """
        of = self._ledger.blind_index.of
        self._ledger.run(
            require_same_person(
                self._ledger.event_log,
                holder.holder_id,
                self._citizen_index(row),
                lambda permit: of(permit.identity.citizen_id_number),
            )
        )

    def _citizen_index(self, row: Row) -> bytes:
        return self._ledger.blind_index.of(row.citizen_id_number)

    def _retry_key(self, row: Row) -> str:
        return self._ledger.blind_index.retry_key(CALLER, row.reference)

    def _fingerprint(self, row: Row) -> bytes:
        return self._ledger.blind_index.fingerprint(row.canonical)

    # -- append --------------------------------------------------------------------------------

    def _append(self, candidates: Sequence[_Candidate]) -> None:
        try:
            self._write(candidates)
        except AppendConflict:
            # A concurrent command issued to one of these people: find out which, row by row. Or the
            # key-encryption key was changed.
            self._ledger.holder_keys.keyring.reload()
            for candidate in candidates:
                with self._reporting(candidate.row):
                    self._append_alone(candidate)

    def _append_alone(self, candidate: _Candidate) -> None:
        row, index = candidate.row, candidate.citizen_index
        if imported := self._imported_fingerprints([row]).get(candidate.key.key):
            _require_unchanged(imported, candidate.key)
            self.already_imported += 1
            return
        holder = self._ledger.run(self._ledger.event_log.holders([index])).get(index)
        permit = self._permit(row, holder)
        try:
            self._write([_Candidate(row, candidate.key, index, permit, holder is None)])
        except AppendConflict:
            reason = "this person's record was changed at the same time: import again"
            raise RowRefused("CONFLICT", reason) from None

    def _write(self, candidates: Sequence[_Candidate]) -> None:
        with BulkAppender(self._ledger) as bulk:
            for candidate in candidates:
                permit = candidate.permit
                take = ClaimHolder(candidate.citizen_index, permit.holder_id, permit.id)
                answer = PendingAnswer(
                    candidate.key, accepted=True, body=b"", version=permit.version
                )
                bulk.add(permit, [take], new_holder=candidate.is_new, answer=answer)
        self.imported += len(candidates)

    @contextmanager
    def _reporting(self, row: Row) -> Iterator[None]:
        """Report a refused row and go on."""
        try:
            yield
        except RowRefused as refused:
            self._errors_file.add(row.line, refused.code, refused.reason, row.cells)


def _require_unchanged(imported: bytes, key: IdempotencyKey) -> None:
    if not secrets.compare_digest(imported, key.fingerprint):
        reason = "the row has changed since it was imported: change the permit instead"
        raise RowRefused("CHANGED_SINCE_IMPORT", reason)
