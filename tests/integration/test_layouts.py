"""A build that lays out the memory of live calls differently takes them over, and gives them back: by snapshots.

The other build is in bin/other-layout: the same sources with fields elsewhere (tests/other_layout).
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from installation import disturbed_summary, done_lines
from media_client import MediaClient, media
from support import BIN, clean_environment, wait_until
from test_crash_points import INNOCENT_AFTER
from test_upgrade import Upgradable, script

CALLS = 20


class TwoLayouts(Upgradable):
    """The programs of the second release have the other layout."""

    def __init__(self, place, folder, workers=2, **settings):
        self.orders = folder / "crash"
        self.orders.mkdir()
        super().__init__(place, folder, workers, AGENTLOCATOR_CRASH_DIR=str(self.orders), **settings)
        self.put_other(self.releases["second"])

    @staticmethod
    def put_other(release):
        for name in ("agentlocator", "agentlocator-worker"):
            (release / name).unlink()
            shutil.copy2(BIN / "other-layout" / name, release / name)

    def switch(self, name):
        text = self.upgrade("--to", self.releases[name])
        assert "upgraded to build" in text
        assert self.folders() == {name} and self.folder_of_supervisor() == name

    def obeyed(self, point):
        wait_until(lambda: not (self.orders / point).exists(), f"nobody passed {point}")

    def all_kept(self, load):
        load.send(signal.SIGTERM)  # All callers hang up.
        disturbed_summary(load)
        calls = self.ask()["calls"]
        assert calls["lost"] == 0
        wait_until(lambda: self.ask()["calls"]["live"] == 0, "a call is left")
        assert "event=call_cut" not in self.printed() and "event=adoption_failed" not in self.printed()
        wait_until(lambda: len(set(done_lines(self))) == CALLS, lambda: f"{len(done_lines(self))} WS_DONE")
        assert len(done_lines(self)) == CALLS


def all_live(installation):
    wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")


def slab_bytes(installation):
    """What the slab has of memory, as the kernel counts it."""
    descriptors = Path(f"/proc/{installation.process.pid}/fd")
    (slab,) = {os.stat(fd).st_blocks for fd in descriptors.iterdir() if "agentlocator-calls" in os.readlink(fd)}
    return slab * 512


def test_the_two_builds_differ_in_the_memory_of_calls_alone():
    layouts = [json.loads(subprocess.run([BIN / path / "agentlocator", "version", "--json"], env=clean_environment(),
                                         capture_output=True, text=True, check=True).stdout)
               for path in (".", "other-layout")]
    assert layouts[0]["slab_layout"] == layouts[1]["slab_layout"]
    assert layouts[0]["memory_layout"] != layouts[1]["memory_layout"]


def test_live_calls_move_to_another_layout_and_back(place, folder):
    with TwoLayouts(place, folder) as installation, installation.load(seconds=600, calls=CALLS) as load:
        all_live(installation)
        for name in ("second", "first", "second"):
            installation.switch(name)
            assert installation.ask()["calls"]["live"] == CALLS
        installation.all_kept(load)


def test_a_rolled_back_upgrade_brings_the_calls_that_had_moved_back(place, folder):
    """The first worker of the new build serves and takes calls over; the second one does not start."""
    with TwoLayouts(place, folder) as installation, installation.load(seconds=600, calls=CALLS) as load:
        all_live(installation)
        new = installation.releases["second"]
        (new / "agentlocator-worker").rename(new / "good-worker")
        script(new / "agentlocator-worker",
               f'[ "$AGENTLOCATOR_SLOT" = 1 ] && exec "{new}/good-worker" "$@"\nexit 3\n')
        text = installation.upgrade("--to", new, code=1)
        assert "rolled back" in text
        assert installation.whole(folder="first")["calls"]["live"] == CALLS
        installation.all_kept(load)


def test_the_last_worker_of_a_layout_dies_and_its_calls_are_rescued(place, folder):
    """It dies when it is told to let go, and no living worker can read what it carried: one of its build is started."""
    with TwoLayouts(place, folder, workers=1) as installation, installation.load(seconds=600, calls=CALLS) as load:
        all_live(installation)
        (installation.orders / "release_begin").touch()
        installation.upgrade("--to", installation.releases["second"])
        installation.obeyed("release_begin")
        installation.process.wait_for("event=rescuer_started")
        assert installation.whole(folder="second")["calls"]["live"] == CALLS, "the rescuer has left"
        installation.all_kept(load)


def test_deaths_on_the_way_from_layout_to_layout_lose_nothing(place, folder):
    with TwoLayouts(place, folder) as installation, installation.load(seconds=600, calls=CALLS) as load:
        all_live(installation)
        for point, name in (("adopt_unpacked", "second"), ("release_untold", "first"), ("adopt_told", "second")):
            given = time.monotonic()
            (installation.orders / point).touch()
            installation.upgrade("--no-wait", "--to", installation.releases[name])
            installation.obeyed(point)
            wait_until(lambda: installation.whole(folder=name)["upgrade"]["state"] == "done", "upgraded")
            time.sleep(max(0.0, given + INNOCENT_AFTER - time.monotonic()))
        installation.all_kept(load)


def test_the_supervisor_dies_while_two_layouts_live(place, folder):
    with TwoLayouts(place, folder) as installation, installation.load(seconds=600, calls=CALLS) as load:
        # Evenly: no new call is on its way to the lighter worker, whose move would be the one in which it dies.
        wait_until(lambda: [worker["calls"] for worker in installation.serving()] == [CALLS // 2] * 2, "all calls live")
        (installation.orders / "keeper_after_command").touch()
        installation.upgrade("--no-wait", "--to", installation.releases["second"])
        installation.obeyed("keeper_after_command")
        installation.process.wait()
        installation.start()  # Of the first release again: what the disk has.
        assert installation.whole(folder="first")["calls"]["live"] == CALLS
        installation.all_kept(load)


def test_nothing_of_a_layout_that_is_gone_stays_in_memory(place, folder):
    audio = media(base64.b64encode(b"\x11" * 46_000).decode())  # Touches a hundred kilobytes of a call's memory.

    def there_and_back(installation):
        with MediaClient(installation.port) as client:
            client.begin()
            for name in ("second", "first"):
                client.send(audio)
                while client.message()["event"] != "media":
                    pass
                installation.switch(name)
        wait_until(lambda: installation.ask()["calls"]["live"] == 0, "the call ends")

    with TwoLayouts(place, folder, workers=1) as installation:
        there_and_back(installation)
        before = slab_bytes(installation)
        for _ in range(2):
            there_and_back(installation)
        wait_until(lambda: slab_bytes(installation) <= before + 64 * 1024,
                   lambda: f"{before} bytes before, {slab_bytes(installation)} now")
