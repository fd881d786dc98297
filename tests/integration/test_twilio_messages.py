"""WhatsApp through Twilio, with Twilio's own client as the judge of both ends: what our outbox sends to the fake of
Twilio's REST API is what that client sends, and what that client signs is what our webhook takes."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from provider_farm import Farm
from support import Process, clean_environment, program, wait_until
from vendor_libraries import NODE_FOLDER, node_modules

ACCOUNT = "AC" + "0" * 32
TOKEN = "twilio-token-0123456789"
BASE = "https://voice.example.com"

# The official client's signature of a form, for an address.
SIGN = """
const path = require('path');
const hooks = require(path.join(process.env.ORACLE_MODULES, 'twilio/lib/webhooks/webhooks.js'));
const { token, url, form } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(hooks.getExpectedTwilioSignature(token, url, form));
"""


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


@pytest.fixture
def worker(folder, farm):
    env = clean_environment(
        AGENTLOCATOR_DATA_DIR=folder, ENABLE_WA_BAILEYS="false", WHATSAPP_ANSWERS="false", SSL_CERT_FILE=farm.ca,
        TWILIO_API_BASE_URL=farm.url("fine"), TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN,
        TWILIO_WHATSAPP_NUMBER="+97233760000", PUBLIC_BASE_URL=BASE)
    with Process([program("agentlocator-worker"), "--port", "0"], env=env) as process:
        process.port = int(process.wait_for(r"event=worker_ready port=(\d+)").group(1))
        process.token = (folder / "admin-token").read_text().strip()
        yield process


def ask(worker, path, data=None, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{worker.port}{path}", data=data,
                                     headers={"Authorization": f"Bearer {worker.token}"} | headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def messages(farm):
    return [line["form"] for line in farm.seen("twilio") if line["resource"] == "Messages"]


def test_our_outbox_sends_what_twilios_client_sends(farm, worker):
    environment = clean_environment(FARM=f"https://127.0.0.1:{farm.port}", ORACLE_MODULES=node_modules(),
                                    NODE_EXTRA_CA_CERTS=farm.ca)
    subprocess.run(["node", str(NODE_FOLDER / "sdk" / "twilio.mjs")], env=environment, capture_output=True,
                   timeout=240, check=True)
    theirs = wait_until(lambda: [form for form in messages(farm) if form.get("Body") == "שלום"], lambda: messages(farm))[0]
    body = {"to": "050-1234567", "message": theirs["Body"], "provider": "twilio"}
    assert ask(worker, "/api/whatsapp/send", json.dumps(body).encode())[0] == 202
    ours = wait_until(lambda: [form for form in messages(farm) if "StatusCallback" in form], lambda: messages(farm))[0]
    assert ours.pop("StatusCallback") == BASE + "/webhook/whatsapp/status"
    assert ours == theirs
    listed = wait_until(lambda: [one for one in json.loads(ask(worker, "/api/whatsapp/messages")[1])["messages"]
                                 if one["status"] == "accepted"], lambda: ask(worker, "/api/whatsapp/messages"), interval=0.2)
    assert listed[0]["body"] == "שלום"


def test_what_twilios_client_signs_is_taken_and_nothing_else(worker):
    form = {"MessageSid": "SM" + "3" * 32, "AccountSid": ACCOUNT, "From": "whatsapp:+972501234567",
            "To": "whatsapp:+97233760000", "Body": "היי 👋 מה שעות הפתיחה?", "NumMedia": "0", "ProfileName": "", "WaId": "972501234567"}
    path = "/webhook/whatsapp/twilio"
    signed = subprocess.run(["node", "-e", SIGN], env=clean_environment(ORACLE_MODULES=node_modules()),
                            input=json.dumps({"token": TOKEN, "url": BASE + path, "form": form}), capture_output=True,
                            text=True, timeout=120, check=True).stdout
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    good = urllib.parse.urlencode(form).encode()
    forged = urllib.parse.urlencode(form | {"Body": "something else"}).encode()
    assert ask(worker, path, forged, **kind, **{"X-Twilio-Signature": signed})[0] == 403
    assert ask(worker, path, good, **kind)[0] == 403
    assert ask(worker, path, good, **kind, **{"X-Twilio-Signature": signed})[0] == 204
    stored = wait_until(lambda: json.loads(ask(worker, "/api/whatsapp/messages")[1])["messages"], "not stored", interval=0.2)
    assert [one["body"] for one in stored] == [form["Body"]]


def test_a_business_answers_in_its_own_words_and_nobody_elses_number_in_them(folder, farm):
    """The script answers: no model is set up. Two numbers, one of which belongs to a business."""
    env = clean_environment(
        AGENTLOCATOR_DATA_DIR=folder, ENABLE_WA_BAILEYS="false", SSL_CERT_FILE=farm.ca, AGENT_LANGUAGE="en-US",
        TWILIO_API_BASE_URL=farm.url("fine"), TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN,
        TWILIO_WHATSAPP_NUMBER="+97233760000", VALIDATE_TWILIO_SIGNATURE="false")

    def command(*arguments):
        return subprocess.run([program("agentlocator"), *arguments], env=env, check=True, capture_output=True, timeout=60)

    command("business", "add", "Flats", "--whatsapp", "+97233761111")
    command("business", "set", "1", "greeting_en", "Hello from the flats.", "--channel", "whatsapp")
    with Process([program("agentlocator-worker"), "--port", "0"], env=env) as process:
        port = int(process.wait_for(r"event=worker_ready port=(\d+)").group(1))
        for person, number in (("+972501111111", "+97233761111"), ("+972502222222", "+97233762222")):
            form = {"MessageSid": f"SM{person}", "From": f"whatsapp:{person}", "To": f"whatsapp:{number}", "Body": "hi"}
            urllib.request.urlopen(f"http://127.0.0.1:{port}/webhook/whatsapp/twilio",
                                   urllib.parse.urlencode(form).encode(), timeout=60)

        def answer_to(person):
            return [form["Body"] for form in messages(farm) if form["To"] == f"whatsapp:{person}"]

        own = wait_until(lambda: answer_to("+972501111111"), lambda: messages(farm))
        neutral = wait_until(lambda: answer_to("+972502222222"), lambda: messages(farm))
    assert own[0].startswith("Hello from the flats.")
    assert "flats" not in neutral[0]
