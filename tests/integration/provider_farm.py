"""The farm of fake services (tests/node/provider_farm.mjs) and the probe that drives our adapters against it."""

import json
import os
import select
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import support

KEYS = ("sk-test-0123456789abcdef", "dg-test-0123456789abcdef", "xi-test-0123456789abcdef", "az-test-0123456789abcdef",
        "ak-test-0123456789abcdef", "gk-test-0123456789abcdef", "gsk_test0123456789abcdef", "az-openai-0123456789abcdef")
OPENAI, DEEPGRAM, ELEVENLABS, AZURE, ANTHROPIC, GOOGLE, GROQ, AZURE_OPENAI = KEYS
ACCOUNT = "AC" + "0" * 32


# For a machine that is busy with other things. Who tests a deadline sets it.
PATIENT = {"first_token_ms": 50_000, "idle_ms": 50_000, "total_ms": 55_000, "first_audio_ms": 50_000}

CONNECT_TIMEOUT_MS = 30_000


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
        self._rest, self._over = b"", False
        self._changed = threading.Condition()
        self.child = subprocess.Popen(
            ["node", str(support.ROOT / "tests/node/provider_farm.mjs"), f"{self.folder}/server.pem",
             f"{self.folder}/server.key"],
            env=support.clean_environment(), stdout=subprocess.PIPE)
        os.set_blocking(self.child.stdout.fileno(), False)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = self.wait_for(lambda line: line["event"] == "ready")["port"]
        return self

    def _read(self):
        """So that the farm never waits for a reader."""
        while not self._over:
            select.select([self.child.stdout], [], [], 1)
            with self._changed:
                self._take()
                self._changed.notify_all()

    def _take(self):
        """All that was said so far. The farm says what it saw before it answers, and its pipe is written at once."""
        while not self._over:
            try:
                piece = os.read(self.child.stdout.fileno(), 65536)
            except BlockingIOError:
                return
            self._over = not piece
            *whole, self._rest = (self._rest + piece).split(b"\n")
            self.lines += [json.loads(line) for line in whole]

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
            self._take()
            return [line for line in self.lines if line["event"] == event]

    def url(self, scenario, path="", scheme="https"):
        return f"{scheme}://127.0.0.1:{self.port}/s/{scenario}{path}"

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self._reader.join()  # It ends with the pipe.
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
        self.child.stdin.write(json.dumps({**PATIENT, **request}) + "\n")
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


def probe(farm, scenario, **more):
    """A probe for which every service stands in that scenario of the farm."""
    settings = {
        "SSL_CERT_FILE": farm.ca,
        "PROVIDER_CONNECT_TIMEOUT_MS": CONNECT_TIMEOUT_MS,
        "OPENAI_API_KEY": OPENAI,
        "OPENAI_BASE_URL": farm.url(scenario, "/v1"),
        "OPENAI_TTS_MODEL": "tts-1",
        "OPENAI_REALTIME_URL": farm.url(scenario, "/v1/realtime", "wss"),
        "ANTHROPIC_API_KEY": ANTHROPIC,
        "ANTHROPIC_BASE_URL": farm.url(scenario),
        "GEMINI_API_KEY": GOOGLE,
        "GEMINI_BASE_URL": farm.url(scenario, "/v1beta"),
        "GOOGLE_API_KEY": GOOGLE,
        "GOOGLE_STT_ENDPOINT": farm.url(scenario),
        "GOOGLE_TTS_ENDPOINT": farm.url(scenario),
        "DEEPGRAM_API_KEY": DEEPGRAM,
        "DEEPGRAM_BASE_URL": farm.url(scenario),
        "ELEVENLABS_API_KEY": ELEVENLABS,
        "ELEVENLABS_BASE_URL": farm.url(scenario),
        "ELEVENLABS_VOICE_ID": "VOICE123",
        "AZURE_SPEECH_KEY": AZURE,
        "AZURE_SPEECH_ENDPOINT": farm.url(scenario),
        "AZURE_OPENAI_API_KEY": AZURE_OPENAI,
        "AZURE_OPENAI_ENDPOINT": farm.url(scenario),
        "AZURE_OPENAI_DEPLOYMENT": "chat",
        "OPENAI_API_VERSION": "2024-10-21",
        "GROQ_API_KEY": GROQ,
        "GROQ_BASE_URL": farm.url(scenario, "/openai/v1"),
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": "twilio-token-0123456789",
        "TWILIO_API_BASE_URL": farm.url(scenario),
    }
    settings.update(more)
    return Probe(**settings)


def no_secret(output):
    assert not [key for key in KEYS if key in output]
    assert "twilio-token" not in output
