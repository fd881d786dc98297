"""One supervisor for each lock: the race for it, and files in its place that are no lock."""

import re
import subprocess

from support import program


def race(path, rounds, starters):
    done = subprocess.run(
        [program("test-lock-race"), path, str(rounds), str(starters)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(rf"{rounds} rounds of {starters} starts, one winner each", done.stdout)


def test_a_thousand_double_starts_have_one_winner_each(folder):
    race(folder / "lock", 1000, 2)
    # What the dead left behind is no lock.
    assert (folder / "lock").stat().st_mode & 0o777 == 0o600


def test_hundreds_of_starts_at_one_moment_have_one_winner(folder):
    race(folder / "lock", 3, 300)
