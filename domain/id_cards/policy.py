"""What of the rules for first identity cards may differ by place or change by decree."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdCardPolicy:
    """The notice's figures [C]; a policy file may have others under ``[id_cards]``."""

    provinces: tuple[str, ...] = ("31", "33", "34")
    """Whose residents may apply here (GB/T 2260): Shanghai, Zhejiang, Anhui. [C1]"""
    guardian_below_age: int = 16
    """[C4]"""
    due_working_days: int = 20
    """From acceptance to the card. [C8]"""
    fee_yuan: int = 0
    """[C7]"""
    due_soon_days: int = 5
    """So many calendar days before it is due, an application is worth a look. [D]"""

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: a figure that no policy can mean.
        """
        if not self.provinces:
            raise ValueError("provinces: at least one")
        if min(self.guardian_below_age, self.due_working_days, self.due_soon_days) < 1:
            raise ValueError("guardian_below_age, due_working_days, due_soon_days: above 0")
        if self.fee_yuan < 0:
            raise ValueError("fee_yuan: not below 0")
