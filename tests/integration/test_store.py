"""The store over its two databases: SQLite in the unit tests, PostgreSQL here, with the very same tests."""

import contextlib
import itertools
import re
import signal
import sqlite3
import subprocess
import time
from random import Random

import pytest
from postgres_server import postgres_server
from support import Process, clean_environment, program, wait_until


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


@pytest.mark.parametrize("tests", ["unit_store", "unit_payments"])
def test_the_stores_own_tests_pass_on_postgresql(postgres, tests):
    run = subprocess.run(
        [program(tests), "--no-colors=true"],
        env=clean_environment(STORE_TEST_DATABASE_URL=postgres.url),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:]
    cases = int(re.search(r"test cases:\s+(\d+)", run.stdout).group(1))
    assert cases >= 20, run.stdout


class Teller:
    """One test-store-writer, and what it was promised."""

    def __init__(self, url, data, name):
        self.name = name
        self.process = Process([program("test-store-writer"), url, data, name])
        self.process.__enter__()

    def acknowledged(self):
        return {(self.name, int(number)) for number in re.findall(r"^acknowledged (\d+)$", self.process.output, re.M)}

    def kill(self):
        self.process.send(signal.SIGKILL)
        self.process.wait()
        self.process.__exit__(None, None, None)
        assert not re.search(r"^refused", self.process.output, re.M)
        return self.acknowledged()


def tell_and_kill(url, data, seed, disturb=lambda random, round_number: None, rounds=12):
    """Three processes tell facts and are killed and replaced at random moments. Returns all that was acknowledged."""
    random = Random(seed)
    promised = set()
    made = itertools.count()

    def new_teller():
        return Teller(url, data, f"CA{next(made)}")

    tellers = [new_teller() for _ in range(3)]
    for round_number in range(rounds):
        disturb(random, round_number)
        time.sleep(random.uniform(0.05, 0.4))  # The moment of the kill, not a wait.
        victim = random.randrange(3)
        promised |= tellers[victim].kill()
        tellers[victim] = new_teller()
    for teller in tellers:
        teller.process.wait_for("^acknowledged")
        promised |= teller.kill()
    return promised


def drain(url, data):
    with Process([program("test-store-writer"), url, data, "--drain"]) as process:
        assert process.wait(60) == 0, process.output


def test_sigkill_of_writers_loses_no_acknowledged_fact_sqlite(folder):
    promised = tell_and_kill("", folder, seed=4242)
    drain("", folder)
    with contextlib.closing(sqlite3.connect(folder / "agentlocator.db")) as database:
        stored = set(database.execute("SELECT call_sid, turn FROM turns").fetchall())
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(promised) > 500, "the test must have had something to lose"
    assert promised - stored == set()
    assert not list((folder / "spool").glob("*.spool"))


def test_sigkill_of_writers_and_of_postgresql_loses_no_acknowledged_fact(postgres, folder):
    def disturb(random, round_number):
        what = ("kill", "freeze", "nothing")[round_number % 3]
        if what == "kill":
            postgres.kill()
            time.sleep(random.uniform(0, 0.3))
            postgres.start()
        elif what == "freeze":
            postgres.signal(signal.SIGSTOP)
            time.sleep(random.uniform(0, 0.5))
            postgres.signal(signal.SIGCONT)

    postgres.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public;")
    promised = tell_and_kill(postgres.url, folder, seed=777, disturb=disturb)
    drain(postgres.url, folder)
    stored = {(sid, int(turn)) for sid, turn in postgres.query("SELECT call_sid, turn FROM turns")}
    assert len(promised) > 500, "the test must have had something to lose"
    assert promised - stored == set()


def test_an_absent_database_delays_no_acknowledgement(postgres, folder):
    """The server is gone, then frozen: facts go on being acknowledged at the pace of the disk."""
    postgres.kill()
    teller = Teller(postgres.url, folder, "CA-absent")
    teller.process.wait_for("event=database_lost")
    before = len(teller.acknowledged())
    wait_until(lambda: len(teller.acknowledged()) > before + 200, "no facts acknowledged without a database")
    postgres.start()
    teller.process.wait_for("event=database_back")
    postgres.signal(signal.SIGSTOP)
    before = len(teller.acknowledged())
    wait_until(lambda: len(teller.acknowledged()) > before + 200, "no facts acknowledged with a frozen database")
    teller.process.wait_for("event=database_lost", count=2)
    postgres.signal(signal.SIGCONT)
    teller.process.wait_for("event=database_back", count=2)
    promised = teller.kill()
    drain(postgres.url, folder)
    stored = {(sid, int(turn)) for sid, turn in postgres.query("SELECT call_sid, turn FROM turns")}
    assert promised - stored == set()
