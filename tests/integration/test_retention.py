"""Deleting old recordings: Twilio's copy, our file, the row. Killed between any two of them, no row is gone before what it
names, and the next run finishes."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import clean_environment, program, wait_until

SIDS = [f"RE{n}" for n in range(4)]


class Twilio:
    """Its recordings. May kill who asks: before it deletes, or after it has and before it says so."""

    def __init__(self):
        self.recordings = set(SIDS)
        self.kill = lambda sid, when: None
        twilio = self

        class Handler(BaseHTTPRequestHandler):
            def do_DELETE(self):
                sid = self.path.rpartition("/")[2].removesuffix(".json")
                if twilio.kill(sid, "before"):
                    return
                there = sid in twilio.recordings
                twilio.recordings.discard(sid)
                twilio.kill(sid, "after")
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(204 if there else 404)
                    self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Store:
    def __init__(self, folder, twilio):
        self.env = clean_environment(
            AGENTLOCATOR_DATA_DIR=folder, TWILIO_ACCOUNT_SID="AC1", TWILIO_AUTH_TOKEN="secret",
            TWILIO_API_BASE_URL=f"http://127.0.0.1:{twilio.server.server_port}",
        )
        subprocess.run([program("agentlocator"), "calls"], env=self.env, check=True, capture_output=True, timeout=60)
        self.path = folder / "agentlocator.db"
        self.files = {sid: folder / f"{sid}.mp3" for sid in SIDS}
        at = int((time.time() - 8 * 86400) * 1000)
        with self.database() as database:
            for sid, file in self.files.items():
                file.write_bytes(b"sound")
                database.execute("INSERT INTO recordings (recording_sid, file, recorded_at) VALUES (?, ?, ?)",
                                 (sid, str(file), at))
            database.commit()

    def database(self):
        return contextlib.closing(sqlite3.connect(self.path, timeout=30))

    def rows(self):
        with self.database() as database:
            return dict(database.execute("SELECT recording_sid, remote_deleted_at FROM recordings").fetchall())

    def start(self):
        return subprocess.Popen([program("agentlocator"), "retention"], env=self.env, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)


@pytest.fixture
def twilio():
    server = Twilio()
    yield server
    server.close()


def check_order(store, twilio):
    rows = store.rows()
    for sid in SIDS:
        if sid not in rows:
            assert sid not in twilio.recordings and not store.files[sid].exists(), "the row is the last to go"
        elif not store.files[sid].exists():
            assert rows[sid] != 0, "the file goes when Twilio's copy is known to be gone"
        elif rows[sid] != 0:
            assert sid not in twilio.recordings, "noted is what happened"


@pytest.mark.parametrize("moment", ["before", "after", "file"])
def test_killed_between_the_steps_the_next_run_finishes(folder, twilio, moment):
    store = Store(folder, twilio)
    victim = SIDS[1]  # Some are done by then, and some are not.
    running = {}

    def kill(sid, when):
        if sid == victim and when == moment:
            os.kill(running["run"].pid, signal.SIGKILL)
            running["run"].wait()
            return True
        return False

    twilio.kill = kill
    running["run"] = store.start()
    if moment == "file":
        wait_until(lambda: not store.files[victim].exists(), "the file is deleted", interval=0.0001)
        running["run"].send_signal(signal.SIGKILL)  # It may be further by now, and even done.
    assert running["run"].wait(60) in (-signal.SIGKILL, 0)
    running["run"].stdout.close()
    check_order(store, twilio)
    if moment != "file":
        assert (victim in store.rows(), victim in twilio.recordings) == (True, moment == "before")
    twilio.kill = lambda sid, when: None
    again = store.start()
    assert again.wait(60) == 0, again.stdout.read()
    again.stdout.close()
    assert (store.rows(), twilio.recordings) == ({}, set())
    assert not any(file.exists() for file in store.files.values())
