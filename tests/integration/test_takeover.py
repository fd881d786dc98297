"""A call survives the process that carries it (promises P3 and P4): the real supervisor, real workers, numbered frames.

The load is `agentlocator call --unique`: every frame has an id, so a loss, a repeat, a change or a wrong order shows.
"""

import contextlib
import os
import random
import signal
import socket
import time

import pytest
from installation import Installation, disturbed_summary, done_lines, summary
from media_client import MediaClient, media
from support import is_alive, wait_until

CALLS = 40
KILLS = 15
SEED = int(os.environ.get("AGENTLOCATOR_SEED", "1"))


def test_live_calls_spread_evenly(place):
    with Installation(place) as installation, installation.load(seconds=600, calls=60) as load:
        def carried():
            return [worker["calls"] for worker in installation.serving()]

        wait_until(lambda: (lambda c: sum(c) == 60 and min(c) >= 10 and max(c) <= 20)(carried()), carried)
        load.send(signal.SIGTERM)  # All callers hang up.
        summary(load)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT], ids=["kill", "segv", "abort"])
def test_calls_survive_the_death_of_their_workers(place, number):
    chance = random.Random(SEED)
    with Installation(place) as installation, installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        for _ in range(KILLS):
            alive = wait_until(lambda: (lambda pids: sorted(pids) if len(pids) > 1 else None)(installation.pids()),
                               "two serve")
            with contextlib.suppress(ProcessLookupError):  # Killed a moment ago, and not yet noticed.
                os.kill(chance.choice(alive), number)
            time.sleep(chance.uniform(0.1, 0.4))
        load.send(signal.SIGTERM)  # All callers hang up.
        disturbed_summary(load)
        wait_until(lambda: len(done_lines(installation)) == CALLS, lambda: f"{len(done_lines(installation))} WS_DONE")
        assert len(set(done_lines(installation))) == CALLS


def test_the_only_worker_dies_and_its_replacement_goes_on(place):
    with Installation(place, workers=1) as installation, installation.load(seconds=600, calls=10) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == 10, "all calls live")
        for _ in range(3):
            (worker,) = wait_until(installation.serving, "a worker serves")
            os.kill(worker["pid"], signal.SIGKILL)
            wait_until(lambda: [w for w in installation.serving() if w["pid"] != worker["pid"]], "a new worker")
        load.send(signal.SIGTERM)
        disturbed_summary(load)


def test_a_hung_worker_is_found_and_its_calls_go_on(place):
    with Installation(place, HANG_TIMEOUT_MS="1000") as installation, installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        victim = min(installation.pids())
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: not is_alive(victim), "the hung worker is killed")
        load.send(signal.SIGTERM)
        disturbed_summary(load)


def test_a_caller_who_hangs_up_while_nobody_carries_him_ends_like_any_other(place):
    """His FIN lies in the kernel when the worker dies; the kernel counts it as a byte."""
    with Installation(place, workers=1, HANG_TIMEOUT_MS="60000") as installation, \
            MediaClient(installation.port) as client:
        client.begin()
        client.send(media())
        while client.message()["event"] != "media":
            pass
        (worker,) = installation.serving()
        os.kill(worker["pid"], signal.SIGSTOP)
        client.send(media())
        client.socket.shutdown(socket.SHUT_WR)
        os.kill(worker["pid"], signal.SIGKILL)
        installation.process.wait_for(r"WS_DONE sid=\S+ rx=2 ")
        assert installation.status()["calls"]["lost"] == 0
        assert "adoption_failed" not in installation.process.output


def test_a_rolling_restart_moves_every_call(place):
    with Installation(place) as installation, installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        before = {worker["pid"] for worker in installation.serving()}
        installation.command("restart", "all", "--rolling")
        assert installation.whole(without=before)["calls"]["live"] == CALLS
        load.send(signal.SIGTERM)
        summary(load)


def test_scaling_down_moves_calls_and_up_takes_new_ones(place):
    with Installation(place) as installation, installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        installation.command("scale", "2")
        wait_until(lambda: len(installation.status()["workers"]) == 2, "two workers left")
        installation.command("scale", "4")
        wait_until(lambda: len(installation.serving()) == 4, "four workers again")
        load.send(signal.SIGTERM)
        summary(load)


def test_nothing_leaks_over_many_take_overs(place):
    with Installation(place) as installation:
        supervisor = installation.status()["pid"]

        def descriptors():
            return len(os.listdir(f"/proc/{supervisor}/fd"))

        with installation.load(seconds=1, calls=5) as load:
            summary(load)
        wait_until(lambda: installation.status()["calls"]["live"] == 0, "no calls")
        before = descriptors()
        with installation.load(seconds=600) as load:
            wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
            for _ in range(10):
                alive = wait_until(lambda: (lambda pids: sorted(pids) if len(pids) > 1 else None)(installation.pids()),
                                   "two serve")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(random.choice(alive), signal.SIGKILL)
                time.sleep(0.2)
            load.send(signal.SIGTERM)
            disturbed_summary(load)
        wait_until(lambda: installation.whole()["calls"]["live"] == 0, "quiet")
        wait_until(lambda: descriptors() <= before, lambda: f"{descriptors()} descriptors, {before} before")
