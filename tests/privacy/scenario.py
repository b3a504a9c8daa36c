"""A permit from issue to erasure over HTTP, with values recognisable anywhere, and mistakes."""

import base64
import random
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from PIL import Image

from tests.api.phones import claim
from tests.api.service import Caller, Service

NAME = "欧阳测试"
NUMBER = "990000199001010017"
CORRECTED_NAME = "欧阳验证"
CORRECTED_NUMBER = "990000199001010033"
GUARDIAN = "上官试验"
GUARDIAN_NUMBER = "990000197001010018"
HUKOU = "安徽省合肥市蜀山区识别路一号"
HOME = "蠡湖大道识别新村八号"
NEW_HOME = "太湖大道识别新村九号"
FINDING = "识别伪造租赁合同"
PICTURE_TEXT = "3141592653589793238462643383279502884197169399375105820974944592"


def _picture() -> bytes:
    """A picture whose bytes contain a text, also once its pixels are encoded again: noise is stored
    as it is, and a row that rises by the text's bytes is stored as these differences."""
    side = len(PICTURE_TEXT)
    pixels = bytearray(random.Random(1).randbytes(side * side))  # noqa: S311
    value = 0
    for at, difference in enumerate(PICTURE_TEXT.encode(), start=side):
        value = (value + difference) % 256
        pixels[at] = value
    content = BytesIO()
    Image.frombytes("L", (side, side), bytes(pixels)).save(content, "PNG")
    return content.getvalue()


PICTURE = _picture()

PERSONAL = (
    *(NAME, NUMBER, CORRECTED_NAME, CORRECTED_NUMBER, GUARDIAN, GUARDIAN_NUMBER),
    *(HUKOU, HOME, NEW_HOME, FINDING, PICTURE_TEXT),
)
"""Texts that must not be stored anywhere in the clear."""


@dataclass
class PermitScenario:
    """One holder's permit, and the service's answers to mistakes."""

    service: Service
    number: str = ""
    holder_id: str = ""
    complaints: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registrar = self._caller("registrar", station="320211-01")
        self.verifier = self._caller("verifier")
        self.operator = self._caller("operator")
        self.investigator = self._caller("investigator", case="2026-17")

    def play(self) -> None:
        """Issued, claimed, lost, found, reissued, moved, corrected, checked."""
        self._mistakes_before()
        issued = self._done(self.registrar.post("/v1/permits", application()))
        self.number, self.holder_id = issued["permit_number"], issued["holder_id"]
        holder = self._caller("holder", holder_id=self.holder_id)
        path = f"/v1/permits/{self.number}"
        self._done(claim(holder, self.number))
        self._check(1)
        for act in ("loss-reports", "loss-lifts", "loss-reports", "reissues", "card-deliveries"):
            self._done(self.registrar.post(f"{path}/{act}"))
        moved = {
            "residence": {"division": "320213", "address": NEW_HOME},
            "moved_on": "2026-01-20",
        }
        self._done(self.registrar.post(f"{path}/address-changes", moved))
        corrected = {"name": CORRECTED_NAME, "citizen_id_number": CORRECTED_NUMBER}
        position = self._done(self.registrar.post(f"{path}/identity-corrections", corrected))
        self._check(2)
        for track in ("physical", "electronic"):
            seen = self.registrar.get(f"{path}/{track}", min_position=position["as_of_position"])
            assert (CORRECTED_NAME, NEW_HOME) == (
                seen.json()["name"],
                seen.json()["residence"]["address"],
            )
        found = self.registrar.post("/v1/permits/searches", {"citizen_id_number": CORRECTED_NUMBER})
        assert [self.number] == [permit["permit_number"] for permit in found.json()["permits"]]
        self._mistakes_after(path, holder)

    def void(self) -> None:
        """Void another holder's permit, who is not erased."""
        found = {"finding": FINDING}
        self._done(self.registrar.post(f"/v1/permits/{self.number}/voidings", found))

    def erase(self) -> dict[str, Any]:
        """Erase the holder; return the certificate."""
        order = {"legal_basis": "个人信息保护法第四十七条", "case": "2026-17"}
        path = f"/v1/audit/holders/{self.holder_id}"
        self._done(self.investigator.post(f"{path}/restrictions", order))
        naming = {"legal_basis": f"申请人{CORRECTED_NAME}", "case": CORRECTED_NUMBER}
        self._refused(self.investigator.post(f"{path}/restrictions", naming))
        self._done(self.operator.post(f"{path}/erasures", order))
        return self._done(self.investigator.post(f"{path}/erasures", order))

    def _mistakes_before(self) -> None:
        """Personal data typed into the wrong fields and sent in headers."""
        post = self.registrar.post
        self._refused(post("/v1/permits", {**application(), "note": NAME}))
        wrong = application()
        wrong["holder"] = {**wrong["holder"], "birth_date": "1991-01-01"}
        self._refused(post("/v1/permits", wrong, idempotency_key=f"issue-{NUMBER}"))
        self._refused(post("/v1/permits", {**application(), "ground": NAME}))
        self._refused(
            post("/v1/permits", {**application(), "residence_registered_on": None}),
        )
        self._refused(self.registrar.send("/v1/permits", f'{{"holder": "{NAME}'.encode()))
        self._refused(
            post("/v1/permits", {**application(), "ground": None}, x_correlation_id=NUMBER)
        )
        self._refused(self.registrar.get(f"/v1/permits/{NUMBER}"))
        self._refused(self.registrar.get(f"/v1/{NAME}/{NUMBER}"))
        self._refused(self.registrar.get("/v1/permits", name=NAME))
        self._refused(
            self.registrar.http.get("/v1/me/permit", headers={"Authorization": f"Bearer {NUMBER}"})
        )

    def _mistakes_after(self, path: str, holder: Caller) -> None:
        twice = {**application(), "holder": {**application()["holder"], "name": CORRECTED_NAME}}
        twice["holder"]["citizen_id_number"] = CORRECTED_NUMBER
        self._refused(
            self.registrar.post("/v1/permits", twice, idempotency_key=f"{CORRECTED_NUMBER}-again")
        )
        wrong = {"scenario": NAME, "track": "physical", "permit_number": NUMBER, "card_serial": 1}
        answer = self.verifier.post("/v1/verifications", wrong)
        assert "not_effective" == answer.json()["outcome"]
        self._refused(holder.post(f"{path}/electronic/device-revocations", {"device": NUMBER}))
        self._refused(self.registrar.post(f"{path}/identity-corrections", {"name": f"{NAME}!"}))

    def _check(self, card_serial: int) -> None:
        asked = {
            "scenario": "law_enforcement",
            "track": "physical",
            "permit_number": self.number,
            "card_serial": card_serial,
        }
        assert 200 == self.verifier.post("/v1/verifications", asked).status_code

    def _caller(self, role: str, **claims: Any) -> Caller:
        caller = self.service.caller(role, **claims)
        self.tokens.append(caller.headers["Authorization"].removeprefix("Bearer "))
        return caller

    def _done(self, answer: Any) -> dict[str, Any]:
        assert answer.is_success, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def _refused(self, answer: Any) -> None:
        assert 400 <= answer.status_code < 500, answer.text
        self.complaints.append(answer.text)


def application() -> dict[str, Any]:
    """With a guardian and a picture."""
    return {
        "holder": {
            "name": NAME,
            "sex": "1",
            "ethnicity": "01",
            "birth_date": "1990-01-01",
            "citizen_id_number": NUMBER,
            "hukou_address": HUKOU,
            "portrait": base64.b64encode(PICTURE).decode(),
        },
        "residence": {"division": "320211", "address": HOME},
        "residence_registered_on": "2020-01-15",
        "ground": "employment",
        "issued_on": "2026-01-05",
        "guardian": {"name": GUARDIAN, "citizen_id_number": GUARDIAN_NUMBER},
    }
