"""Debian's Chromium, and pages that fail their test where anything goes wrong in them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 15_000
TAGS = {"en": "en-GB", "zh": "zh-CN"}
PHONE, DESK = {"width": 360, "height": 780}, {"width": 1280, "height": 900}

expect.set_options(timeout=PATIENCE_MS)  # a busy machine is slow


def required(found: Any, what: str) -> Any:
    """A tool that these tests can't do without: missing, they are skipped, and fail under CI."""
    if not found:
        reason = f"{what} is not here; ./dev test installs it"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found


@contextmanager
def chromium(playwright: Playwright, *flags: str) -> Iterator[Browser]:
    """Headless: the program without a desktop's parts, which costs a third of the whole browser."""
    path = required(shutil.which("chromium-headless-shell"), "Chromium's headless shell")
    browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
    yield browser
    browser.close()


class Visitor:
    """A user's browser, with storage of its own; ``complaints`` are the errors of its consoles,
    which include violations of the content security policy, and uncaught exceptions. A test states
    ``tolerates="409"`` where it expects to be refused."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        language: str = "en",
        scheme: Any = "light",
        tolerates: str | None = None,
        **more: Any,
    ) -> None:
        self.complaints: list[str] = []
        self._tolerates = tolerates
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            locale=TAGS[language],
            color_scheme=scheme,
            viewport=more.pop("viewport", PHONE),
            reduced_motion="reduce",
            **more,
        )
        self.context.set_default_timeout(PATIENCE_MS)

    def open(self, address: str) -> Page:
        page = self.context.new_page()
        page.on("console", lambda said: said.type == "error" and self._complain(said.text))
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.goto(address)
        return page

    def _complain(self, what: str) -> None:
        if self._tolerates is None or self._tolerates not in what:
            self.complaints.append(what)

    def leave(self) -> None:
        self.context.close()


def moving_picture(still: bytes, file: Path, frames: int = 12) -> None:
    """A camera's file (MJPEG) that shows a JPEG picture."""
    file.write_bytes(still * frames)
