"""The farm of fake services (tests/node/provider_farm.mjs) and the probe that drives our adapters against it."""

import json
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import support


def make_authority(folder):
    """A certificate authority of this test's own, and a certificate for 127.0.0.1 and localhost."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority",
            "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    (Path(folder) / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.pem")
    return Path(folder) / "ca.pem"


class Farm:
    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="al-farm-", dir="/tmp")
        self.ca = make_authority(self.folder)
        self.lines = []
        self._changed = threading.Condition()
        self.child = subprocess.Popen(
            ["node", str(support.ROOT / "tests/node/provider_farm.mjs"), f"{self.folder}/server.pem",
             f"{self.folder}/server.key"],
            env=support.clean_environment(), stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        self.port = self.wait_for(lambda line: line["event"] == "ready")["port"]
        return self

    def _read(self):
        for line in self.child.stdout:
            with self._changed:
                self.lines.append(json.loads(line))
                self._changed.notify_all()

    def wait_for(self, wanted, seconds=support.PATIENCE):
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for line in self.lines:
                    if wanted(line):
                        return line
                assert time.monotonic() < deadline, f"the farm saw only {self.lines}"
                self._changed.wait(0.05)

    def seen(self, event):
        with self._changed:
            return [line for line in self.lines if line["event"] == event]

    def url(self, scenario, path="", scheme="https"):
        return f"{scheme}://127.0.0.1:{self.port}/s/{scenario}{path}"

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Probe:
    """test-provider-probe with settings; ask() performs one request and gives its events."""

    def __init__(self, **settings):
        self.child = subprocess.Popen([support.program("test-provider-probe")],
                                      env=support.clean_environment(**settings), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.output = ""
        self.start = self._until("ready")

    def _until(self, event):
        events = []
        while True:
            line = self.child.stdout.readline()
            assert line, f"the probe ended: {self.child.wait()}\n{self.output}"
            self.output += line
            events.append(json.loads(line))
            if events[-1]["event"] == event:
                return events

    def ask(self, **request):
        self.begin(**request)
        return self._until("end")

    def begin(self, **request):
        """Asks, but does not wait; cancel() is the line that ends it ("cancel_on_line")."""
        self.child.stdin.write(json.dumps(request) + "\n")
        self.child.stdin.flush()

    def cancel(self):
        self.begin()
        return self._until("end")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        try:
            assert self.child.wait(support.PATIENCE) == 0
        finally:
            if self.child.poll() is None:
                self.child.kill()
                self.child.wait()
            self.child.stdout.close()


def only(events, kind):
    """The one event of that kind."""
    found = [event for event in events if event["event"] == kind]
    assert len(found) == 1, events
    return found[0]


def text_of(events):
    return "".join(event["text"] for event in events if event["event"] == "text")


