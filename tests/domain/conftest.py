"""The givens of the domain's tests: made-up people, a counter in Binhu, noon in Shanghai.

``given_permit`` builds the state, ``when`` gives one command and returns what happened, and
``standing`` reads the permit on a day.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time

import pytest
from hypothesis import settings

from domain.application import Application
from domain.calendar import SHANGHAI, add_months
from domain.context import CommandContext
from domain.device import Device, FaceMatch
from domain.events import PermitEvent
from domain.permit import Permit
from domain.person import Identity, Residence
from domain.policy import Policy
from domain.standing import Facts, Standing
from permit_ledger.bootstrap.policy import load_policy

settings.register_profile("domain", database=None, deadline=None)
settings.load_profile("domain")

PERMIT_NUMBER = "7Q2M9K4T8XW5"


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Wuxi's policy, made-up people admitted."""
    return load_policy(synthetic_people=True)


@pytest.fixture(scope="session")
def national(policy: Policy) -> Policy:
    """The national regulations alone: no grace for a late endorsement."""
    return replace(policy, version="national-2016.1", late_grace_days=0)


@pytest.fixture(scope="session")
def on(policy: Policy) -> Callable[..., CommandContext]:
    """``on(day)``: officer-1 at a counter in Binhu, at noon of that day."""

    def on(day: date, under: Policy = policy) -> CommandContext:
        return CommandContext(
            actor="officer-1",
            station="320211-01",
            correlation_id=f"request-of-{day}",
            at=datetime.combine(day, time(12), SHANGHAI),
            policy=under,
        )

    return on


@pytest.fixture(scope="session")
def identity() -> Callable[..., Identity]:
    """``identity(**changes)``: a man born on 1990-01-01, with these changes."""

    def identity(**changes: object) -> Identity:
        person = Identity(
            name="欧阳测试",
            sex="1",
            ethnicity="01",
            birth_date=date(1990, 1, 1),
            citizen_id_number="990000199001010017",
            hukou_address="安徽省合肥市测试路1号",
        )
        return replace(person, **changes)

    return identity


@pytest.fixture(scope="session")
def child(identity: Callable[..., Identity]) -> Identity:
    """A boy born on 2008-02-29: sixteen from 2024-02-29 on."""
    return identity(
        name="测小明", birth_date=date(2008, 2, 29), citizen_id_number="990000200802290034"
    )


@pytest.fixture(scope="session")
def application(identity: Callable[..., Identity]) -> Callable[..., Application]:
    """``application(issued_on, **changes)``: all in order but for the changes."""

    def application(issued_on: date, **changes: object) -> Application:
        in_order = Application(
            identity=identity(),
            residence=Residence("320211", "蠡湖大道1号"),
            residence_registered_on=add_months(issued_on, -12),
            ground="employment",
            issued_on=issued_on,
        )
        return replace(in_order, **changes)

    return application


@pytest.fixture(scope="session")
def issue(
    application: Callable[..., Application], on: Callable[..., CommandContext]
) -> Callable[..., Permit]:
    """``issue(issued_on, **changes)``: the command, its event still pending."""

    def issue(issued_on: date, **changes: object) -> Permit:
        wanted = application(issued_on, **changes)
        return Permit.issue(PERMIT_NUMBER, "holder-1", wanted, on(issued_on))

    return issue


@pytest.fixture(scope="session")
def phone() -> Callable[[int], Device]:
    """``phone(n)``: one phone for each number."""

    def phone(number: int) -> Device:
        return Device(f"thumbprint-{number}", {"kty": "OKP", "crv": "Ed25519", "x": str(number)})

    return phone


@pytest.fixture(scope="session")
def face_match() -> FaceMatch:
    """The provider's yes."""
    return FaceMatch("identity-provider", 0.98, matched=True)


@pytest.fixture(scope="session")
def given_permit(
    issue: Callable[..., Permit],
    phone: Callable[[int], Device],
    face_match: FaceMatch,
    on: Callable[..., CommandContext],
) -> Callable[..., Permit]:
    """``given_permit(issued_on, claimed=False, **changes)``: issued, nothing pending."""

    def given_permit(issued_on: date, *, claimed: bool = False, **changes: object) -> Permit:
        permit = issue(issued_on, **changes)
        if claimed:
            permit.claim(phone(1), face_match, confirmed=True, context=on(issued_on))
        permit.collect_events()
        return permit

    return given_permit


@pytest.fixture(scope="session")
def when() -> Callable[..., Sequence[PermitEvent]]:
    """``when(permit.command, *arguments)``: the events that this one command caused."""

    def when(command: Callable[..., None], *args: object, **kwargs: object) -> list[PermitEvent]:
        permit = command.__self__
        permit.collect_events()
        command(*args, **kwargs)
        return permit.collect_events()

    return when


@pytest.fixture(scope="session")
def standing() -> Callable[[Permit, date], Standing]:
    """``standing(permit, day)``: how the permit stands on that day."""

    def standing(permit: Permit, day: date) -> Standing:
        return Standing(Facts.of(permit), day)

    return standing
