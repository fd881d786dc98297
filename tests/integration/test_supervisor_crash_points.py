"""Every crash point of the supervisor is hit under load, and those of workers that hand back: the next one goes on.

Orders to die are files, as in test_crash_points.py; the points are read from the source, so that none is forgotten.
"""

import json
import os
import re
import signal
import subprocess

import pytest
from installation import disturbed_summary, summary
from support import ROOT, program, wait_until
from test_supervisor_death import Mortal

CALLS = 30
BY_NEW_CALLS = ["keeper_before_store", "keeper_after_store", "keeper_dropped"]
BY_MOVING_CALLS = ["keeper_after_command"]
BY_ADOPTING = ["adoption_open", "hand_back_taken", "adoption_one", "adoption_placed"]
BY_AN_UPGRADE = ["upgrade_leaving"]
BY_A_DEATH = ["keeper_death_seen"]


def test_every_point_of_the_supervisor_is_hit_below():
    found = set()
    for path in (ROOT / "supervisor").rglob("*.cpp"):
        found.update(re.findall(r"^\s+CRASH_POINT\((\w+)\);", path.read_text(), re.MULTILINE))
    known = BY_NEW_CALLS + BY_MOVING_CALLS + BY_ADOPTING + BY_AN_UPGRADE + BY_A_DEATH
    assert found == set(known) and len(known) == len(found)


class Condemned(Mortal):
    def __init__(self, place, folder):
        self.orders = folder / "crash"
        self.orders.mkdir()
        super().__init__(place, 3, AGENTLOCATOR_CRASH_DIR=str(self.orders))

    def give(self, point):
        (self.orders / point).touch()

    def order(self, *arguments):
        """A command whose exit code says nothing: the supervisor may die before it has answered, or before it is asked."""
        subprocess.run([program("agentlocator"), *arguments], env=self.environment, capture_output=True, timeout=90)

    def died(self):
        wait_until(lambda: self.process.returncode is not None, lambda: f"it lives on:\n{self.process.output[-2000:]}")
        assert self.process.returncode == -9 and not list(self.orders.iterdir())


@pytest.fixture
def condemned(place, folder):
    with Condemned(place, folder) as installation:
        yield installation


def all_go_on(installation, load):
    installation.whole()
    load.send(signal.SIGTERM)
    disturbed_summary(load)
    assert installation.ask()["calls"]["lost"] == 0
    wait_until(lambda: installation.ask()["calls"]["live"] == 0, "a call is left in the slab")


@pytest.mark.parametrize("point", BY_NEW_CALLS + BY_MOVING_CALLS + BY_AN_UPGRADE)
def test_a_supervisor_that_dies_at_work_costs_nothing(condemned, point):
    with condemned.load(seconds=600, calls=CALLS) as load:
        wait_until(lambda: condemned.status()["calls"]["live"] == CALLS, "all calls live")
        condemned.give(point)
        if point in BY_NEW_CALLS:
            with condemned.load(seconds=1, calls=5) as more:
                condemned.died()
                condemned.start()
                summary(more)
        elif point in BY_MOVING_CALLS:
            condemned.order("restart", "all", "--rolling")
            condemned.died()
            condemned.start()
        else:
            condemned.order("upgrade", "--no-wait")
            condemned.died()
            condemned.start()
        all_go_on(condemned, load)


@pytest.mark.parametrize("point", BY_ADOPTING)
def test_a_supervisor_that_dies_while_adopting_costs_nothing(condemned, point):
    with condemned.load(seconds=600, calls=CALLS) as load:
        wait_until(lambda: condemned.status()["calls"]["live"] == CALLS, "all calls live")
        condemned.kill()
        condemned.give(point)
        condemned.start()
        condemned.died()
        condemned.start()
        all_go_on(condemned, load)


def test_a_worker_that_dies_after_handing_back_loses_nothing(condemned):
    with condemned.load(seconds=600, calls=CALLS) as load:
        wait_until(lambda: condemned.status()["calls"]["live"] == CALLS, "all calls live")
        condemned.kill()
        condemned.give("hand_back_done")
        condemned.start()
        all_go_on(condemned, load)


@pytest.mark.parametrize("point", BY_A_DEATH + ["hand_back_begun"])
def test_calls_that_die_with_both_are_freed_and_counted(condemned, point):
    """Their sockets were held by two processes that are dead; the others' calls are exact."""
    with condemned.load(seconds=600, calls=CALLS) as load:
        wait_until(lambda: condemned.status()["calls"]["live"] == CALLS, "all calls live")
        if point in BY_A_DEATH:
            condemned.give(point)
            victim = condemned.serving()[0]
            os.kill(victim["pid"], signal.SIGKILL)
            condemned.died()
            condemned.start()
        else:
            condemned.kill()
            condemned.give(point)
            condemned.start()
        status = wait_until(lambda: (lambda s: s if s and s["calls"]["lost"] else None)(condemned.ask()), "none is lost")
        assert 5 <= status["calls"]["lost"] <= 15
        load.send(signal.SIGTERM)
        load.wait(60)
        frames = json.loads(load.output[load.output.index("{"):])["frames"]
        assert frames["repeated"] == frames["reordered"] == frames["corrupt"] == 0
        wait_until(lambda: condemned.ask()["calls"]["live"] == 0, "a call is left in the slab")
