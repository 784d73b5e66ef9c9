"""Open reports in Firefox, spoken to by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/).

Firefox speaks the protocol itself, so that no driver stands between. Commands are answered in
order, and events come in between: they are kept, as what the page said and asked for.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("firefox-esr", "firefox")
KEYS = {"ArrowDown": "\ue015", "ArrowUp": "\ue013", "Enter": "\ue007", "Tab": "\ue004"}
_PATIENCE_S = 60
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
# What Firefox asks for by itself, and what would make a page look otherwise from run to run.
_PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
    "ui.prefersReducedMotion": 1,
}
# Firefox tells of what a policy refused in no event of the protocol: the page itself hears of it.
_HEAR_REFUSALS = """() => addEventListener("securitypolicyviolation", (event) =>
  console.error(`refused ${event.violatedDirective} ${event.blockedURI}`))"""


def find_firefox() -> str:
    """Find a Firefox; a CI server must have one."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"Firefox is not installed (any of {', '.join(NAMES)})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def launched(profile: Path) -> Iterator["Firefox"]:
    """Run Firefox without a window and with a profile of its own."""
    lines = (f"user_pref({json.dumps(key)}, {json.dumps(on)});" for key, on in _PREFERENCES.items())
    (profile / "user.js").write_text("\n".join(lines), "utf-8")
    process = subprocess.Popen(
        (find_firefox(), "--headless", "--remote-debugging-port", "0", "--profile", str(profile)),
        # Run by root, it refuses a home that is somebody else's.
        env={**os.environ, "HOME": str(profile)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = (_LISTENING.search(line) for line in process.stderr)
        address = next((match[1] for match in told if match), None)
        assert address is not None, "Firefox ended before it listened"
        # What nobody reads would stop it when the pipe is full.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        with connect(f"{address}/session", max_size=None) as connection:
            yield Firefox(connection)
    finally:
        process.terminate()
        process.wait()


class Firefox:
    """A session with a running Firefox, and the page that is open in it."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._sent = 0
        self.said: list[str] = []
        self._requests: list[str] = []
        self._call("session.new", capabilities={})
        self._call("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self._call("script.addPreloadScript", functionDeclaration=_HEAR_REFUSALS)
        self._page: str = self._call("browsingContext.create", type="tab")["context"]
        self._call(
            "browsingContext.setViewport",
            context=self._page,
            viewport={"width": 1300, "height": 900},
        )

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        self._connection.send(json.dumps(message))
        while True:
            heard = json.loads(self._connection.recv(timeout=_PATIENCE_S))
            if heard["type"] == "event":
                self._hear(heard["method"], heard["params"])
            elif heard["id"] == self._sent:
                assert heard["type"] == "success", f"{method}: {heard}"
                result: dict[str, Any] = heard["result"]
                return result

    def _hear(self, event: str, told: Mapping[str, Any]) -> None:
        if event == "log.entryAdded":
            self.said.append(f"{told['level']}: {told['text']}")
        elif event == "network.beforeRequestSent" and told["context"] == self._page:
            self._requests.append(told["request"]["url"])

    @property
    def asked(self) -> list[str]:
        """What the page asked for; what an address holds itself is asked of nobody."""
        return [one for one in self._requests if not one.startswith("data:")]

    def open(self, address: str) -> None:
        """Go to a page, and forget what the one before it said."""
        self._go("about:blank")
        self.said.clear()
        self._requests.clear()
        self._go(address)

    def _go(self, address: str) -> None:
        self._call("browsingContext.navigate", context=self._page, url=address, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Give the value of an expression of JavaScript, or of its promise, as JSON has it."""
        done = self._call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._page},
            awaitPromise=True,
        )
        assert done["type"] == "success", done.get("exceptionDetails")
        told = done["result"]
        return json.loads(told["value"]) if told["type"] == "string" else None

    def wait_for(self, selector: str) -> None:
        """Wait until an element is there."""
        looked = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(
            f"""new Promise((done) => {{
              const look = () => {looked} ? done(true) : requestAnimationFrame(look);
              look();
            }})"""
        )

    def text(self, selector: str) -> str:
        """Give the text that is seen of an element."""
        found: str = self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    def click(self, selector: str) -> None:
        """Click on the middle of an element, by mouse."""
        x, y = self.evaluate(
            f"""(() => {{
              const one = document.querySelector({json.dumps(selector)});
              one.scrollIntoView({{ block: "center" }});
              const box = one.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2].map(Math.round);
            }})()"""
        )
        steps = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": steps})

    def press(self, key: str) -> None:
        """Press a key, where the focus is."""
        value = KEYS.get(key, key)
        steps = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._act({"type": "key", "id": "keys", "actions": steps})

    def _act(self, source: Mapping[str, Any]) -> None:
        self._call("input.performActions", context=self._page, actions=[source])
