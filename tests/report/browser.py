"""A real Chromium, driven over a pipe by its DevTools protocol: no further library is needed."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from cytocar.report.run.printing import QUIET, find_browser

SECONDS = 60
WIRE = """
import fcntl, os, sys
there, here = (fcntl.fcntl(int(place), fcntl.F_DUPFD, 10) for place in sys.argv[1:3])
os.dup2(there, 3)
os.dup2(here, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Become the browser, which reads commands from file descriptor 3 and answers on 4."""


class PageLeftError(Exception):
    """The page went to another before it had answered."""


@dataclass
class Wire:
    """The pipe to a browser that runs: what is asked of it, what it answers and tells."""

    to: int
    back: int
    number: int = 0
    rest: bytes = b""

    def send(self, asked: dict[str, Any]) -> int:
        """Ask for something and return the number that its answer will have."""
        self.number += 1
        os.write(self.to, json.dumps({"id": self.number, **asked}).encode() + b"\0")
        return self.number

    def message(self) -> dict[str, Any]:
        """Return the next message."""
        while b"\0" not in self.rest:
            assert select.select([self.back], [], [], SECONDS)[0], f"the browser has said nothing for {SECONDS} s"
            read = os.read(self.back, 1 << 20)
            assert read, "the browser went away"
            self.rest += read
        message, _, self.rest = self.rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@dataclass
class Browser:
    """One page in a browser, and everything that it said: console, exceptions, requests."""

    wire: Wire
    said: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    session: str = ""

    def call(self, method: str, **parameters: Any) -> Any:
        """Ask for something and return the answer; events on the way are noted."""
        of_page = {"sessionId": self.session} if self.session else {}
        number = self.wire.send({"method": method, "params": parameters, **of_page})
        while True:
            message = self.wire.message()
            if message.get("id") == number:
                if "navigated" in message.get("error", {}).get("message", ""):
                    raise PageLeftError
                assert "error" not in message, message
                return message["result"]
            if message.get("sessionId", "") == self.session:
                self._note(message)

    def run(self, script: str) -> Any:
        """Return the value of an expression on the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true on the page, which may be loaded anew meanwhile."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with suppress(PageLeftError):
                if self.run(condition):
                    return
            time.sleep(0.02)
        raise AssertionError(f"{condition} has not become true")

    def open(self, page: Path | str, *, width: int = 1200, height: int = 900) -> None:
        """Show a page in a window of this size, and wait until it stands."""
        self.resize(width=width, height=height)
        self.call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        self.wait_for("document.readyState == 'complete'")

    def resize(self, *, width: int, height: int) -> None:
        """Show the same page in a window of another size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def _note(self, event: dict[str, Any]) -> None:
        match event.get("method"):
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.said.append(json.dumps(event["params"]))
            case "Network.requestWillBeSent":
                self.requested.append(event["params"]["request"]["url"])


@cache
def _running() -> Wire:
    """Start the browser that all pages of this process share, each with cookies and a store of its own."""
    program = find_browser()
    if program is None or sys.platform == "win32":
        pytest.skip("no Chromium is installed here (on Debian: apt-get install chromium)")
    there, to = os.pipe()
    back, here = os.pipe()
    profile = TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
    told = [*QUIET, "--no-sandbox", f"--user-data-dir={profile.name}", "--remote-debugging-pipe", "about:blank"]
    wired = [sys.executable, "-c", WIRE, str(there), str(here), program, *told]
    process = subprocess.Popen(wired, pass_fds=(there, here), stderr=subprocess.DEVNULL)
    os.close(there)
    os.close(here)

    @atexit.register
    def end() -> None:
        os.close(to)
        process.terminate()
        process.wait(SECONDS)
        os.close(back)
        profile.cleanup()

    return Wire(to, back)


@contextmanager
def browser() -> Iterator[Browser]:
    """Open an empty page of a browser that knows nothing of other pages; skip the test where none is installed."""
    window = Browser(_running())
    profile = window.call("Target.createBrowserContext")["browserContextId"]
    target = window.call("Target.createTarget", url="about:blank", browserContextId=profile)["targetId"]
    opened = Browser(
        window.wire, session=window.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    )
    for domain in ("Page", "Runtime", "Log", "Network"):
        opened.call(f"{domain}.enable")
    try:
        yield opened
    finally:
        window.call("Target.disposeBrowserContext", browserContextId=profile)
