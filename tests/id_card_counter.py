"""A counter for identity cards that works on the log itself."""

from datetime import date

from domain.id_cards.application import IdCardApplication
from domain.id_cards.materials import Material
from domain.id_cards.people import Applicant
from domain.id_cards.submission import CollectionMethod, Submission
from ledger.commands.id_cards import IdCardCommands
from ledger.eventlog.log_access import complete
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
            ledger.access,
            ledger.event_mapper,
            blind_index=ledger.blind_index,
            workdays=workdays or MainlandWorkdays(),
        )
        draw = self.commands._new_receipt_number

        def noted():
            self.numbers.append(draw())
            return self.numbers[-1]

        self.commands._new_receipt_number = noted

    def accept(self, submission, command):
        complete(self.commands.accept(submission, command))
        return self.numbers[-1]

    def application(self, number) -> IdCardApplication:
        return complete(self.commands.application(number))

    def go(self, number, what, command, *more):
        """One step of the way."""
        return complete(getattr(self.commands, what)(number, *more, command))
