"""A kernel that does not count a socket's bytes, as a sandbox in user space may be: noticed at the start, said once, and
survived by the last resort."""

import json
import os
import re
import signal

from installation import Installation, exact
from support import wait_until

CALLS = 20


def test_the_calls_of_a_dead_worker_are_connected_again(place):
    with Installation(place, workers=4, AGENTLOCATOR_BLIND_KERNEL="1") as installation:
        (problem,) = [p for p in installation.status()["problems"] if p["code"] == "kernel_blind"]
        assert "miscounts" in problem["cause"] and problem["remedy"]
        assert installation.process.output.count("this kernel miscounts") == 1
        with installation.load(seconds=6, calls=CALLS) as load:
            wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
            # Letting go of a call needs no counts: nobody is connected again by a rolling restart.
            before = {worker["pid"] for worker in installation.serving()}
            installation.command("restart", "all", "--rolling")
            status = installation.whole(without=before)
            assert status["calls"]["live"] == CALLS and status["calls"]["resumed"] == 0
            victim = max(installation.serving(), key=lambda worker: worker["calls"])
            os.kill(victim["pid"], signal.SIGKILL)
            wait_until(lambda: installation.status()["calls"]["resumed"] == victim["calls"], "they are connected again")
            wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live again")
            load.wait(60)
        result = json.loads(load.output[load.output.index("{"):])
        # Whose connection broke says so; everybody else noticed nothing.
        assert result["calls_healthy"] == CALLS - victim["calls"], result
        assert [result["frames"][name] for name in ("repeated", "reordered", "corrupt")] == [0, 0, 0]
        output = installation.process.output
        assert len(re.findall(r"event=call_resumed .* resume=1 known=true", output)) == victim["calls"]
        assert "adoption_failed" not in output


def test_this_kernel_counts(place):
    with Installation(place, workers=2) as installation:
        assert [p for p in installation.status()["problems"] if p["code"] == "kernel_blind"] == []
        with installation.load(seconds=1, calls=2) as load:
            assert exact(load)[0] == 0
