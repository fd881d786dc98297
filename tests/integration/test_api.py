"""/api with a real worker: who gets in, what is acknowledged, and what a stand-in for Twilio is asked to send."""

import contextlib
import json
import sqlite3
import stat
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import Process, clean_environment, program, wait_until


class Twilio(ThreadingHTTPServer):
    """Takes messages, and can be told to answer otherwise."""

    def __init__(self):
        self.sent = []
        self.answers = []  # Statuses to answer with, before it begins to say 201.
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            status = self.server.answers.pop(0) if self.server.answers else 201
            sid = f"SM{len(self.server.sent) + 1}"
            if status in (201, 500):  # 500: it did take the message, and failed to say so.
                self.server.sent.append(form | {"sid": sid})
            self.reply(status, {"sid": sid, "status": "queued"} if status == 201 else {"code": 20500})

        def do_GET(self):
            messages = [{"sid": m["sid"], "body": m["Body"], "direction": "outbound-api"} for m in self.server.sent]
            self.reply(200, {"messages": messages})

        def reply(self, status, document):
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass


class Api:
    def __init__(self, folder, **settings):
        self.folder = folder
        self.process = Process(
            [program("agentlocator-worker"), "--port", "0"],
            env=clean_environment(AGENTLOCATOR_DATA_DIR=folder, ENABLE_WA_BAILEYS="false", **settings),
        )

    def __enter__(self):
        self.process.__enter__()
        self.port = int(self.process.wait_for(r"event=worker_ready port=(\d+)").group(1))
        self.token = (self.folder / "admin-token").read_text().strip()
        return self

    def __exit__(self, *details):
        return self.process.__exit__(*details)

    def ask(self, path, body=None, token=None, **headers):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token if token is None else token}"} | headers,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read() or "null")


@pytest.fixture
def twilio():
    with Twilio() as server:
        yield server
        server.shutdown()


@pytest.fixture
def api(folder, twilio):
    settings = {
        "TWILIO_API_BASE_URL": f"http://127.0.0.1:{twilio.server_port}",
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "secret",
        "TWILIO_WHATSAPP_NUMBER": "+14155550123",
        "VALIDATE_TWILIO_SIGNATURE": "false",
    }
    with Api(folder, **settings) as running:
        yield running


def test_only_the_token_opens_the_api(api):
    assert api.ask("/api/calls")[0] == 200
    assert api.ask("/api/calls", token="wrong-token")[0] == 401
    assert api.ask("/api/calls", token="")[0] == 401
    assert stat.S_IMODE((api.folder / "admin-token").stat().st_mode) == 0o600
    assert api.process.output.count("event=admin_token_made") == 1
    assert api.token not in api.process.output
    assert api.ask("/api/payments/webhook", {})[0] == 410


def test_a_message_is_stored_sent_once_and_followed_to_its_delivery(api, twilio):
    began = time.monotonic()
    status, sent = api.ask("/api/whatsapp/send", {"to": "050-1234567", "message": "שלום"})
    assert (status, sent["success"], sent["result"]["status"]) == (202, True, "queued")
    assert time.monotonic() - began < 2
    wait_until(lambda: twilio.sent, "never sent")
    assert twilio.sent[0]["To"] == "whatsapp:+972501234567"
    assert twilio.sent[0]["From"] == "whatsapp:+14155550123"
    assert twilio.sent[0]["Body"] == "שלום"

    def statuses():
        return [one["status"] for one in api.ask("/api/whatsapp/messages?direction=out")[1]["messages"]]

    wait_until(lambda: statuses() == ["accepted"], statuses, interval=0.2)  # Below the rate limit.
    report = urllib.parse.urlencode({"MessageSid": "SM1", "MessageStatus": "delivered"}).encode()
    urllib.request.urlopen(f"http://127.0.0.1:{api.port}/webhook/whatsapp/status", report)
    wait_until(lambda: statuses() == ["delivered"], statuses, interval=0.2)


def test_a_message_that_twilio_took_and_failed_to_say_so_is_not_sent_twice(api, twilio):
    twilio.answers = [500]
    assert api.ask("/api/whatsapp/send", {"to": "0501234567", "message": "once"})[0] == 202
    wait_until(
        lambda: [m["status"] for m in api.ask("/api/whatsapp/messages")[1]["messages"]] == ["accepted"],
        lambda: api.ask("/api/whatsapp/messages"),
        interval=0.2,  # Below the rate limit.
    )
    assert [message["Body"] for message in twilio.sent] == ["once"]


def test_one_idempotency_key_is_one_message(api, twilio):
    body = {"to": "0501234567", "message": "x"}
    key = {"Idempotency-Key": "order-7"}
    ids = {api.ask("/api/whatsapp/send", body, **key)[1]["message_id"] for _ in range(3)}
    assert len(ids) == 1
    wait_until(lambda: twilio.sent, "never sent")
    assert api.ask("/api/whatsapp/send", body | {"message": "y"}, **key)[0] == 409
    assert len(twilio.sent) == 1


def test_an_inbound_message_is_stored_once_answered_once_and_makes_a_lead(api, twilio):
    form = {"MessageSid": "SM9", "From": "whatsapp:+972501234567", "To": "whatsapp:+14155550123", "Body": "שלום"}
    for path, status in (("twilio", 204), ("twilio", 204), ("inbound", 200)):  # Twilio repeats what it is unsure of.
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{api.port}/webhook/whatsapp/{path}", data) as answer:
            assert answer.status == status

    def talk():
        found = api.ask("/api/whatsapp/conversation/0501234567")[1]["conversation"]
        return [(message["direction"], message["status"]) for message in found]

    wait_until(lambda: talk() == [("in", "answered"), ("out", "accepted")], talk, interval=0.2)
    assert [(message["To"], message["From"]) for message in twilio.sent] == [
        ("whatsapp:+972501234567", "whatsapp:+14155550123")
    ]
    assert "לאה" in twilio.sent[0]["Body"]
    assert api.ask("/api/whatsapp/conversations")[1]["total"] == 1
    assert api.ask("/api/leads")[1]["leads"][0]["phone"] == "+972501234567"


def test_the_bridge_routes_say_that_there_is_none(api):
    status, body = api.ask("/api/whatsapp/status")
    assert (status, body["provider"], body["ready"], body["baileys"]["enabled"]) == (200, "twilio", True, False)
    assert api.ask("/api/whatsapp/qr")[0] == 503
    assert api.ask("/api/whatsapp/status", token="wrong")[0] == 401


def test_a_process_that_leaves_the_database_takes_nothing_with_it(api):
    """A worker has several connections. Each must keep its locks when the next one is opened: else whoever closes the
    file last in another process deletes the log under the worker, and what is written after that is lost."""
    assert api.ask("/api/leads")[0] == 200
    database = api.folder / "agentlocator.db"
    for number in range(2):
        form = {"MessageSid": f"SM{number}", "From": f"+97250123456{number}", "To": "+14155550123", "Body": "x"}
        urllib.request.urlopen(f"http://127.0.0.1:{api.port}/webhook/whatsapp/twilio", urllib.parse.urlencode(form).encode())
        wait_until(lambda: len(api.ask("/api/leads")[1]["leads"]) == number + 1, "not stored", interval=0.2)
        with contextlib.closing(sqlite3.connect(database)) as other:
            assert other.execute("SELECT COUNT(*) FROM leads").fetchone() == (number + 1,)
        assert (api.folder / "agentlocator.db-wal").exists()
