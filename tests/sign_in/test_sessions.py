"""Which sessions a provider's logout ends."""

import asyncio

import pytest

from api.http.roles import Role
from api.http.tokens import Principal
from api.sign_in.sessions import ProviderAccount, Session, Sessions
from ledger.database.connections import as_service
from projections.queries.permits import read_pool

SESSION = Session(Principal("a", frozenset(), expires_at=4e9), Role.OPERATOR, "csrf", None)


@pytest.mark.parametrize(
    ("ended", "left"),
    [
        (ProviderAccount("a"), ["other account"]),
        (ProviderAccount("a", "s1"), ["other account", "other session"]),
        (ProviderAccount("", "s1"), ["other account", "other session", "unnamed session"]),
    ],
)
def test_a_logout_ends_the_session_that_it_names(database_url, ended, left):
    """A session whose provider has not named its own ends with any of its account's."""

    async def test():
        async with read_pool(as_service(database_url), connections_max=1) as pool:
            sessions = Sessions(pool, bytes(32))
            begun = {
                "named session": await sessions.begin(SESSION, ProviderAccount("a", "s1")),
                "other session": await sessions.begin(SESSION, ProviderAccount("a", "s2")),
                "unnamed session": await sessions.begin(SESSION, ProviderAccount("a")),
                "other account": await sessions.begin(SESSION, ProviderAccount("b", "s3")),
            }
            await sessions.end_all(ended)
            return {name for name in begun if await sessions.of(begun[name]) is not None}

    assert set(left) == asyncio.run(test())
