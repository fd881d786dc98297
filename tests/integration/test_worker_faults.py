"""One real worker against broken and hostile peers: each is refused or survived, and an honest call beside it goes on."""

import re
import resource
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from media_client import BINARY, CALL, CLOSE, FRAME, PING, SID, STOP, MediaClient, frame, media, start
from support import Process, clean_environment, program, wait_until


class Worker:
    def __init__(self, **settings):
        settings.setdefault("WS_MODE", "ECHO")
        self.process = Process([program("agentlocator-worker"), "--port", "0"], env=clean_environment(**settings))

    def __enter__(self):
        self.process.__enter__()
        self.port = int(self.process.wait_for(r"event=worker_ready port=(\d+)").group(1))
        return self

    def __exit__(self, *details):
        return self.process.__exit__(*details)

    def connect(self, **how):
        return MediaClient(self.port, **how)

    def get(self, path, data=None, headers=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers or {})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()


@pytest.fixture
def worker():
    with Worker() as running:
        yield running
        assert running.process.returncode is None, "the worker died"


def echoes(client):
    """The stream is alive: what is sent comes back unchanged."""
    client.send(media())
    while True:
        message = client.message()
        if message["event"] == "media":
            assert message == {"event": "media", "streamSid": SID, "media": {"payload": FRAME}}
            return True


def test_an_honest_call_in_echo_mode(worker):
    with worker.connect(headers=["Sec-WebSocket-Protocol: foo, AUDIO.twilio.com"]) as client:
        assert client.status == 101
        assert "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in client.response.lower()
        assert "\r\nsec-websocket-protocol: audio.twilio.com" in client.response.lower()
        client.begin()
        client.send(media())
        assert client.message() == {"event": "clear", "streamSid": SID}
        assert client.message()["media"]["payload"] == FRAME
        client.send(STOP)
        assert client.close_code() == 1000
        client.send(b"\x03\xe8", opcode=CLOSE)
        assert client.ended()
    worker.process.wait_for(rf"^WS_CONNECTED mode=ECHO hebrew_realtime=True$")
    worker.process.wait_for(rf"^WS_START sid={SID} mode=ECHO$")
    worker.process.wait_for(rf"^WS_STOP sid={SID} frames=1 rx=1 tx=1$")
    worker.process.wait_for(rf"^WS_DONE sid={SID} rx=1 tx=1$")


def test_the_subprotocol_is_not_volunteered_and_the_slash_is_no_redirect(worker):
    with worker.connect(path="/ws/twilio-media/") as client:
        assert client.status == 101
        assert "websocket-protocol" not in client.response.lower()
        assert echoes(client.begin())


@pytest.mark.parametrize(
    "bytes_sent, code",
    [
        (frame("x", masked=False), 1002),
        (frame("x", reserved=4), 1002),
        (frame("x", opcode=3), 1002),
        (frame("x", opcode=PING, fin=False), 1002),
        (frame("x" * 126, opcode=PING), 1002),
        (frame("x", opcode=0), 1002),
        (frame("a", fin=False) + frame("b"), 1002),
        (frame(b"x", opcode=BINARY), 1003),
        (frame(b"\xff\xfe"), 1007),
        (frame("x" * 65537), 1009),
        (frame("", length=2**62)[:14], 1009),
        (frame("x" * 65536, fin=False) + frame("x", opcode=0), 1009),
        (frame(b"\x03", opcode=CLOSE), 1002),
        (frame(b"\x03\xed", opcode=CLOSE), 1002),
    ],
    ids=["unmasked", "reserved", "opcode", "split-ping", "long-ping", "stray-continuation", "new-inside-fragment",
         "binary", "not-utf8", "over-limit", "absurd-length", "fragments-over-limit", "short-close", "close-1005"],
)
def test_frames_that_break_the_protocol_end_that_stream_only(worker, bytes_sent, code):
    with worker.connect() as honest, worker.connect() as broken:
        honest.begin()
        broken.begin()
        broken.socket.sendall(bytes_sent)
        assert broken.close_code() == code
        assert echoes(honest)


def test_messages_that_mean_nothing_are_passed_over(worker):
    with worker.connect() as client:
        client.send(media())  # Before start.
        client.send("{not json")
        client.send("[]")
        client.send('{"event":"start","start":{}}')  # Without ids.
        client.begin()
        client.send('{"event":"someday","streamSid":"x"}')
        client.send(media(sid="MZ" + "5" * 32))
        client.send(media(payload="!!!! not base64"))
        client.send(media(payload="AAA"))
        client.send("")
        client.send("\ufeff{}")
        assert client.begin() and echoes(client)  # The second start changes nothing.
    worker.process.wait_for(r"^WS_BAD_JSON sid=-$")
    worker.process.wait_for(rf"^WS_DONE sid={SID} rx=1 tx=1$")


def test_fragments_with_control_frames_between_are_one_message(worker):
    with worker.connect() as client:
        client.begin()
        text = media()
        client.send(text[:50], fin=False)
        client.send("are you there?", opcode=PING)
        client.send(text[50:80], opcode=0, fin=False)
        client.send(text[80:], opcode=0)
        assert client.receive() == (10, b"are you there?")
        assert client.message()["event"] == "clear"
        assert client.message()["media"]["payload"] == FRAME


def test_a_stream_sent_byte_by_byte_is_understood(worker):
    with worker.connect() as client:
        for byte in frame(start()) + frame(media()):
            client.socket.sendall(bytes([byte]))
        assert client.message()["event"] == "clear"
        assert client.message()["media"]["payload"] == FRAME


def test_the_largest_message_is_echoed(worker):
    payload = "AAAA" * ((65536 - len(media(""))) // 4)
    with worker.connect() as client:
        client.begin()
        client.send(media(payload))
        assert client.message()["event"] == "clear"
        assert client.message()["media"]["payload"] == payload


def test_a_peer_that_does_not_read_is_slowed_and_loses_nothing(worker):
    count = 8000
    with worker.connect() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.begin()
        sender = threading.Thread(target=lambda: client.socket.sendall(frame(media()) * count))
        sender.start()
        time.sleep(0.5)  # Let the buffers fill: that is the point of this test, not a wait for something.
        for _ in range(count + 1 + count // 50):
            client.message()
        sender.join()
    worker.process.wait_for(rf"^WS_DONE sid={SID} rx={count} tx={count}$")


def test_a_half_open_connection_is_noticed():
    with Worker(STREAM_TIMEOUT_MS=1000) as worker, worker.connect() as client:
        client.begin()  # And then nothing: Twilio sends 50 messages a second.
        worker.process.wait_for(rf"^WS_DONE sid={SID} rx=0 tx=0$", seconds=10)
        assert client.close_code() == 1001


def test_ai_mode_speaks_and_never_returns_the_callers_voice():
    with Worker(WS_MODE="AI") as worker, worker.connect() as client:
        client.begin()
        client.send(media())
        heard = [client.message() for _ in range(40)]
        assert all(message["event"] == "media" for message in heard)
        assert all(message["media"]["payload"] != FRAME for message in heard)
        worker.process.wait_for(r"^TTS_LEN_BYTES [1-9]\d+$")
        worker.process.wait_for(rf"^WS_START sid={SID} mode=AI$")


def test_with_signatures_on_a_stream_needs_the_token_of_its_call():
    from test_signing import sign

    token = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    with Worker(TWILIO_AUTH_TOKEN=token, PUBLIC_BASE_URL="https://voice.example.com") as worker:
        with worker.connect() as client:
            client.begin()
            assert client.close_code() == 1008
        with pytest.raises(urllib.error.HTTPError) as refused:
            worker.get("/webhook/incoming_call", data=b"CallSid=" + CALL.encode())
        assert refused.value.code == 403
        worker.process.wait_for(r"https://voice\.example\.com/webhook/incoming_call")
        signature = sign(token, "https://voice.example.com/webhook/incoming_call", {"CallSid": CALL})
        _, _, twiml = worker.get("/webhook/incoming_call", data=b"CallSid=" + CALL.encode(),
                                 headers={"X-Twilio-Signature": signature})
        stream_token = twiml.split('name="token" value="')[1].split('"')[0]
        with worker.connect() as client:
            assert echoes(client.begin(parameters={"token": stream_token}))
        with worker.connect() as client:
            client.begin(call="CA" + "9" * 32, parameters={"token": stream_token})
            assert client.close_code() == 1008
        assert token not in worker.process.output
        assert signature not in worker.process.output


def raw(port, data, timeout=30):
    """Sends bytes, reads to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(data)
        answer = b""
        while True:
            try:
                more = connection.recv(65536)
            except ConnectionError:
                return answer
            if not more:
                return answer
            answer += more


@pytest.mark.parametrize(
    "request_bytes, status",
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20000 + b"\r\n\r\n", b"431"),
        (b"POST /webhook/stream_ended HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"a" * 300000, b"413"),
        (b"POST /webhook/stream_ended HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"400"),
        (b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", b"505"),
        (b"GET /ws/twilio-media HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"400"),
        (b"BREW /webhook/incoming_call HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"405"),
        (b"GET /no/such HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"404"),
    ],
    ids=["tls-hello", "long-header", "long-body", "two-lengths", "version", "plain-get", "method", "path"],
)
def test_requests_that_are_none_get_a_clear_answer(worker, request_bytes, status):
    answer = raw(worker.port, request_bytes)
    assert answer.split(b" ", 2)[1] == status, answer[:200]


def test_a_flood_of_refused_requests_does_not_flood_the_log():
    refused = 2000
    with Worker(TWILIO_AUTH_TOKEN="0f1e2d3c4b5a69788796a5b4c3d2e1f0", PUBLIC_BASE_URL="https://a.example") as worker:
        head = b"GET /webhook/incoming_call?CallSid=CA1 HTTP/1.1\r\nHost: a\r\n"
        answers = raw(worker.port, (head + b"\r\n") * (refused - 1) + head + b"Connection: close\r\n\r\n")
        assert answers.count(b"HTTP/1.1 403 ") == refused
        time.sleep(0.2)  # The next line is due.
        raw(worker.port, head + b"Connection: close\r\n\r\n")

        def swallowed():
            return sum(map(int, re.findall(r"refusals_not_logged worker=1 count=(\d+)", worker.process.output)))

        wait_until(lambda: worker.process.output.count("webhook_refused") + swallowed() == refused + 1,
                   "lines are missing")
        assert swallowed() > refused / 2
        assert f"agentlocator_worker_refused_total{{worker=\"1\"}} {refused + 1}" in worker.get("/metrics")[2]


def test_slow_headers_are_cut_off_and_others_served():
    with Worker(HTTP_HEADER_TIMEOUT_MS=500) as worker:
        slow = socket.create_connection(("127.0.0.1", worker.port), timeout=30)
        slow.sendall(b"GET / HTTP/1.1\r\nHo")
        began = time.monotonic()
        assert worker.get("/healthz")[2].strip() == "ok"
        with slow:
            while slow.recv(1000):
                pass
        assert time.monotonic() - began < 10


def test_ten_thousand_idle_connections_lock_nobody_out():
    count = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > count + 100, f"this test needs {count + 100} descriptors, the hard limit is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle = []
    try:
        with Worker(HTTP_CONNECTIONS_MAX=1000) as worker, worker.connect() as client:
            client.begin()
            for _ in range(count):
                idle.append(socket.create_connection(("127.0.0.1", worker.port), timeout=30))
            assert worker.get("/healthz")[2].strip() == "ok"
            assert echoes(client)
            metrics = worker.get("/metrics")[2]
            assert worker.process.returncode is None
            assert "agentlocator_" in metrics
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_running_out_of_descriptors_is_said_and_survived():
    limit = 64
    worker_program = program("agentlocator-worker")
    process = Process(["/bin/sh", "-c", f"ulimit -n {limit}; exec {worker_program} --port 0"],
                      env=clean_environment(WS_MODE="ECHO"))
    crowd = []
    with process:
        port = int(process.wait_for(r"event=worker_ready port=(\d+)").group(1))
        with MediaClient(port) as client:
            client.begin()
            for _ in range(2 * limit):
                crowd.append(socket.create_connection(("127.0.0.1", port), timeout=30))
            process.wait_for(r"event=accept_failed .*remedy=")
            assert echoes(client)
            for connection in crowd:
                connection.close()
            wait_until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30).status == 200,
                       "the worker answers again")
            assert echoes(client)


def test_sigterm_drains_and_a_second_one_ends_the_calls():
    with Worker() as worker, worker.connect() as client:
        assert echoes(client.begin())
        worker.process.send(signal.SIGTERM)
        wait_until(lambda: not accepts(worker.port), "the worker still accepts")
        assert echoes(client)
        worker.process.send(signal.SIGTERM)
        assert client.close_code() == 1001
        client.socket.close()
        assert worker.process.wait() == 0
        assert len([line for line in worker.process.output.splitlines() if line.startswith("WS_DONE")]) == 1


def test_a_draining_worker_answers_whom_it_has_accepted():
    """A client that has connected and not asked yet, as one does in the moment of an upgrade."""
    ask = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with Worker() as worker:
        with socket.create_connection(("127.0.0.1", worker.port), timeout=30) as fresh, \
                socket.create_connection(("127.0.0.1", worker.port), timeout=30) as asked:
            asked.sendall(ask)
            assert asked.recv(4096).startswith(b"HTTP/1.1 200")
            worker.process.send(signal.SIGTERM)
            assert asked.recv(1) == b"", "a connection that was answered is closed when the drain begins"
            fresh.sendall(ask)
            answer = fresh.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200") and b"Connection: close" in answer
        assert worker.process.wait() == 0


def accepts(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=0.3).status == 200
    except OSError:
        return False
