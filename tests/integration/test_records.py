"""What real calls leave in the store, seen through the command line; and that nothing acknowledged is ever lost."""

import contextlib
import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest
from media_client import CALL, STOP, MediaClient, media, start
from support import Process, ask_control, clean_environment, is_alive, program, wait_until


def post(port, path, fields, timeout=30):
    data = urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def records(env, *arguments):
    """What `agentlocator ARGUMENTS` prints."""
    run = subprocess.run([program("agentlocator"), *arguments], env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


class Worker:
    def __init__(self, folder, **settings):
        self.env = clean_environment(
            AGENTLOCATOR_DATA_DIR=folder, PUBLIC_BASE_URL="https://voice.example.com", **settings
        )
        self.process = Process([program("agentlocator-worker"), "--port", "0"], env=self.env)

    def __enter__(self):
        self.process.__enter__()
        self.port = int(self.process.wait_for(r"event=worker_ready port=(\d+)").group(1))
        return self

    def __exit__(self, *details):
        return self.process.__exit__(*details)

    def calls(self):
        return json.loads(records(self.env, "calls", "--json"))


@pytest.fixture
def worker(folder):
    with Worker(folder, WS_MODE="ECHO") as running:
        yield running


def test_a_call_from_ringing_to_its_end(worker):
    records(worker.env, "business", "add", "Flats", "--voice", "03-6123456")
    facts = {"CallSid": CALL, "From": "+972501234567", "To": "+97236123456", "Direction": "inbound"}
    assert post(worker.port, "/webhook/incoming_call", facts | {"CallStatus": "ringing"})[0] == 200
    with MediaClient(worker.port) as client:
        client.begin()
        for _ in range(5):
            client.send(media())
            client.message()
        client.send(STOP)
    worker.process.wait_for("WS_DONE")
    ended = facts | {"CallStatus": "completed", "CallDuration": "61"}
    assert post(worker.port, "/webhook/call_status", ended)[0] == 204
    recording = {"CallSid": CALL, "RecordingSid": "RE1", "RecordingUrl": "https://api.twilio.com/RE1"}
    assert post(worker.port, "/webhook/handle_recording", recording | {"RecordingStatus": "completed"})[0] == 204

    call = wait_until(lambda: [c for c in worker.calls() if c["status"] == "completed" and c["frames_in"]], worker.calls)
    assert len(call) == 1
    call = call[0]
    assert (call["call_sid"], call["from_number"], call["to_number"]) == (CALL, "+972501234567", "+97236123456")
    assert (call["business_id"], call["mode"], call["duration_s"], call["frames_in"]) == (1, "ECHO", 61, 5)
    assert call["started_at"] < call["ended_at"]
    shown = wait_until(
        lambda: [c for c in [json.loads(records(worker.env, "calls", "show", CALL, "--json"))] if c["recordings"]],
        "no recording",
    )[0]
    assert shown["recordings"][0]["recording_sid"] == "RE1"
    leads = list(csv.DictReader(io.StringIO(records(worker.env, "leads", "--csv").removeprefix("\ufeff"))))
    assert [(lead["phone"], lead["source"], lead["business_id"]) for lead in leads] == [("+972501234567", "call", "1")]
    assert CALL in records(worker.env, "calls")


def test_an_unknown_call_is_said_to_be_unknown(worker):
    run = subprocess.run([program("agentlocator"), "calls", "show", "CA-no"], env=worker.env, capture_output=True, text=True)
    assert run.returncode == 1
    assert "no call CA-no" in run.stderr


def test_without_a_database_webhooks_are_answered_and_calls_go_on(folder):
    with Worker(folder, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", WS_MODE="ECHO") as worker:
        worker.process.wait_for("event=database_lost .*remedy=")
        began = time.monotonic()
        assert post(worker.port, "/webhook/call_status", {"CallSid": "CA1", "CallStatus": "completed"})[0] == 204
        assert time.monotonic() - began < 2
        with MediaClient(worker.port) as client:
            client.begin()
            client.send(media())
            assert client.message()["event"] == "clear"  # The first frame's answer: audio flows.
        ready = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/readyz").read())
        assert (ready["status"], ready["db"]) == ("ready", "lost")
        assert worker.process.stop() == 0
    with Worker(folder) as worker:  # The database is back (another one): what was acknowledged arrives.
        wait_until(lambda: any(c["status"] == "completed" for c in worker.calls()), worker.calls)


def test_what_cannot_be_stored_is_not_acknowledged(folder):
    (folder / "spool").write_text("a file where the folder should be")
    with Worker(folder, WS_MODE="ECHO") as worker:
        assert post(worker.port, "/webhook/call_status", {"CallSid": "CA1", "CallStatus": "completed"})[0] == 503
        worker.process.wait_for("event=spool_failed .*remedy=")
        assert post(worker.port, "/webhook/incoming_call", {"CallSid": "CA1"})[0] == 200  # A call waits for nothing.
        (folder / "spool").unlink()
        (folder / "spool").mkdir()
        assert post(worker.port, "/webhook/call_status", {"CallSid": "CA1", "CallStatus": "completed"})[0] == 204


def test_retention_deletes_the_remote_copy_then_the_row(folder):
    asked = []

    class Twilio(BaseHTTPRequestHandler):
        def do_DELETE(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(204 if len(asked) > 1 else 500)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Twilio)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    env = clean_environment(
        AGENTLOCATOR_DATA_DIR=folder,
        TWILIO_API_BASE_URL=f"http://127.0.0.1:{server.server_port}",
        TWILIO_ACCOUNT_SID="AC1",
        TWILIO_AUTH_TOKEN="secret",
    )
    records(env, "calls")  # Makes the database.
    with contextlib.closing(sqlite3.connect(folder / "agentlocator.db")) as database:
        for sid, days in (("RE1", 8), ("RE2", 6)):
            at = int((time.time() - days * 86400) * 1000)
            database.execute("INSERT INTO recordings (recording_sid, recorded_at) VALUES (?, ?)", (sid, at))
        database.commit()
        rows = "SELECT recording_sid FROM recordings ORDER BY 1"
        failed = subprocess.run([program("agentlocator"), "retention"], env=env, capture_output=True, text=True)
        assert failed.returncode == 1
        assert "Twilio answered 500" in failed.stderr
        assert database.execute(rows).fetchall() == [("RE1",), ("RE2",)]
        database.execute("UPDATE recordings SET delete_after = 0")
        database.commit()
        assert "1 recordings" in records(env, "retention")
        assert database.execute(rows).fetchall() == [("RE2",)]
    assert asked[1] == ("/2010-04-01/Accounts/AC1/Recordings/RE1.json", "Basic QUMxOnNlY3JldA==")
    server.shutdown()
    server.server_close()


class Caller(threading.Thread):
    """Reports ends of calls without pause, and remembers which reports were acknowledged."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name_of_calls = port, name
        self.acknowledged = []
        self.refused = 0
        self.stopping = False
        self.start()

    def run(self):
        number = 0
        while not self.stopping:
            number += 1
            sid = f"{self.name_of_calls}-{number}"
            try:
                status, _ = post(self.port, "/webhook/call_status", {"CallSid": sid, "CallStatus": "completed"}, 10)
            except OSError:
                continue  # Its worker was killed: nothing was promised.
            if status == 204:
                self.acknowledged.append(sid)
            else:
                self.refused += 1


def test_sigkill_of_workers_and_supervisor_loses_no_acknowledged_report(place):
    place["CRASH_LIMIT"] = "1000"
    random = Random(99)
    port = int(place["PORT"])

    def run_supervisor():
        process = Process([program("agentlocator"), "run"], env=place)
        process.__enter__()
        wait_until(lambda: status_of(process), lambda: process.output)
        return process

    def status_of(process):
        with contextlib.suppress(OSError, AssertionError, json.JSONDecodeError):
            status, document = ask_control(place["AGENTLOCATOR_RUNTIME_DIR"], "GET", "/status", timeout=5)
            if status == 200 and any(worker.get("pid") for worker in document["workers"]):
                return document
        return None

    supervisor = run_supervisor()
    callers = [Caller(port, f"CA{i}") for i in range(4)]
    try:
        for round_number in range(10):
            time.sleep(random.uniform(0.1, 0.5))  # The moment of the kill, not a wait.
            document = wait_until(lambda: status_of(supervisor), lambda: supervisor.output)
            pids = [worker["pid"] for worker in document["workers"] if worker.get("pid")]
            victims = pids if round_number % 5 == 4 else [random.choice(pids)]
            if round_number % 5 == 4:  # Supervisor and all workers at once.
                supervisor.send(signal.SIGKILL)
            for pid in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if round_number % 5 == 4:
                supervisor.wait()
                supervisor.__exit__(None, None, None)
                wait_until(lambda: not any(is_alive(pid) for pid in victims), "workers live")
                supervisor = run_supervisor()
    finally:
        for caller in callers:
            caller.stopping = True
        for caller in callers:
            caller.join(15)
    acknowledged = {sid for caller in callers for sid in caller.acknowledged}
    spool = place["AGENTLOCATOR_DATA_DIR"] + "/spool"
    with contextlib.closing(sqlite3.connect(place["AGENTLOCATOR_DATA_DIR"] + "/agentlocator.db")) as database:

        def missing():
            stored = {sid for (sid,) in database.execute("SELECT call_sid FROM calls WHERE status = 'completed'")}
            return acknowledged - stored

        wait_until(lambda: not missing(), lambda: f"{len(missing())} of {len(acknowledged)} missing, {os.listdir(spool)}")
    assert len(acknowledged) > 100, "the test must have had something to lose"
    assert sum(caller.refused for caller in callers) == 0
    assert supervisor.stop() == 0
    supervisor.__exit__(None, None, None)
