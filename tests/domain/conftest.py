"""Fixtures of the domain's tests: the people, policies and commands of :mod:`scenario`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("tests.domain.scenario")

from domain.application import Application  # noqa: E402
from domain.calendar import add_months  # noqa: E402
from domain.context import CommandContext  # noqa: E402
from domain.device import Device, FaceMatch  # noqa: E402
from domain.permit import Permit  # noqa: E402
from domain.person import Identity, Residence  # noqa: E402
from domain.policy import Policy  # noqa: E402
from domain.standing import Facts, Standing  # noqa: E402
from tests.domain import scenario  # noqa: E402

settings.register_profile("domain", database=None, deadline=None)
settings.load_profile("domain")


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Wuxi's policy, made-up people admitted."""
    return scenario.POLICY


@pytest.fixture(scope="session")
def national(policy: Policy) -> Policy:
    """The national regulations alone: no grace for a late endorsement."""
    return replace(policy, version="national-2016.1", late_grace_days=0)


@pytest.fixture(scope="session")
def on() -> Callable[..., CommandContext]:
    """``on(day)``: see :func:`scenario.on`."""
    return scenario.on


@pytest.fixture(scope="session")
def identity() -> Callable[..., Identity]:
    """``identity(**changes)``: a man born on 1990-01-01, with these changes."""

    def identity(**changes: object) -> Identity:
        return replace(scenario.IDENTITY, **changes)

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
        return Permit.issue(scenario.PERMIT_NUMBER, "holder-1", wanted, on(issued_on))

    return issue


@pytest.fixture(scope="session")
def phone() -> Callable[[int], Device]:
    """``phone(n)``: one phone for each number."""
    return scenario.phone


@pytest.fixture(scope="session")
def face_match() -> FaceMatch:
    """The provider's yes."""
    return scenario.FACE_MATCH


@pytest.fixture(scope="session")
def standing() -> Callable[[Permit, date], Standing]:
    """``standing(permit, day)``: how the permit stands on that day."""

    def standing(permit: Permit, day: date) -> Standing:
        return Standing(Facts.of(permit), day)

    return standing
