"""Chromium over its DevTools protocol, driven by the keyboard."""

import asyncio
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

EXECUTABLE = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38}


class Browser:
    """A browser with one page at a time."""

    def __init__(self, profile: Path) -> None:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
        command = [str(EXECUTABLE), *options, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._loop = asyncio.new_event_loop()
        self._number = 0
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "DevTools listening on" in line:
                self._loop.run_until_complete(self._connect(line.split()[-1]))
                return
        raise RuntimeError("Chromium does not start")

    async def _connect(self, address: str) -> None:
        self._client = aiohttp.ClientSession()
        self._socket = await self._client.ws_connect(address, max_msg_size=0)

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()
        self._process.kill()
        self._process.communicate()

    def _command(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        return self._loop.run_until_complete(self._answer(message | ({"sessionId": session} if session else {})))

    async def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        await self._socket.send_str(json.dumps(message))
        while True:
            received = json.loads(await self._socket.receive_str(timeout=30))
            if received.get("id") == message["id"]:
                assert "error" not in received, received
                return received["result"]
            self._note(received)

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what a developer would see in the console, without statuses that requests are meant to get."""
        about = event["params"]
        if event["method"] == "Runtime.exceptionThrown":
            self.problems.append(about["exceptionDetails"]["text"])
        if event["method"] == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            self.problems.append(str(about["args"]))
        if event["method"] == "Log.entryAdded" and about["entry"]["source"] != "network":
            self.problems += [about["entry"]["text"]] if about["entry"]["level"] in ("error", "warning") else []

    def open(self, address: str, width: int = 1280, height: int = 844) -> None:
        """Open a page in a screen of a width."""
        self.problems: list[str] = []
        context = self._command("Target.createBrowserContext")["browserContextId"]
        target = self._command("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._page = self._command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.page("Runtime.enable")
        self.page("Log.enable")
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 640}
        self.page("Emulation.setDeviceMetricsOverride", **screen)
        self.page("Page.navigate", url=address)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def page(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give the page a command."""
        return self._command(method, self._page, **parameters)

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression."""
        result = self.page("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait for an expression to be true."""
        for _ in range(1000):
            if self.evaluate(script):
                return
            time.sleep(0.02)
        pytest.fail(f"{script}; {self.evaluate('document.body.innerText')}; {self.problems}")

    def text(self, selector: str) -> str:
        """Return what an element shows."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.page("Input.insertText", text=text)

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            about = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
            self.page("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": "\r"} if key == "Enter" else {}))
            self.page("Input.dispatchKeyEvent", type="keyUp", **about)
