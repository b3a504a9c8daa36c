"""A counter for identity cards that works on the log itself."""

from datetime import date

from domain.id_cards import receipt_number
from domain.id_cards.application import IdCardApplication
from domain.id_cards.materials import Material
from domain.id_cards.people import Applicant
from domain.id_cards.submission import CollectionMethod, Submission
from ledger.commands.id_cards import IdCardCommands
from ledger.crypto import randomness
from permit_ledger.bootstrap.workdays import MainlandWorkdays


def submission_of(number="990000199001010017"):
    """All in order, of a man born on 1990-01-01."""
    return Submission(
        applicant=Applicant("欧阳测试", "1", "01", date(1990, 1, 1), number),
        hukou_province="31",
        materials=frozenset({Material.HOUSEHOLD_REGISTER, Material.STUDY_PROOF}),
        proofs_without_photo=frozenset(),
        guardian=None,
        guardian_relation_registered=True,
        commitment_signed=True,
        ever_held_id_card=False,
        temporary_card_requested=False,
        collection=CollectionMethod.IN_PERSON,
    )


class Counter:
    """The commands for a thread; each gives the receipt number or the answer."""

    def __init__(self, ledger, workdays=None):
        self.numbers = []
        self.commands = IdCardCommands(
            ledger.event_log,
            ledger.event_mapper,
            blind_index=ledger.blind_index,
            workdays=workdays or MainlandWorkdays(),
            new_receipt_number=self._new_receipt_number,
        )
        self._blocking = ledger.loop.blocking(self.commands)

    def _new_receipt_number(self):
        self.numbers.append(receipt_number.draw(randomness.source.bits))
        return self.numbers[-1]

    def accept(self, submission, command):
        self._blocking.accept(submission, command)
        return self.numbers[-1]

    def application(self, number) -> IdCardApplication:
        return self._blocking.application(number)

    def go(self, number, what, command, *more):
        """One step of the way."""
        return getattr(self._blocking, what)(number, *more, command)
