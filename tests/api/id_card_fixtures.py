"""The givens of the counter for first identity cards."""

import pytest

from tests.waiting import until

PATH = "/v1/id-card-applications"
KNOWN = {"birth_date": "1990-01-01"}
"""What an applicant says to see the progress."""
SOON_S = 1
WAY = ["dispatches", "approvals", "productions", "arrivals"]
IN_PERSON = {
    "by": "applicant",
    "receipt_shown": True,
    "details_checked": True,
    "fingerprint_checked": True,
    "signed": True,
}


def refused(answer, status=409):
    assert status == answer.status_code, answer.text
    assert "application/problem+json" == answer.headers["content-type"]
    return answer.json()


@pytest.fixture
def brought(application):
    """``brought(**changes)``: a grown-up's papers, all in order; a new person each time."""

    def brought(**changes):
        holder = application()["holder"]
        applicant = {
            name: holder[name]
            for name in ("name", "sex", "ethnicity", "birth_date", "citizen_id_number")
        }
        return {
            "applicant": {**applicant, "hukou_province": "31"},
            "materials": ["household_register", "employment_proof"],
            "commitment_signed": True,
            "ever_held_id_card": False,
            "collection": {"method": "in_person"},
            **changes,
        }

    return brought


@pytest.fixture
def accept(registrar, brought):
    """``accept(**changes)``: the answer's body."""

    def accept(**changes):
        answer = registrar.post(PATH, brought(**changes))
        assert answer.status_code == 201, answer.text
        return answer.json()

    return accept


@pytest.fixture
def step(registrar):
    """``step(application, "dispatches", **body)``: whatever the answer is."""

    def step(application, what, **body):
        return registrar.post(f"{PATH}/{application['receipt_number']}/{what}", body)

    return step


@pytest.fixture
def arrived(accept, step):
    """``arrived(**changes)``: a card that waits."""

    def arrived(**changes):
        application = accept(**changes)
        for what in WAY:
            assert step(application, what).status_code == 200
        return application

    return arrived


@pytest.fixture
def progress(http):
    """``progress(application)``: the progress by receipt number and birth date, without a token.
    Other tests may have spent this machine's allowance, of which something is left soon."""

    def progress(application, **parameters):
        path = f"{PATH}/{application['receipt_number']}/progress"
        answers = []

        def is_answered():
            answers.append(http.get(path, params=KNOWN | parameters))
            is_refused = answers[-1].status_code == 429
            return not is_refused or int(answers[-1].headers["Retry-After"]) > SOON_S

        until(is_answered, wait_s=10)
        return answers[-1]

    return progress
