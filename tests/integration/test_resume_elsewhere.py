"""A call whose host is gone goes on at another one: both have the same PostgreSQL, and nothing else in common."""

import os
import re
import signal

import pytest
from installation import Installation
from media_client import CALL, CLOSE, SID, STOP, MediaClient, media
from postgres_server import postgres_server
from support import installation_environment, private_folder, wait_until
from test_resume import resume_number, stream_ended
from test_supervisor_death import Mortal


@pytest.fixture
def postgres():
    with postgres_server() as server:
        yield server


@pytest.fixture
def hosts(postgres):
    with private_folder() as one, private_folder() as other:
        settings = {"workers": 2, "DATABASE_URL": postgres.url}
        with Mortal(installation_environment(one), **settings) as first:
            with Installation(installation_environment(other), **settings) as second:
                wait_until(lambda: postgres.query("SELECT to_regclass('calls')") == [["calls"]], "the tables are made")
                yield first, second


def stream_rank(postgres, call=CALL):
    found = postgres.query(f"SELECT stream_rank FROM calls WHERE call_sid = '{call}'")
    return int(found[0][0]) if found else 0


def kill_host(host):
    """Power cut: the supervisor first, so that it starts nothing."""
    pids = [worker["pid"] for worker in host.serving()]
    host.kill()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def end(client, sid):
    client.send(STOP.replace(SID, sid))
    assert client.close_code() == 1000
    client.send(b"\x03\xe8", opcode=CLOSE)
    assert client.ended()


def test_a_call_goes_on_at_another_host_when_its_own_is_gone(postgres, hosts):
    first, second = hosts
    over = "CA" + "7" * 32
    assert resume_number(stream_ended(second, CallSid=over)) == 0  # Nobody knows that call.
    with MediaClient(first.port) as client:
        client.begin(call=over)
        end(client, SID)
    wait_until(lambda: stream_rank(postgres, over) == 3, "the store knows that its end was meant")
    assert resume_number(stream_ended(second, CallSid=over)) == 0

    with MediaClient(first.port) as client:
        client.begin()
        client.send(media())
        assert client.message()["event"] == "clear"
        wait_until(lambda: stream_rank(postgres) == 1, "the store knows of the stream")
        kill_host(first)
    document = stream_ended(second)
    assert resume_number(document) == 1
    parameters = dict(re.findall(r'<Parameter name="(\w+)" value="([^"]*)"', document))
    sid = SID.replace("4", "5")
    with MediaClient(second.port) as client:
        client.begin(sid=sid, parameters=parameters)
        second.process.wait_for(rf"event=call_resumed call={CALL} stream={sid} resume=1 known=false")
        wait_until(lambda: stream_rank(postgres) == 5, "the store knows of the second stream")
        end(client, sid)
    wait_until(lambda: stream_rank(postgres) == 7, "and of its end")

    broken = "CA" + "8" * 32  # Elsewhere, and three times already; then without a database.
    for resumes, expected in ((2, 3), (3, 0)):
        postgres.query(f"INSERT INTO calls (call_sid, stream_rank) VALUES ('{broken}', {resumes * 4 + 2}) "
                       f"ON CONFLICT (call_sid) DO UPDATE SET stream_rank = excluded.stream_rank")
        assert resume_number(stream_ended(second, CallSid=broken)) == expected
    second.process.wait_for(r"event=resume_refused call=\S+ reason=limit")
    postgres.query(f"UPDATE calls SET stream_rank = 2 WHERE call_sid = '{broken}'")
    postgres.kill()
    assert resume_number(stream_ended(second, CallSid=broken)) == 0
    postgres.start()
    wait_until(lambda: resume_number(stream_ended(second, CallSid=broken)) == 1, "the store is asked again", interval=0.2)
