"""`agentlocator call` against servers that do one thing wrong, and against the real worker, with every wrong thing that
the caller can do."""

import array
import json
import math
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import wave

import pytest
from phone_server import DECLARATION, PhoneServer, echo, once_started
from support import PATIENCE, Process, clean_environment, free_port, program


def call(url, *arguments, **environment):
    """(exit code, summary) of one call."""
    done = subprocess.run(
        [program("agentlocator-call"), "--url", url, "--json", *map(str, arguments)],
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def codes(summary):
    return {violation["code"] for violation in summary["violations"]}


# --- a good server


def test_a_good_call_is_healthy_and_all_callbacks_are_made():
    with PhoneServer() as server:
        code, summary = call(server.url, "--seconds", 1, "--expect", "echo", "--noise", 3)
    assert code == 0, summary
    assert summary["echo"]["correlation"] > 0.99
    assert summary["frames_sent"] == 50
    assert summary["media_received"] >= 48
    # The first callback may overtake the upgrade or not, as at Twilio.
    assert server.paths()[0] == "/webhook/incoming_call"
    assert sorted(server.paths()[1:]) == sorted(
        ["/ws/twilio-media", *["/webhook/stream_status"] * 2, "/webhook/stream_ended", "/webhook/call_status"]
    )
    events = [parameters["StreamEvent"] for parameters in server.parameters_of("/webhook/stream_status")]
    assert events == ["stream-started", "stream-stopped"]


def test_the_upgrade_has_twilios_headers_and_no_others():
    with PhoneServer() as server:
        assert call(server.url, "--seconds", 0.2, "--auth-token", "12345")[0] == 0
        headers = next(headers for _, path, headers, _ in server.requests if path == "/ws/twilio-media")
    assert [name for name, _ in headers] == [
        "Host",
        "User-Agent",
        "Connection",
        "Upgrade",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "X-Twilio-Signature",
    ]
    assert dict(headers)["User-Agent"] == "Twilio.TmeWs/1.0"


def test_what_was_heard_is_written_aligned_with_the_call(folder):
    # A second of a tone, half a second into the call, on a line that is silent before and after.
    tone = bytes([0x80, 0xFF, 0x00, 0xFF]) * 2000

    def speak(socket_, sid):
        time.sleep(0.5)
        socket_.media(sid, tone)

    with PhoneServer(stream=once_started(speak)) as server:
        code, summary = call(server.url, "--seconds", 4, "--silence", "--expect", "speech", "--out", folder / "heard.wav")
    assert code == 0, summary
    with wave.open(str(folder / "heard.wav")) as heard:
        assert (heard.getnchannels(), heard.getsampwidth(), heard.getframerate()) == (1, 2, 8000)
        samples = array.array("h", heard.readframes(heard.getnframes()))
    assert len(samples) == 4 * 8000
    loud = [i for i, sample in enumerate(samples) if sample != 0]
    assert 0.4 * 8000 < loud[0] < 2.5 * 8000
    assert samples[loud[0] : loud[0] + 8000 : 4] == array.array("h", [samples[loud[0]]] * 2000)
    assert loud[-1] - loud[0] == 8000 - 2


def test_a_recording_of_another_rate_is_played_to_the_server(folder):
    with wave.open(str(folder / "in.wav"), "wb") as out:
        out.setparams((2, 2, 44100, 0, "NONE", ""))
        out.writeframes(b"".join(struct.pack("<hh", *[int(9000 * math.sin(i / 44100 * 6283.2))] * 2) for i in range(22050)))
    with PhoneServer() as server:
        code, summary = call(server.url, "--wav", folder / "in.wav", "--expect", "echo")
    assert code == 0, summary
    assert summary["frames_sent"] == 125  # Half a second, and two to hear the answer.
    assert summary["echo"]["correlation"] > 0.99


def test_a_stream_that_is_lost_is_resumed_as_its_action_says():
    def drop_first(socket_):
        if len(server.parameters_of("/webhook/stream_ended")) == 0:
            next(socket_.messages())
            socket_.connection.shutdown(socket.SHUT_RDWR)
        else:
            echo(socket_)

    with PhoneServer(stream=drop_first, webhook__stream_ended=lambda me: (200, "text/xml", me.twiml())) as server:
        code, summary = call(server.url, "--seconds", 1, "--noise", 1, "--expect", "echo")
    assert [stream["end"] for stream in summary["streams"]] == ["lost", "caller"]
    assert summary["echo"]["correlation"] > 0.99
    assert code == 1 and codes(summary) == {31903}  # A lost connection is never healthy, however well it ends.
    states = [parameters["CallStatus"] for parameters in server.parameters_of("/webhook/stream_ended")]
    assert states == ["in-progress", "completed"]


def test_over_tls_the_named_host_is_called_and_its_certificate_checked(folder):
    pem = folder / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", pem, "-out", folder / "c.pem"],
        check=True,
        capture_output=True,
    )
    certificate = (folder / "c.pem").read_text()
    pem.write_text(pem.read_text() + certificate)
    with PhoneServer(certificate=pem) as server:
        code, summary = call(server.url, "--seconds", 1, "--noise", 1, "--expect", "echo", "--ca-file", folder / "c.pem")
        assert code == 0, summary
        assert summary["echo"]["correlation"] > 0.99
        assert "/webhook/stream_ended" in server.paths()
        code, summary = call(server.url, "--seconds", 1)  # Self-signed: Twilio would not talk to it.
        assert code == 69 and codes(summary) == {11205}


def test_fast_takes_less_time_than_the_audio_lasts():
    with PhoneServer() as server:
        began = time.monotonic()
        code, summary = call(server.url, "--seconds", 30, "--fast", "--noise", 1, "--expect", "echo")
        took = time.monotonic() - began
    assert code == 0, summary
    assert summary["frames_sent"] == 1500
    assert summary["echo"]["correlation"] > 0.99
    assert took < 25


def test_interrupt_hangs_up_and_still_prints():
    with PhoneServer() as server:
        with Process([program("agentlocator-call"), "--url", server.url, "--seconds", "0", "--json"]) as caller:
            deadline = time.monotonic() + PATIENCE
            while "/webhook/stream_status" not in server.paths() and time.monotonic() < deadline:
                time.sleep(0.02)
            caller.send(signal.SIGINT)
            assert caller.wait() == 0
            summary = json.loads(caller.output)
    assert summary["streams"][0]["end"] == "caller"
    assert "/webhook/stream_ended" in server.paths()


def test_many_calls_add_up():
    with PhoneServer() as server:
        code, summary = call(server.url, "--calls", 20, "--rate", 100, "--seconds", 1, "--unique", "--expect", "echo")
    assert code == 0, summary
    assert summary["calls_healthy"] == 20
    assert summary["calls_lost"] == 0
    assert summary["frames"]["sent"] == summary["frames"]["answered"] == 20 * 50
    assert summary["frames"]["lost"] == summary["frames"]["corrupt"] == 0
    assert summary["answered_ms"]["count"] == 20
    assert len({parameters["CallSid"] for parameters in server.parameters_of("/webhook/incoming_call")}) == 20


# --- servers that do one thing wrong


def mis_said(**change):
    """A media message with fields changed, added, or (None) removed."""

    def act(socket_, sid):
        message = {"event": "media", "streamSid": sid, "media": {"payload": "////"}}
        message.update(change)
        socket_.send({key: value for key, value in message.items() if value is not None})

    return once_started(act)


def talk_after_stop(socket_):
    sid = None
    for message in socket_.messages():
        if message is None:
            return socket_.close()
        sid = message.get("streamSid", sid)
        if message["event"] == "stop":
            threading.Timer(0.1, socket_.clear, [sid]).start()  # As a speech that nobody cancelled would.


def http_after_close(socket_):
    for message in socket_.messages():
        if message is None:
            socket_.close()
            socket_.connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def before_start(socket_):
    socket_.media("MZ" + "0" * 32, b"x")
    for message in socket_.messages():
        if message is None:
            return socket_.close()


BAD_STREAMS = {
    "extra_field": (mis_said(sequenceNumber="1"), 31951),
    "missing_field": (mis_said(media=None), 31951),
    "wrong_stream_sid": (mis_said(streamSid="MZ1"), 31951),
    "snake_case": (mis_said(streamSid=None, stream_sid="MZ1"), 31951),
    "unknown_event": (mis_said(event="hangup"), 31951),
    "not_base64": (mis_said(media={"payload": "*"}), 31951),
    "not_json": (once_started(lambda socket_, _: socket_.send("ping")), 31951),
    "before_start": (before_start, 31951),
    "after_stop": (talk_after_stop, 31951),
    "binary": (once_started(lambda socket_, _: socket_.send(b"\xff" * 160, opcode=2)), 31950),
    "masked": (once_started(lambda socket_, _: socket_.send("{}", mask=True)), 31924),
    "reserved_bit": (once_started(lambda socket_, _: socket_.send("{}", head=0xC1)), 31924),
    "fragmented_control": (once_started(lambda socket_, _: socket_.send("", head=0x09)), 31924),
    "http_after_close": (http_after_close, 31924),
    "cut_off": (once_started(lambda socket_, _: socket_.connection.shutdown(socket.SHUT_RDWR)), 31903),
    "error_close": (once_started(lambda socket_, _: socket_.close(1011, "bug")), 31921),
    "ten_minutes_ahead": (
        once_started(lambda socket_, sid: [socket_.media(sid, b"\xff" * 480_000) for _ in range(11)]),
        31931,
    ),
}


@pytest.mark.parametrize("fault", BAD_STREAMS)
def test_a_server_that_breaks_the_stream_protocol_is_found_out(fault):
    stream, code = BAD_STREAMS[fault]
    with PhoneServer(stream=stream) as server:
        exit_code, summary = call(server.url, "--seconds", 0.5, "--expect", "none")
    assert exit_code == 1
    assert codes(summary) == {code}, summary["violations"]
    assert not summary["healthy"]


BAD_ANSWERS = {
    "json": ({"webhook__incoming_call": (200, "application/json", "{}")}, 12300),
    "no_content_type": ({"webhook__incoming_call": (200, "", "<Response/>")}, 12300),
    "leading_blank": ({"webhook__incoming_call": (200, "text/xml", " " + DECLARATION + "<Response/>")}, 12100),
    "unescaped": ({"webhook__incoming_call": (200, "text/xml", "<Response><Say>a & b</Say></Response>")}, 12100),
    "server_error": ({"webhook__incoming_call": (500, "text/html", "oops")}, 11200),
    "too_large": ({"webhook__incoming_call": (200, "text/xml", "<Response>" + " " * 65536 + "</Response>")}, 11750),
    "action_204": ({"webhook__stream_ended": (204, "", "")}, 12100),
    "status_text": ({"webhook__stream_status": (200, "text/plain", "OK")}, 12100),
    "status_missing": ({"webhook__call_status": (404, "text/plain", "no")}, 15003),
    "query": (
        {
            "webhook__incoming_call": lambda me: (
                200,
                "text/xml",
                f'<Response><Connect><Stream url="wss://127.0.0.1:{me.port}/ws/twilio-media?a=b"/></Connect></Response>',
            )
        },
        31923,
    ),
}


@pytest.mark.parametrize("fault", BAD_ANSWERS)
def test_a_server_that_answers_a_webhook_wrongly_is_found_out(fault):
    answers, code = BAD_ANSWERS[fault]
    with PhoneServer(**answers) as server:
        exit_code, summary = call(server.url, "--seconds", 0.3, "--expect", "none")
    assert exit_code == 1
    assert code in codes(summary), summary["violations"]


def test_a_subprotocol_that_was_not_offered_is_refused_and_an_offered_one_wanted():
    with PhoneServer() as server:
        server.upgrade_headers = "Sec-WebSocket-Protocol: audio.twilio.com\r\n"
        exit_code, summary = call(server.url, "--seconds", 0.3, "--expect", "none")
        assert exit_code == 1 and codes(summary) == {31920}
        assert call(server.url, "--seconds", 0.3, "--expect", "none", "--subprotocol")[0] == 0
        server.upgrade_headers = ""
        assert call(server.url, "--seconds", 0.3, "--expect", "none", "--subprotocol")[0] == 1


def test_expectations_are_held_against_what_was_heard():
    with PhoneServer() as server:
        exit_code, summary = call(server.url, "--seconds", 1, "--expect", "speech", "--noise", 1)
        assert exit_code == 1
        assert any("hears himself" in reason for reason in summary["reasons"])
        assert call(server.url, "--seconds", 1, "--expect", "silence")[0] == 1
    with PhoneServer(stream=once_started(lambda *_: None)) as server:
        assert call(server.url, "--seconds", 1, "--expect", "silence")[0] == 0
        assert call(server.url, "--seconds", 1, "--expect", "echo")[0] == 1
        assert call(server.url, "--seconds", 1, "--expect", "speech")[0] == 1


def test_nobody_there_is_69_and_wrong_usage_64(folder):
    assert call(f"http://127.0.0.1:{free_port()}")[0] == 69
    for wrong in (["--nonsense"], ["--wav", str(folder / "none.wav")], ["--fault", "none"], ["--url", "h"]):
        done = subprocess.run([program("agentlocator-call"), *wrong], env=clean_environment(), capture_output=True, text=True)
        assert done.returncode == 64
        assert done.stderr and not done.stdout


# --- the real worker

TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def worker(mode, **environment):
    """A worker of its own, and its URL once it serves."""
    process = Process([program("agentlocator-worker"), "--port", "0"], env=clean_environment(WS_MODE=mode, **environment))
    port = process.wait_for(r"event=worker_ready port=(\d+)").group(1)
    return process, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("mode,expect", [("ECHO", "echo"), ("SINK", "silence"), ("AI", "speech")])
def test_each_mode_of_the_worker_is_healthy_and_expected_from_version(mode, expect):
    process, url = worker(mode)
    with process:
        code, summary = call(url, "--seconds", 4, "--noise", 7)
        assert code == 0, summary
        assert summary["expect"] == expect
        assert (summary["echo"]["correlation"] > 0.99) == (mode == "ECHO")
        assert mode == "ECHO" or summary["echo"]["correlation"] < 0.1
        assert (summary["media_received"] == 0) == (mode == "SINK")
        assert process.wait_for(r"WS_DONE sid=MZ[0-9a-f]{32} rx=200 tx=\d+")


def test_signed_calls_are_taken_and_forged_ones_are_not():
    process, url = worker("ECHO", TWILIO_AUTH_TOKEN=TOKEN)
    with process:
        for more in ([], ["--public-url", "https://voice.example.com"], ["--fault", "slash-signature"], ["--subprotocol"]):
            code, summary = call(url, "--seconds", 0.5, *more, TWILIO_AUTH_TOKEN=TOKEN)
            assert code == 0, (more, summary)
        code, summary = call(url, "--seconds", 0.5, "--fault", "bad-signature", TWILIO_AUTH_TOKEN=TOKEN)
        assert code == 1 and codes(summary) == {11200, 15003}
        code, summary = call(url, "--seconds", 0.5)
        assert code == 1 and codes(summary) == {11200, 15003}
        # The stream alone, whatever its signature: it lacks the token that the webhook hands out.
        for more in ([], ["--fault", "bad-signature"]):
            code, summary = call(url, "--seconds", 0.5, "--stream-only", *more, TWILIO_AUTH_TOKEN=TOKEN)
            assert code == 1
            assert summary["streams"][0]["close_code"] == 1008
            assert summary["media_received"] == 0


def test_both_paths_of_the_stream_are_served():
    process, url = worker("ECHO")
    with process:
        for path in ("/ws/twilio-media", "/ws/twilio-media/"):
            code, summary = call(url, "--seconds", 0.5, "--stream-only", path, "--expect", "echo")
            assert code == 0, (path, summary)


# Fault, close code wanted (None: the stream goes on), whether ECHO mode still echoes most of the call, log line.
FAULTS = {
    "drop-tcp=1": ("cut", None, r"WS_CLOSED sid={sid}"),
    "close-without-stop=1": ("caller", None, r"WS_CLOSED sid={sid}"),
    "freeze=1": ("cut", None, r"WS_CLOSED sid={sid}"),
    "delay-marks=300": ("caller", True, r"WS_STOP sid={sid}"),
    "lose-marks": ("caller", True, r"WS_STOP sid={sid}"),
    "duplicate-media=5": ("caller", True, r"WS_STOP sid={sid}"),
    "skip-sequence=3": ("caller", True, r"WS_STOP sid={sid}"),
    "burst=0.5": ("caller", True, r"WS_STOP sid={sid}"),
    "fragment=3": ("caller", True, r"WS_STOP sid={sid}"),
    "junk-before-start": ("caller", True, r"WS_BAD_JSON"),
    "media-before-start": ("caller", True, r"WS_STOP sid={sid}"),
    "start-without-ids": (None, False, r"WS_DONE sid=-"),
    "parameters-raw": ("caller", True, r"WS_STOP sid={sid}"),
    "parameters-escaped": ("caller", True, r"WS_STOP sid={sid}"),
    "wrong-stream-sid": ("caller", True, r"WS_STOP sid={sid}"),
    "invalid-json": ("caller", True, r"WS_BAD_JSON sid={sid}"),
    "bad-base64": ("caller", True, r"WS_ERR: sid={sid}"),
    "unknown-event": ("caller", True, r"WS_STOP sid={sid}"),
    "oversized=65000": ("caller", True, r"WS_STOP sid={sid}"),
    "oversized": (1009, None, r"WS_ERR: sid={sid}"),
    "binary": (1003, None, r"WS_ERR: sid={sid}"),
    "unmasked": (1002, None, r"WS_ERR: sid={sid}"),
    "reserved-bit": (1002, None, r"WS_ERR: sid={sid}"),
    "fragmented-ping": (1002, None, r"WS_ERR: sid={sid}"),
    "invalid-utf8": (1007, None, r"WS_ERR: sid={sid}"),
}


@pytest.fixture(scope="module", params=["ECHO", "AI"])
def faulty_calls(request):
    """Every fault at once against one worker, as calls on one server are."""
    process, url = worker(request.param)
    with process:
        running = {
            fault: subprocess.Popen(
                [program("agentlocator-call"), "--url", url, "--json", "--seconds", "4", "--noise", "5", "--fault", fault],
                env=clean_environment(),
                stdout=subprocess.PIPE,
                text=True,
            )
            for fault in FAULTS
        }
        results = {}
        for fault, child in running.items():
            text = child.communicate(timeout=2 * PATIENCE)[0]
            results[fault] = (child.returncode, json.loads(text))
        # And it still serves.
        results["healthy"] = call(url, "--seconds", 1, "--noise", 5)
        yield request.param, results, process


@pytest.mark.parametrize("fault", FAULTS)
def test_the_worker_stands_a_caller_that_does_wrong(faulty_calls, fault):
    mode, results, process = faulty_calls
    end, echoes, line = FAULTS[fault]
    exit_code, summary = results[fault]
    assert exit_code == 0, summary
    assert summary["violations"] == []
    stream = summary["streams"][0]
    if isinstance(end, int):
        assert (stream["end"], stream["close_code"]) == ("server", end)
    elif end is not None:
        assert stream["end"] == end
    if echoes is not None and mode == "ECHO":
        assert (summary["media_received"] > 0.9 * summary["frames_sent"] - 25) == echoes
    if mode == "AI":
        assert summary["echo"]["correlation"] < 0.2
    process.wait_for(line.format(sid="MZ[0-9a-f]{32}"))


def test_the_worker_serves_on_after_all_faults(faulty_calls):
    exit_code, summary = faulty_calls[1]["healthy"]
    assert exit_code == 0, summary
    assert faulty_calls[2].returncode is None


def test_a_hundred_calls_at_once_lose_nothing():
    process, url = worker("ECHO")
    with process:
        code, summary = call(url, "--calls", 100, "--rate", 100, "--seconds", 3, "--unique")
        assert code == 0, {key: summary[key] for key in ("first_reason", "violations", "frames")}
        assert summary["calls_healthy"] == 100
        assert summary["frames"]["sent"] == summary["frames"]["answered"] == 100 * 150
        assert len(re.findall(r"WS_DONE ", process.output)) == 100
        assert process.stop() == 0
