"""A replay of the log written by hand: slow, simple, and without any code that it is to verify.

A permit is a dictionary, an event is its JSON, and the calendar is ``datetime``.
"""

import calendar
from datetime import UTC, date, datetime, time, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8))
CARD = ("card-reported-lost", "loss-lifted", "card-reissued", "card-replaced")


def replay(log, permit_number, at, known_at):
    """What the permit was; ``None`` for none. ``log`` holds ``(stream, version, topic, state)``."""
    known = [
        (version, topic.split(".")[1], state)
        for stream, version, topic, state in log
        if stream == permit_number and instant(state["timestamp"]) <= known_at
    ]
    if not known:
        return None
    issued = start_of(known[0][2]["anchor"])
    happened = []
    for version, kind, state in known:
        recorded = instant(state["timestamp"])
        if kind in {"issued", "identity-corrected"}:
            when = issued
        elif kind == "endorsed":
            when = start_of(state["endorsed_on"])
        elif kind == "address-changed":
            when = max(issued, start_of(state["moved_on"]))
        elif kind == "card-reported-lost" and state["lost_on"]:
            # Not before this very card was made, or was found the last time.
            of_card = [earlier for earlier, _, other, _ in happened if other in CARD]
            when = max([start_of(state["lost_on"]), issued, *of_card])
        else:
            when = recorded
        happened.append((when, version, kind, state))
        if kind == "identity-corrected":
            happened.append((recorded, version, "card-outdated", state))
    true = [each for each in happened if each[0] <= at]
    if not true:
        return None
    permit = {}
    for _, _, kind, state in sorted(true, key=lambda each: each[:2]):
        change(permit, kind, state)
    permit["version"] = max(version for _, version, _, _ in true)
    return standing(permit, at.astimezone(SHANGHAI).date())


def change(permit, kind, state):  # noqa: PLR0912  one branch a kind of event
    """One more event, as it says itself."""
    match kind:
        case "issued":
            permit.update(
                term=(state["anchor"], state["years"]),
                endorsements=state["years"] - 1,
                card=state["card_serial"],
                lost=False,
                stale=False,
                claimed=False,
                phones=set(),
                end=None,
                name=state["identity"]["name"],
                number=state["identity"]["citizen_id_number"],
                home=(state["residence"]["division"], state["residence"]["address"]),
            )
        case "electronic-claimed" | "device-bound":
            permit["claimed"] = True
            permit["phones"] = permit["phones"] | {state["device"]["thumbprint"]}
        case "device-revoked":
            permit["phones"] = permit["phones"] - {state["thumbprint"]}
        case "endorsed":
            permit["term"] = (state["anchor"], state["years"])
            permit["endorsements"] += 1
        case "card-reported-lost":
            permit["lost"] = True
        case "loss-lifted":
            permit["lost"] = False
        case "card-reissued" | "card-replaced":
            permit.update(card=state["card_serial"], lost=False, stale=False)
        case "address-changed":
            permit["home"] = (state["residence"]["division"], state["residence"]["address"])
        case "identity-corrected":
            permit["name"] = state["name"] or permit["name"]
            permit["number"] = state["citizen_id_number"] or permit["number"]
        case "card-outdated":
            if any(state[field] for field in ("name", "citizen_id_number", "sex", "birth_date")):
                permit["stale"] = True
        case "cancelled":
            permit["end"] = "ended"
        case "voided":
            permit["end"] = "voided"
        case "card-delivered":
            pass


def standing(permit, today):
    """What follows from it on a day."""
    anchor, years = permit["term"]
    anniversary = add_years(date.fromisoformat(anchor), years)
    overdue = today >= anniversary
    in_force = permit["end"] is None and not overdue
    if permit["end"]:
        phone = "ended"
    elif not permit["claimed"]:
        phone = "unclaimed"
    else:
        phone = "use_suspended" if overdue else "active"
    card = "ended" if permit["end"] else "reported_lost" if permit["lost"] else "issued"
    return {
        "version": permit["version"],
        "status": permit["end"] or ("use_suspended" if overdue else "in_force"),
        "anchor": anchor,
        "valid_until": (anniversary - timedelta(days=1)).isoformat(),
        "endorsements": permit["endorsements"],
        "physical": (permit["card"], card, in_force and not permit["lost"] and not permit["stale"]),
        "electronic": (phone, in_force and permit["claimed"], len(permit["phones"])),
        "name": permit["name"],
        "citizen_id_number": permit["number"],
        "home": permit["home"],
        "identity_stale": permit["stale"],
    }


def add_years(day, years):
    """Clamped: 29 February becomes the 28th."""
    last = calendar.monthrange(day.year + years, day.month)[1]
    return date(day.year + years, day.month, min(day.day, last))


def instant(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def start_of(day):
    return datetime.combine(date.fromisoformat(day), time(), SHANGHAI)
