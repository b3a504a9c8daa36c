"""No personal data is stored in the clear, and none at all of an erased holder."""

from tests.privacy.scenario import (
    CORRECTED_NAME,
    CORRECTED_NUMBER,
    NAME,
    NUMBER,
    PERSONAL,
    PICTURE_TEXT,
    PermitScenario,
)
from tests.privacy.traces import forms_of, traces_in, traces_of


def test_traces_are_found_in_every_form(tmp_path):
    """Otherwise finding none would prove nothing."""
    for number, content in enumerate(forms_of(NAME).values()):
        (tmp_path / f"{number}").write_bytes(b"\0 before " + content + b" behind \0")

    found = traces_in(tmp_path, NAME)

    assert {form in line for form in forms_of(NAME) for line in found} == {True, False}
    assert len(forms_of(NAME)) == len({line.split(" holds ")[0] for line in found})
    assert [] == traces_in(tmp_path, NUMBER)


def test_a_permits_life_stores_no_personal_data_in_the_clear(service, words, at_rest, thief):
    """Not in the tables, the WAL, the log of any process, a metric, or an error response; before
    the erasure and after it."""
    scenario = PermitScenario(service)
    scenario.play()

    folder = at_rest()
    assert [] != traces_in(folder, scenario.number)  # what may be found is: the search looks there
    assert [] == traces_in(folder, *PERSONAL)
    assert [] == traces_of(words(), *PERSONAL, *scenario.tokens)
    assert "request" in words()
    assert [] == traces_of(service.caller("operator").get("/metrics").text, *PERSONAL)
    assert [] == traces_of("\n".join(scenario.complaints), *PERSONAL, *scenario.tokens)
    assert len(scenario.complaints) > 10

    scenario.erase()

    folder = at_rest()
    assert [] == traces_in(folder, *PERSONAL)
    assert [] == traces_of(words(), *PERSONAL, *scenario.tokens)


def test_no_key_decrypts_anything_of_an_erased_person(service, thief):
    """With the database and every key file, everything is readable before an erasure, and nothing
    after it."""
    scenario = PermitScenario(service)
    scenario.play()
    assert service.is_in_step()
    loot = thief.loot()
    assert all(text in loot for text in (NAME, NUMBER, CORRECTED_NAME, PICTURE_TEXT))
    assert thief.finds(CORRECTED_NUMBER)
    log = thief.log()

    certificate = scenario.erase()

    wait_until_in_step(service, certificate["as_of_position"])
    loot = thief.loot()
    assert scenario.number in loot
    assert [] == traces_of(loot, *PERSONAL)
    assert not thief.finds(CORRECTED_NUMBER)
    assert not thief.finds(NUMBER)
    assert log == thief.log()[: len(log)]  # proofs stay valid


def test_old_copies_of_a_key_are_useless_without_their_kek(service, thief):
    """A backup, the WAL or a dead row holds the wrapped key for a while; it cannot be unwrapped
    once its key-encryption key is destroyed."""
    scenario = PermitScenario(service)
    scenario.play()
    copy = thief.wrapped_key(scenario.holder_id)
    scenario.erase()
    assert thief.wrapped_key(scenario.holder_id).wrapped is None
    assert thief.opens(copy)

    rotated = service.command("keys", "rotate")
    assert 0 == rotated.returncode, rotated.stderr
    destroyed = service.command("keys", "destroy", str(copy.kek_id))
    assert 0 == destroyed.returncode, destroyed.stderr

    assert not thief.opens(copy)
    assert service.caller("registrar").get(f"/v1/permits/{scenario.number}").is_success


def wait_until_in_step(service, position):
    """Wait until the views have applied the erasure."""
    registrar = service.caller("registrar", station="320211-01")
    found = {"citizen_id_number": CORRECTED_NUMBER}
    answer = registrar.post(f"/v1/permits/searches?min_position={position}", found)
    assert [] == answer.json()["permits"]
