"""A headless Chromium that shows a page at any width, steered over its debugging pipe; nothing but Debian's package."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_FLAGS = (
    "--headless",
    "--no-sandbox",  # tests run as root in containers; the page is our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--no-first-run",
    "--remote-debugging-pipe",
)


@dataclass
class Page:
    """A tab that shows one file at one width."""

    _to: IO[bytes]
    _from: IO[bytes]
    _session: str | None = None
    _sent: int = 0
    requests: list[str] = field(default_factory=list)
    """Addresses that the page asked for."""

    def show(
        self, file: Path, *, width: int, height: int = 900, scheme: Literal["light", "dark"] = "light", scale: float = 1
    ) -> None:
        """Load a file as a screen of that width (in CSS pixels) and colour scheme would."""
        screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Network.enable")
        self.call("Page.enable")
        self.requests.clear()
        self.call("Page.navigate", url=file.resolve().as_uri())
        self._wait_for("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        assert result.get("subtype") != "error", result
        return result.get("value")

    def screenshot(self, path: Path, *, width: int, height: int, top: int = 0, scale: float = 1) -> None:
        """Save what lies `height` CSS pixels below `top` as PNG."""
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": scale}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol and wait for its answer."""
        self._sent += 1
        message: dict[str, Any] = {"id": self._sent, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._sent:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])

    def open_tab(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def _wait_for(self, event: str) -> None:
        while self._read().get("method") != event:
            pass

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "Chromium ended"
            message += byte
        answer = dict(json.loads(message))
        if answer.get("method") == "Network.requestWillBeSent":
            self.requests.append(answer["params"]["request"]["url"])
        return answer


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page of a Chromium of its own, with its profile in the folder given."""
    assert CHROMIUM, "Chromium is not installed (Debian's package `chromium`)"
    commands_in, commands_out = os.pipe()
    answers_in, answers_out = os.pipe()
    # The protocol wants exactly these descriptors; bash is the plain way to number them (dash takes one digit only).
    wired = f'exec "$@" 3<&{commands_in} 4>&{answers_out}'
    command = ["bash", "-c", wired, "bash", CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(command, pass_fds=(commands_in, answers_out), stderr=subprocess.DEVNULL)
    os.close(commands_in)
    os.close(answers_out)
    with os.fdopen(commands_out, "wb") as to, os.fdopen(answers_in, "rb") as answers:
        try:
            page = Page(to, answers)
            page.open_tab()
            yield page
        finally:
            process.terminate()
            process.wait(timeout=30)
