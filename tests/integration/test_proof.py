"""The proof of bench/takeover, for some seconds: everything at once, and not a frame is lost."""

import json
import os
import subprocess

from support import BIN, ROOT


def test_everything_at_once_loses_nothing():
    done = subprocess.run(["/usr/bin/python3", ROOT / "bench/takeover/proof.py", "--seconds", "25", "--calls", "40"],
                          env={**os.environ, "AGENTLOCATOR_BIN": str(BIN)}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["calls_lost"] == result["calls_resumed"] == 0
    # How much harm fits into the time is a matter of the machine; each kind alone has tests of its own.
    assert result["done"]["kill"] >= 1 and sum(result["done"].values()) >= 4, result["done"]


def test_take_overs_leak_nothing():
    done = subprocess.run(["/usr/bin/python3", ROOT / "bench/takeover/leak.py", "--takeovers", "300", "--calls", "30",
                           "--workers", "2"],
                          env={**os.environ, "AGENTLOCATOR_BIN": str(BIN)}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["done"]["takeovers"] >= 300 and result["done"]["kills"] >= 1 and result["leaks"] == []
