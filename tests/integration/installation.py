"""A whole installation under load: `agentlocator run` with its status, and numbered frames from `agentlocator call`."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import time
from pathlib import Path

from support import PATIENCE, Process, ask_control, program, wait_until


class Installation:
    """`agentlocator run` with its status."""

    def __init__(self, place, workers=4, **settings):
        # Workers die here far more often than a crash loop would be allowed to. And one that gets no processor for two
        # seconds is no hang: on a machine that is busy with other tests the healthy would be killed, in mid-request.
        self.environment = {**place, "WS_MODE": "ECHO", "WORKERS": str(workers), "CRASH_LIMIT": "1000",
                            "HANG_TIMEOUT_MS": "60000", **settings}
        self.port = int(place["PORT"])
        self.count = workers
        self.run_dir = Path(place["AGENTLOCATOR_RUNTIME_DIR"])
        self.process = Process([self.binary(), "run"], env=self.environment)
        self.processes = [self.process]  # All there ever were.

    def __enter__(self):
        self.process.__enter__()
        wait_until(lambda: len(self.serving()) == self.count, lambda: f"not all serving:\n{self.process.output}")
        return self

    def __exit__(self, *details):
        return self.process.__exit__(*details)

    def binary(self):
        return program("agentlocator")

    def command(self, *arguments, code=0):
        done = subprocess.run([program("agentlocator"), *arguments], env=self.environment, capture_output=True,
                              text=True, timeout=90)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ask(self):
        """The status document. A supervisor that is busy, or is becoming another program, is waited for; None: it is dead.
        What is decided together must come from one answer: two are two moments."""
        deadline = time.monotonic() + PATIENCE
        while any(process.returncode is None for process in self.processes) and time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                code, document = ask_control(self.run_dir, "GET", "/status")
                if code == 200:
                    return document
            time.sleep(0.01)
        return None

    def status(self):
        return self.ask() or {"workers": [], "calls": {"live": -1, "lost": -1, "resumed": -1}}

    def serving(self):
        return [worker for worker in self.status()["workers"] if worker["state"] == "serving"]

    def pids(self):
        return {worker["pid"] for worker in self.serving()}

    def whole(self, count=None, without=(), folder=None):
        """Waits until exactly `count` workers are there and serve, none of `without`, all from `folder`; that status."""
        def look():
            status = self.status()
            workers = status["workers"]
            good = (len(workers) == (count or self.count) and all(worker["state"] == "serving" for worker in workers) and
                    not {worker["pid"] for worker in workers} & set(without))
            return status if good and (folder is None or folders_of(workers) == {folder}) else None

        return wait_until(look, lambda: f"not whole: {self.ask()}\n{self.process.output[-4000:]}")

    def load(self, seconds, calls=40, rate=60, arguments=("--expect", "echo")):
        return Process([program("agentlocator"), "call", "--url", f"http://127.0.0.1:{self.port}", "--calls",
                        str(calls), "--rate", str(rate), "--seconds", str(seconds), "--unique", "--json", "--quiet",
                        *map(str, arguments)], env=self.environment)


def folders_of(workers):
    """Where the programs of these workers lie: one name when it is the same for all, "gone" for those that ended since."""
    names = set()
    for worker in workers:
        try:
            names.add(Path(os.readlink(f"/proc/{worker['pid']}/exe").replace(" (deleted)", "")).parent.name)
        except OSError:
            names.add("gone")
    return names


def exact(load, seconds=120):
    """(exit code, summary) of a load whose streams must have come back byte for byte."""
    code = load.wait(seconds)
    assert "{" in load.output, load.output
    result = json.loads(load.output[load.output.index("{"):])
    frames = result["frames"]
    assert frames["sent"] > 0, json.dumps(result, indent=1)[:6000]
    wrong = [frames[name] for name in ("lost", "repeated", "reordered", "corrupt")]
    assert wrong == [0, 0, 0, 0], json.dumps(result, indent=1)[:6000]
    return code, result


def summary(load, seconds=120):
    """The same, and every call was healthy."""
    code, result = exact(load, seconds)
    assert code == 0, json.dumps(result, indent=1)[:6000]
    return result


# What a request is told whose connection died with its worker, or could not be sent any more.
DIED_WITH_WORKER = re.compile(r"had no answer: .*(Connection reset by peer|Broken pipe|Empty reply from server)")


def survived(result):
    """Of a load whose workers were killed: every call was healthy, but for callbacks that a dying worker had in hand.
    Those are not kept (ARCHITECTURE.md, "What survives what"), and no stream suffers by them."""
    lost = [each for each in result["violations"] if each["code"] == 15003 and DIED_WITH_WORKER.search(each["what"])]
    return (result["calls_lost"] == 0 and len(lost) == len(result["violations"]) and
            result["calls_healthy"] + sum(each["count"] for each in lost) >= result["calls"])


def disturbed_summary(load, seconds=120):
    """exact(), of a load whose workers were killed."""
    _, result = exact(load, seconds)
    assert survived(result), json.dumps(result, indent=1)[:6000]
    return result


def done_lines(installation):
    return re.findall(r"WS_DONE sid=(\S+)", installation.process.output)
