"""Payments with a real worker: PayPal and Tranzila as servers over TLS that speak their wire formats."""

import concurrent.futures
import json
import os
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from payment_fakes import PayPalFake, TranzilaFake
from provider_farm import make_authority
from support import Process, clean_environment, program, wait_until

BASE = "https://pay.example.com"


class Shop:
    """A worker that may take payments, and one business."""

    def __init__(self, folder, ca, paypal, tranzila, **more):
        self.folder = folder
        settings = {
            "AGENTLOCATOR_DATA_DIR": folder, "ENABLE_WA_BAILEYS": "false", "PUBLIC_BASE_URL": BASE,
            "SSL_CERT_FILE": ca, "PAYMENTS_ENABLED": "true",
            "PAYPAL_API_BASE_URL": paypal.url, "PAYPAL_CLIENT_ID": paypal.client[0],
            "PAYPAL_CLIENT_SECRET": paypal.client[1], "PAYPAL_WEBHOOK_ID": paypal.webhook_id,
            "TRANZILA_REPORT_BASE_URL": tranzila.url, "TRANZILA_TERMINAL": tranzila.terminal,
            "TRANZILA_APP_KEY": tranzila.app_key, "TRANZILA_SECRET": tranzila.secret} | more
        self.env = clean_environment(**settings)
        self.process = Process([program("agentlocator-worker"), "--port", "0"], env=self.env)

    def __enter__(self):
        self.process.__enter__()
        self.port = int(self.process.wait_for(r"event=worker_ready port=(\d+)").group(1))
        self.token = (self.folder / "admin-token").read_text().strip()
        return self

    def __exit__(self, *details):
        return self.process.__exit__(*details)

    def command(self, *arguments, stdin=None):
        run = subprocess.run([program("agentlocator"), *arguments], env=self.env, capture_output=True, text=True,
                             input=stdin, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def ask(self, path, body=None, headers=None, method=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, headers=headers or {},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def create(self, key=None, **payment):
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        status, text = self.ask("/api/crm/payments/create", json.dumps(payment).encode(), headers)
        return status, json.loads(text)

    def come_back(self, url, form=None):
        """What a browser or a provider does with one of the addresses we gave away."""
        assert url.startswith(BASE)
        return self.ask(url.removeprefix(BASE), None if form is None else urllib.parse.urlencode(form).encode())

    def payments(self):
        return json.loads(self.command("payments", "--json"))

    def status_of(self, payment_id):
        return {one["id"]: one["status"] for one in self.payments()}[payment_id]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority")
    make_authority(folder)
    return folder


@pytest.fixture
def paypal(authority):
    server = PayPalFake(authority)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def tranzila(authority):
    server = TranzilaFake(authority)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def shop(folder, authority, paypal, tranzila):
    with Shop(folder, authority / "ca.pem", paypal, tranzila) as running:
        running.command("business", "add", "Flats")
        running.command("business", "payments", "1", "on")
        yield running


def test_the_table_of_answers_over_http(shop, folder, authority, paypal, tranzila):
    assert shop.ask("/api/crm/payments/create", b"{}")[0] == 401
    assert shop.create()[0] == 400
    assert shop.create(business_id=9, amount=100) == (404, {"error": "Business not found"})
    shop.command("business", "payments", "1", "off")
    assert shop.create(business_id=1, amount=100)[0] == 403
    for path in ("/api/crm/payments/create-intent", "/api/payments/create-intent", "/api/payments/webhook",
                 "/api/webhook/stripe"):
        assert shop.ask(path, b"{}")[0] == 410
    assert paypal.asked == []
    with Shop(folder / "off", authority / "ca.pem", paypal, tranzila, PAYMENTS_ENABLED="false") as closed:
        assert closed.create(business_id=1, amount=100) == (501, {"error": "Payments system disabled"})
        assert closed.create()[0] == 400
        assert closed.ask("/api/crm/webhook/paypal", b"{}")[0] == 204


def test_a_payment_through_paypal(shop, paypal):
    status, made = shop.create(business_id=1, amount=10050)
    assert (status, made["ok"], made["order_id"]) == (200, True, "ORDER1")
    assert made["approve_url"] == "https://www.paypal.com/checkoutnow?token=ORDER1"
    order = paypal.orders["ORDER1"]
    assert order["unit"]["amount"] == {"currency_code": "ILS", "value": "100.50"}
    assert shop.come_back(order["return_url"])[0] == 202  # Not approved yet.
    order["status"] = "APPROVED"
    body, headers = paypal.notice("CHECKOUT.ORDER.APPROVED", "ORDER1")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # PayPal repeats itself, and the payer comes back meanwhile.
        answers = list(pool.map(lambda _: shop.ask("/api/crm/webhook/paypal", body, headers)[0], range(3)))
        answers.append(pool.submit(shop.come_back, order["return_url"]).result()[0])
    assert set(answers) <= {200, 204}
    wait_until(lambda: shop.status_of(made["payment_id"]) == "paid", shop.payments)
    assert paypal.captures == 1
    body, headers = paypal.notice("PAYMENT.CAPTURE.COMPLETED", "ORDER1")
    assert shop.ask("/api/crm/webhook/paypal", body, headers)[0] == 204
    shown = wait_until(
        lambda: [one for one in [json.loads(shop.command("payments", "show", made["payment_id"], "--json"))]
                 if any(event["event_id"] == "WH-2" for event in one["events"])], "the event was not stored")[0]
    assert (shown["status"], shown["amount"]) == ("paid", 10050)
    assert len([event for event in shown["events"] if event["event_id"] == "WH-1"]) == 1


def test_a_forged_notice_changes_nothing(shop, paypal):
    _, made = shop.create(business_id=1, amount=100)
    paypal.orders["ORDER1"] |= {"status": "COMPLETED", "capture": {
        "id": "X", "status": "COMPLETED", "amount": paypal.orders["ORDER1"]["unit"]["amount"],
        "custom_id": paypal.orders["ORDER1"]["unit"]["custom_id"]}}
    body, headers = paypal.notice("PAYMENT.CAPTURE.COMPLETED", "ORDER1")
    assert shop.ask("/api/crm/webhook/paypal", body.replace(b"\n", b""), headers)[0] == 403  # Other bytes.
    assert shop.ask("/api/crm/webhook/paypal", body, headers | {"PAYPAL-TRANSMISSION-SIG": "YQ=="})[0] == 403
    assert shop.status_of(made["payment_id"]) == "created"
    assert shop.ask("/api/crm/webhook/paypal", body, headers)[0] == 204
    wait_until(lambda: shop.status_of(made["payment_id"]) == "paid", shop.payments)


def test_a_payment_through_tranzila(shop, tranzila):
    status, made = shop.create(business_id=1, amount=999_999_999, provider="tranzila")
    assert status == 200
    form, notify, back = tranzila.pay(made["redirect_url"], code="004")
    assert shop.come_back(notify, form)[0] == 204
    wait_until(lambda: shop.status_of(made["payment_id"]) == "failed", shop.payments)
    form, notify, back = tranzila.pay(made["redirect_url"])
    assert shop.come_back(notify.replace("sig=", "sig=0"), form)[0] == 403
    for _ in range(2):
        assert shop.come_back(notify, form)[0] == 204
    assert shop.come_back(back, form)[0] == 200
    wait_until(lambda: shop.status_of(made["payment_id"]) == "paid", shop.payments)


def test_an_acknowledged_notice_survives_a_kill(shop, folder, authority, paypal, tranzila):
    _, made = shop.create(business_id=1, amount=100, provider="tranzila")
    form, notify, _ = tranzila.pay(made["redirect_url"])
    assert shop.come_back(notify, form)[0] == 204
    os.kill(shop.process.pid, signal.SIGKILL)
    shop.process.wait()
    with Shop(folder, authority / "ca.pem", paypal, tranzila) as again:
        wait_until(lambda: again.status_of(made["payment_id"]) == "paid", again.payments)


def test_a_provider_that_hangs_holds_nobody_up(shop, paypal):
    paypal.hold.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(shop.create, business_id=1, amount=100)
        wait_until(lambda: paypal.asked, "PayPal was never asked")
        assert shop.ask("/healthz")[0] == 200
        assert shop.create(business_id=1, amount=100, provider="tranzila")[0] == 200
        assert not hanging.done()
        paypal.hold.set()
        assert hanging.result()[0] == 200


def test_secrets_are_seen_nowhere(shop, paypal, tranzila):
    secrets = [paypal.client[1], tranzila.secret, "own-secret"]
    shop.command("business", "set", "1", "paypal_client_id", "own-id", "--channel", "payments")
    listed = shop.command("business", "set", "1", "paypal_client_secret", "--file", "-", "--channel", "payments",
                          stdin="own-secret\n")
    status, refused = shop.create(business_id=1, amount=100)  # PayPal knows no such client.
    assert (status, refused["ok"], refused["note"]) == (202, False, "PayPal refuses the client id and secret")
    seen = [shop.process.output, listed, shop.command("config"), shop.command("business", "settings", "1", "--history"),
            json.dumps(refused), shop.command("payments")]
    for text in seen:
        assert not [secret for secret in secrets if secret in text], text
    assert "paypal_client_secret" in listed


def test_settings_of_payments_are_checked_together(folder):
    env = clean_environment(AGENTLOCATOR_DATA_DIR=folder, PAYPAL_ENV="moon", TRANZILA_TERMINAL="a/b", PAYMENTS_ENABLED="x")
    run = subprocess.run([program("agentlocator"), "config"], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 78
    for name in ("PAYPAL_ENV", "TRANZILA_TERMINAL", "PAYMENTS_ENABLED"):
        assert name in run.stderr + run.stdout
