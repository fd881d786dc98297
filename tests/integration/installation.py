"""A whole installation under load: `agentlocator run` with its status, and numbered frames from `agentlocator call`."""

import json
import re
import subprocess

from support import Process, program, wait_until


class Installation:
    """`agentlocator run` with its status."""

    def __init__(self, place, workers=4, **settings):
        # Workers die here far more often than a crash loop would be allowed to.
        self.environment = {**place, "WS_MODE": "ECHO", "WORKERS": str(workers), "CRASH_LIMIT": "1000", **settings}
        self.port = int(place["PORT"])
        self.count = workers
        self.process = Process([self.binary(), "run"], env=self.environment)

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

    def status(self):
        done = subprocess.run([program("agentlocator"), "status", "--json"], env=self.environment,
                              capture_output=True, text=True, timeout=30)
        return json.loads(done.stdout) if done.stdout.startswith("{") else {"workers": [], "calls": {"live": -1}}

    def serving(self):
        return [worker for worker in self.status()["workers"] if worker["state"] == "serving"]

    def load(self, seconds, calls=40, rate=200, arguments=("--expect", "echo")):
        return Process([program("agentlocator"), "call", "--url", f"http://127.0.0.1:{self.port}", "--calls",
                        str(calls), "--rate", str(rate), "--seconds", str(seconds), "--unique", "--json", "--quiet",
                        *map(str, arguments)], env=self.environment)


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


def done_lines(installation):
    return re.findall(r"WS_DONE sid=(\S+)", installation.process.output)
