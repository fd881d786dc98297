"""What integration tests share: the real programs, started and always ended, and waits with a deadline.

Tests talk to loopback only, in a private folder and on a free port. No test sleeps for a fixed time: it waits for what
it needs, at most PATIENCE seconds, and shows what the program printed when that never comes.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("AGENTLOCATOR_BIN") or ROOT / "build" / "dev" / "bin").resolve()

# How long something that takes milliseconds may take on two busy cores under a thread sanitizer.
PATIENCE = 30.0


def program(name):
    path = BIN / name
    assert path.is_file(), f"{path} is not built; set AGENTLOCATOR_BIN to the folder of the programs"
    return str(path)


def wait_until(condition, what, seconds=PATIENCE, interval=0.01):
    """Calls `condition` until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(interval)


def free_port():
    """A port nobody listens on now. Ask as late as possible."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port, address="127.0.0.1"):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def is_alive(pid):
    """Neither gone nor a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def ask_control(runtime_dir, method, path, body=None, timeout=PATIENCE):
    """One request on the control socket: the status code, and the document or the text."""

    class Connection(http.client.HTTPConnection):
        def connect(self):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(str(Path(runtime_dir) / "control.sock"))

    connection = Connection("localhost")
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read().decode()
        is_json = answer.getheader("Content-Type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else text
    finally:
        connection.close()


# Where programs keep their data when a test names no folder: never in the home of whoever runs the tests.
DATA = tempfile.TemporaryDirectory(prefix="al-data-", dir="/tmp")


def clean_environment(**more):
    """What a program of ours needs, and nothing that leaks in from the shell of whoever runs the tests."""
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment["XDG_STATE_HOME"] = DATA.name
    environment.update({name: str(value) for name, value in more.items()})
    return environment


class Process:
    """A started program. Use as a context manager: at the end its whole process group is killed and reaped."""

    def __init__(self, argv, env=None, **options):
        self.argv = [str(part) for part in argv]
        self.runtime_dir = (env or {}).get("AGENTLOCATOR_RUNTIME_DIR")
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("start_new_session", True)
        self.child = subprocess.Popen(
            self.argv,
            env=clean_environment() if env is None else env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **options,
        )
        self.pid = self.child.pid
        self._text = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        # os.read: what is there now, without waiting for a full buffer.
        while True:
            data = os.read(self.child.stdout.fileno(), 65536)
            with self._changed:
                self._text += data.decode("utf-8", "replace")
                self._changed.notify_all()
            if not data:
                return

    @property
    def output(self):
        with self._changed:
            return self._text

    @property
    def returncode(self):
        return self.child.poll()

    def wait_for(self, pattern, seconds=PATIENCE, count=1):
        """Waits until `pattern` was printed `count` times; the last match."""
        expression = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                matches = list(expression.finditer(self._text))
                if len(matches) >= count:
                    return matches[count - 1]
                ended = not self._reader.is_alive()
                if ended or time.monotonic() > deadline:
                    state = f"ended with {self.child.poll()}" if ended else f"silent for {seconds} s"
                    raise AssertionError(f"{self.argv}: {state}, never printed {pattern!r}:\n{self._text}")
                self._changed.wait(0.05)

    def wait(self, seconds=PATIENCE):
        """The exit code, as subprocess gives it (-9: SIGKILL)."""
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.argv} still runs after {seconds} s:\n{self.output}") from None
        self._reader.join(seconds)
        return code

    def send(self, number):
        self.child.send_signal(number)

    def stop(self, seconds=PATIENCE):
        """SIGTERM, then the exit code."""
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def _end_survivors(self):
        """What a killed supervisor left for the next one: nothing of it may outlive its test."""
        try:
            records = json.loads((Path(self.runtime_dir or "/nowhere") / "children.json").read_text())
        except (OSError, ValueError):
            return
        if records["supervisor"]["pid"] == self.pid:
            for child in records["children"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child["pid"], signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f"--- output of {' '.join(self.argv)}\n{self.output}", file=sys.stderr)
        if self.child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.child.kill()
        self.child.wait()
        self._end_survivors()
        self._reader.join(1)
        if not self._reader.is_alive():  # A grandchild may still hold the pipe.
            self.child.stdout.close()


@contextlib.contextmanager
def private_folder():
    """Short on purpose: the path of a Unix socket in it has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="al-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def running_in(folder):
    """{pid: command line} of the processes of the installation in `folder`, whoever their parent is by now."""
    mark = f"AGENTLOCATOR_RUNTIME_DIR={folder}/".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and is_alive(entry.name) and b"\0" + mark in b"\0" + (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def assert_nothing_runs_in(folder):
    """A test ends what it started. What it forgot is ended here, and told."""
    try:
        wait_until(lambda: not running_in(folder), lambda: f"left behind: {running_in(folder)}", seconds=10)
    finally:
        for pid in running_in(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def installation_environment(folder):
    """The environment of an installation of its own: lock, runtime files, data and port apart from every other."""
    return clean_environment(
        AGENTLOCATOR_LOCK=folder / "lock",
        AGENTLOCATOR_RUNTIME_DIR=folder / "run",
        AGENTLOCATOR_DATA_DIR=folder / "data",
        PORT=free_port(),
        ENABLE_WA_BAILEYS="false",
        ENABLE_SPEECH_HELPER="false",  # Of no use to most; those who talk turn it on.
    )
