"""The last resort: the connection itself is lost in the middle of a call. Twilio asks stream_ended, and the call goes on
in a new stream; bounded, and never when the call is over."""

import json
import os
import re
import signal
import urllib.parse
import urllib.request

import pytest
from installation import Installation, done_lines
from media_client import CALL, CLOSE, SID, STOP, MediaClient, media
from support import wait_until
from test_supervisor_death import Mortal

TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def phone(installation, *arguments, seconds=4):
    """One call by the fake Twilio: (exit code, summary)."""
    with installation.load(seconds, 1, 1, arguments) as load:
        code = load.wait(60)
        return code, json.loads(load.output[load.output.index("{"):])


def many(installation, calls, *arguments, seconds=4):
    with installation.load(seconds, calls, 50, arguments) as load:
        code = load.wait(60)
        return code, json.loads(load.output[load.output.index("{"):])


def stream_ended(installation, headers=None, **fields):
    fields = {"CallSid": CALL, "CallStatus": "in-progress", **fields}
    request = urllib.request.Request(f"http://127.0.0.1:{installation.port}/webhook/stream_ended",
                                     urllib.parse.urlencode(fields).encode(), headers or {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/xml")
        return answer.read().decode()


def resume_number(document):
    """The resume that a document asks for; 0 for an empty one."""
    if "<Connect" not in document:
        assert "<Response/>" in document, document
        return 0
    return int(re.search(r'name="resume" value="r1\.(\d)\.', document).group(1))


@pytest.fixture
def installation(place):
    with Installation(place, workers=3) as running:
        yield running


@pytest.mark.parametrize("fault", ["cut-once", "leave-once"])  # The server sees the end first, or Twilio does.
def test_a_call_whose_connection_is_lost_goes_on(installation, fault):
    calls = 30
    code, result = many(installation, calls, "--expect", "echo", "--fault", f"{fault}=1")
    assert code == 0, json.dumps(result, indent=1)[:4000]
    assert result["calls_healthy"] == calls
    assert [result["frames"][name] for name in ("lost", "repeated", "reordered", "corrupt")] == [0, 0, 0, 0]
    output = installation.process.wait_for(r"WS_DONE", count=2 * calls) and installation.process.output
    resumed = re.findall(r"event=call_resumed call=(\S+) stream=(\S+) resume=1 known=true rx=(\d+) tx=(\d+)", output)
    assert len(resumed) == len({call for call, *_ in resumed}) == calls
    # The counters of the call go on: a second of frames before, the rest behind.
    rx_before = {stream: int(rx) for _, stream, rx, _ in resumed}
    assert all(40 <= rx <= 60 for rx in rx_before.values()), rx_before
    for sid, rx in re.findall(r"WS_DONE sid=(\S+) rx=(\d+)", output):
        assert int(rx) >= 190 if sid in rx_before else 40 <= int(rx) <= 60, (sid, rx)
    assert len(set(done_lines(installation))) == 2 * calls
    assert installation.status()["calls"]["resumed"] == calls
    wait_until(lambda: installation.status()["calls"]["live"] == 0, "no slot is left behind")


def test_a_line_that_breaks_again_and_again_is_given_up(installation):
    code, result = phone(installation, "--expect", "none", "--fault", "drop-tcp=0.5", seconds=20)
    assert code == 0, result
    installation.process.wait_for(r"event=resume_refused call=\S+ reason=limit")
    assert re.findall(r"event=call_resumed .* resume=(\d)", installation.process.output) == ["1", "2", "3"]
    wait_until(lambda: len(done_lines(installation)) == 4, "four streams")


def test_a_call_that_is_over_is_not_connected_again(installation):
    with MediaClient(installation.port) as client:
        client.begin()
        client.send(media())
        assert client.message()["event"] == "clear"
        # Twilio says that the stream is over, we have noticed nothing: half-open.
        assert resume_number(stream_ended(installation)) == 1
        assert resume_number(stream_ended(installation, CallStatus="completed")) == 0  # But the caller hung up.
        client.send(STOP)
        assert client.close_code() == 1000
        client.send(b"\x03\xe8", opcode=CLOSE)
        assert client.ended()
    wait_until(lambda: len(done_lines(installation)) == 1, "WS_DONE")
    assert resume_number(stream_ended(installation)) == 0  # `stop` was the end, whatever is asked later.
    assert resume_number(stream_ended(installation, CallSid="CA" + "9" * 32)) == 0  # Nobody knows that call.


def test_asked_twice_it_answers_the_same_and_a_late_question_harms_nobody(installation):
    with MediaClient(installation.port) as client:
        client.begin()
        client.send(media())
        assert client.message()["event"] == "clear"
    wait_until(lambda: len(done_lines(installation)) == 1, "the loss is noticed")
    for _ in range(6):  # Of any worker.
        document = stream_ended(installation)
        assert resume_number(document) == 1
    parameters = dict(re.findall(r'<Parameter name="(\w+)" value="([^"]*)"', document))
    sid = SID.replace("4", "5")
    with MediaClient(installation.port) as client:
        client.begin(sid=sid, parameters=parameters)
        client.send(media(sid=sid))
        assert client.message()["event"] == "media"  # No `clear`: the counters go on.
        # Late, and about the stream before: it is answered, and the stream that lives goes on.
        assert resume_number(stream_ended(installation, StreamSid=SID)) == 2
        for _ in range(40):
            client.send(media(sid=sid))
            assert client.message()["event"] == "media"


def test_signed_calls_resume_and_nobody_else_gets_a_token(place):
    with Installation(place, workers=2, TWILIO_AUTH_TOKEN=TOKEN) as installation:
        code, result = phone(installation, "--auth-token", TOKEN, "--expect", "echo", "--fault", "cut-once=1")
        assert code == 0, result
        assert installation.process.output.count("event=call_resumed") == 1
        sid = re.search(r"event=call_resumed call=(\S+)", installation.process.output).group(1)
        assert resume_number(stream_ended(installation, CallSid=sid)) == 0


def test_the_agent_does_not_greet_twice(place):
    with Installation(place, workers=2, WS_MODE="AI", SILENCE_PROMPT_MS="60000") as installation:
        # The greeting takes 8.2 s: it has been heard, and noted, before the connection breaks, and nothing else is due.
        code, result = phone(installation, "--expect", "none", "--fault", "cut-once=11", seconds=14)
        assert code == 0, result
        assert re.search(r"event=call_resumed .* known=true", installation.process.output)
        assert installation.process.output.count("TTS_LEN_BYTES") == 1


def test_a_worker_that_dies_with_its_supervisor_leaves_calls_that_are_connected_again(place):
    """Nobody is left who holds their connections: Twilio sees the end, and asks whichever worker lives."""
    with Mortal(place, workers=4) as installation:
        calls = 20
        with installation.load(6, calls, 50, ("--expect", "none")) as load:
            wait_until(lambda: installation.status()["calls"]["live"] == calls, "all calls live")
            victim = max(installation.serving(), key=lambda worker: worker["calls"])
            os.kill(installation.process.pid, signal.SIGSTOP)  # It must not see the death before its own.
            os.kill(victim["pid"], signal.SIGKILL)
            installation.kill()
            installation.start()
            wait_until(lambda: (installation.ask() or {"calls": {}})["calls"].get("resumed") == victim["calls"],
                       "they are connected again")
            load.wait(60)
        result = json.loads(load.output[load.output.index("{"):])
        assert result["calls_healthy"] == calls - victim["calls"], result
        assert installation.ask()["calls"]["lost"] == victim["calls"]
