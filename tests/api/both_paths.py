"""Compares what the two paths to an endpoint answer: the direct one and FastAPI's."""

import re

OTHER_TYPE = "application/json; charset=utf-8"
"""A request that names its type like this takes FastAPI's path, with the same meaning."""

OWN_HEADERS = {
    *("connection", "content-length", "date", "x-correlation-id"),
    *("ledger-position", "ledger-head"),
    *("ledger-leaf-hash", "ledger-leaf-details", "ledger-promise"),
}
"""Positions, times, and what is made of them: of each, only that it is there is compared."""
_INSTANT = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|\+[0-9]{2}:[0-9]{2})")
_NUMBERS = re.compile(rb'"(as_of_position|position|head|next_before)":[0-9]+')
_MADE = re.compile(
    rb'"(check_id|receipt|challenge|card_code|access_token|leaf_hash|details|permit_number'
    rb'|holder_id|receipt_number)":"[^"]*"'
)


def comparable(response, **names):
    """Status, headers and body without what each answer has of its own: times, positions, and what
    is drawn at random; ``names`` of the record that was asked about become the names of that."""
    body = response.content
    for what, name in names.items():
        body = body.replace(name.encode(), what.encode())
    for each in (_INSTANT, _NUMBERS, _MADE):
        body = each.sub(lambda found: found[1] if found.re is not _INSTANT else b"T", body)
    headers = {
        name.lower(): None if name.lower() in OWN_HEADERS else value
        for name, value in response.headers.items()
    }
    if headers.get("retry-after"):
        headers["retry-after"] = None
    return response.status_code, headers, body
