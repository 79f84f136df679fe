"""A page in a real browser: Chromium without a screen, spoken to over pipes (--remote-debugging-pipe)."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--remote-debugging-pipe",
           "--disable-background-networking", "--disable-dev-shm-usage", "--window-size=1200,900"]
PATIENCE = 120.0        # seconds for an answer


class Browser:
    """One tab. `errors` are exceptions, warnings and errors on the console, violations of the page's policy;
    `asked` the addresses that it asked for."""

    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="hpcglass-browser-")
        theirs_in, self.out = os.pipe()
        self.back, theirs_out = os.pipe()

        high_in, high_out = (os.dup(fd) for fd in (theirs_in, theirs_out))
        command = [CHROMIUM, *OPTIONS, f"--user-data-dir={self.profile}", "about:blank"]
        script = f'exec 3<&{high_in} 4>&{high_out}; exec "$@"'
        self.process = subprocess.Popen(["bash", "-c", script, "bash", *command], pass_fds=[high_in, high_out],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (theirs_in, theirs_out, high_in, high_out):
            os.close(fd)
        self.buffer, self.number, self.errors, self.asked, self.loaded = b"", 0, [], [], False
        tab = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        os.close(self.out)
        os.close(self.back)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if hasattr(self, "session"):
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def receive(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.back], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self.back, 1 << 20)
            assert part, "the browser has gone"
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        told = json.loads(message)
        self.note(told.get("method"), told.get("params", {}))
        return told

    def note(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(params["args"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"])
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded = True

    def open(self, path):
        self.loaded, self.asked = False, []
        self.call("Page.navigate", url=path.absolute().as_uri())
        while not self.loaded:
            self.receive()

    def value(self, expression):
        """What an expression of JavaScript is."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key, code):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, path, selector=None):
        clip = {}
        if selector:
            box = self.value(f"(() => {{const r = document.querySelector({selector!r}).getBoundingClientRect();"
                             "return [r.x + scrollX, r.y + scrollY, r.width, r.height]})()")
            clip = {"clip": dict(zip(("x", "y", "width", "height"), box, strict=True), scale=1), "captureBeyondViewport": True}
        else:
            height = min(self.value("document.documentElement.scrollHeight"), 8000)
            clip = {"clip": {"x": 0, "y": 0, "width": 1200, "height": height, "scale": 1}, "captureBeyondViewport": True}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", **clip)["data"]))
