"""Before anything is published, or after it was deleted: retry later, and never a 500."""

import asyncio

import pytest

from api.http.streams import Streams
from api.operations.published import Published, StatsFeed

STATS = b'{"as_of_position":1}'


@pytest.fixture
def published(tmp_path):
    return Published(tmp_path / "published")


def test_statistics_are_unavailable_until_published(published, tmp_path):
    """No folder, an empty folder, a file; and unavailable again once it is gone."""

    async def look():
        seen = [await published.stats(), await published.file("losses.csv")]
        folder = tmp_path / "published"
        folder.mkdir()
        seen.append(await published.stats())
        (folder / "stats.json").write_bytes(STATS)
        seen.append((await published.stats()).content)
        (folder / "stats.json").unlink()
        return [*seen, await published.stats()]

    assert [None, None, None, STATS, None] == asyncio.run(look())


def test_a_file_that_is_too_large_is_not_read(published, tmp_path, monkeypatch):
    """Whatever program has put it there."""
    monkeypatch.setattr("api.operations.published.FILE_BYTES_MAX", 10)
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "losses.csv").write_bytes(b"x" * 11)
    (tmp_path / "published" / "due.csv").write_bytes(b"x" * 10)

    assert asyncio.run(published.file("losses.csv")) is None
    assert b"x" * 10 == asyncio.run(published.file("due.csv"))


def test_the_folder_is_not_read_without_listeners(published, tmp_path, monkeypatch):
    """A new listener gets the statistics at once."""
    looks = []
    monkeypatch.setattr("api.operations.published.PAUSE_S", 0.01)
    stats = published.stats

    async def look():
        looks.append(1)
        return await stats()

    monkeypatch.setattr(published, "stats", look)

    async def listen():
        listeners = Streams()
        feed = StatsFeed(published, listeners)
        running = asyncio.create_task(feed.run())
        await asyncio.sleep(0.05)
        before = len(looks)
        (tmp_path / "published").mkdir()
        (tmp_path / "published" / "stats.json").write_bytes(STATS)
        feed.stream("a client")
        with listeners.open("another") as stream:
            assert await stream.woken(10)
            sent = feed.latest
        running.cancel()
        return before, sent

    before, sent = asyncio.run(listen())
    assert 0 == before
    assert sent.startswith(b"event: stats")
