"""PayPal and Tranzila as local servers over TLS, in their wire formats, strict about what they are asked.

PayPal: OAuth, Orders v2 (create, show, capture), verify-webhook-signature; it signs its own notices, over the bytes it
sends. Tranzila: the payment page's parameters, and the report of transactions behind its signed headers.
"""

import base64
import hashlib
import hmac
import json
import re
import ssl
import threading
import urllib.parse
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Fake(ThreadingHTTPServer):
    """One HTTPS server; `routes` are (method, pattern, function of the request and the match)."""

    daemon_threads = True

    def __init__(self, folder, routes):
        self.routes = routes
        self.asked = []
        self.hold = threading.Event()
        self.hold.set()  # Cleared: answers wait.
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # A client that gave up.


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.hold.wait(30)
        for method, pattern, handler in self.server.routes:
            match = re.fullmatch(pattern, self.path)
            if match and method == self.command:
                status, document = handler(self, *match.groups())
                break
        else:
            status, document = 404, {"name": "RESOURCE_NOT_FOUND"}
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = handle_one

    def log_message(self, *arguments):
        pass


def unprocessable(issue):
    return 422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": issue}], "debug_id": "d1"}


class PayPalFake(Fake):
    client = ("paypal-client", "paypal-client-secret")
    webhook_id = "8WH12345"

    def __init__(self, folder):
        self.orders = {}
        self.captures = 0
        self.events = 0
        self.key = b"only PayPal knows this"
        super().__init__(folder, [
            ("POST", "/v1/oauth2/token", self.token),
            ("POST", "/v2/checkout/orders", self.create),
            ("GET", "/v2/checkout/orders/([A-Z0-9]+)", self.show),
            ("POST", "/v2/checkout/orders/([A-Z0-9]+)/capture", self.capture),
            ("POST", "/v1/notifications/verify-webhook-signature", self.verify),
        ])

    def token(self, request):
        wanted = "Basic " + base64.b64encode(":".join(self.client).encode()).decode()
        if request.headers["Authorization"] != wanted:
            return 401, {"error": "invalid_client", "error_description": "Client Authentication failed"}
        assert request.body == b"grant_type=client_credentials"
        return 200, {"access_token": "A21AA-token", "token_type": "Bearer", "expires_in": 32400}

    @staticmethod
    def known(request):
        return request.headers["Authorization"] == "Bearer A21AA-token"

    def create(self, request):
        if not self.known(request):
            return 401, {"error": "invalid_token"}
        asked = json.loads(request.body)
        unit = asked["purchase_units"][0]
        if not re.fullmatch(r"[0-9]{1,7}\.[0-9]{2}", unit["amount"]["value"]) or asked["intent"] != "CAPTURE":
            return unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE")
        context = asked["payment_source"]["paypal"]["experience_context"]
        with self.lock:
            order_id = "ORDER" + str(len(self.orders) + 1)
            for known, order in self.orders.items():
                if order["request_id"] == request.headers["PayPal-Request-Id"]:
                    order_id = known  # The same request again is the same order.
            self.orders.setdefault(order_id, {
                "request_id": request.headers["PayPal-Request-Id"], "status": "PAYER_ACTION_REQUIRED", "unit": unit,
                "capture": None, "return_url": context["return_url"]})
        return 200, {"id": order_id, "status": "PAYER_ACTION_REQUIRED", "links": [
            {"href": f"{self.url}/v2/checkout/orders/{order_id}", "rel": "self", "method": "GET"},
            {"href": f"https://www.paypal.com/checkoutnow?token={order_id}", "rel": "payer-action", "method": "GET"}]}

    def document(self, order_id):
        order = self.orders[order_id]
        unit = dict(order["unit"])
        if order["capture"]:
            unit["payments"] = {"captures": [order["capture"]]}
        return {"id": order_id, "status": order["status"], "purchase_units": [unit]}

    def show(self, request, order_id):
        return (200, self.document(order_id)) if self.known(request) else (401, {})

    def capture(self, request, order_id):
        if not self.known(request):
            return 401, {}
        with self.lock:
            order = self.orders[order_id]
            if order["status"] == "COMPLETED":
                again = request.headers["PayPal-Request-Id"] == order["capture_request"]
                return (201, self.document(order_id)) if again else unprocessable("ORDER_ALREADY_CAPTURED")
            if order["status"] != "APPROVED":
                return unprocessable("ORDER_NOT_APPROVED")
            self.captures += 1
            order |= {"status": "COMPLETED", "capture_request": request.headers["PayPal-Request-Id"], "capture": {
                "id": f"CAP{self.captures}", "status": "COMPLETED", "amount": order["unit"]["amount"],
                "custom_id": order["unit"]["custom_id"], "final_capture": True}}
            return 201, self.document(order_id)

    # PayPal docs: the signature is over transmission id, time, webhook id and the CRC-32 of the body as it was sent.
    def signature(self, transmission, time, webhook_id, body):
        text = f"{transmission}|{time}|{webhook_id}|{zlib.crc32(body)}"
        return base64.b64encode(hmac.digest(self.key, text.encode(), "sha256")).decode()

    def verify(self, request):
        if not self.known(request):
            return 401, {}
        asked = json.loads(request.body)
        raw = request.body[request.body.index(b'"webhook_event":') + 16 : -1]
        wanted = self.signature(asked["transmission_id"], asked["transmission_time"], asked["webhook_id"], raw)
        good = asked["webhook_id"] == self.webhook_id and asked["transmission_sig"] == wanted
        assert asked["auth_algo"] == "SHA256withRSA" and asked["cert_url"].startswith("https://")
        return 200, {"verification_status": "SUCCESS" if good else "FAILURE"}

    def notice(self, event_type, order_id, event_id=None):
        """Body and headers of a webhook, as PayPal sends it: its own spacing, which no JSON writer of ours has."""
        with self.lock:
            self.events += 1
            event_id = event_id or f"WH-{self.events}"
        order = self.document(order_id)
        resource = order["purchase_units"][0].get("payments", {}).get("captures", [order])[0]
        event = {"id": event_id, "event_version": "1.0", "event_type": event_type, "resource": resource}
        body = json.dumps(event, indent=1, ensure_ascii=True).encode()
        time = "2026-11-21T16:00:00Z"
        return body, {
            "Content-Type": "application/json", "PAYPAL-TRANSMISSION-ID": f"t-{event_id}",
            "PAYPAL-TRANSMISSION-TIME": time, "PAYPAL-AUTH-ALGO": "SHA256withRSA",
            "PAYPAL-CERT-URL": "https://api.paypal.com/v1/notifications/certs/CERT-1",
            "PAYPAL-TRANSMISSION-SIG": self.signature(f"t-{event_id}", time, self.webhook_id, body)}


class TranzilaFake(Fake):
    terminal, app_key, secret = "leah", "app-key", "tranzila-app-secret"

    def __init__(self, folder):
        self.rows = {}
        super().__init__(folder, [("POST", "/v1/transaction", self.report)])

    def report(self, request):
        time, nonce = (request.headers[f"X-tranzila-api-{name}"] for name in ("request-time", "nonce"))
        wanted = hmac.new((self.secret + time + nonce).encode(), self.app_key.encode(), hashlib.sha256).hexdigest()
        if not re.fullmatch("[0-9a-f]{80}", nonce) or request.headers["X-tranzila-api-access-token"] != wanted:
            return 401, {"error_code": 10001, "message": "Unauthorized"}
        asked = json.loads(request.body)
        assert asked["terminal_name"] == self.terminal
        row = self.rows.get(asked["transaction_index"])
        return 200, {"error_code": 0, "message": "Success", "transactions": [row] if row else []}

    def pay(self, page_url, code="000"):
        """A payer pays on the page: what Tranzila then tells the notify address, and where it sends the payer."""
        page = urllib.parse.urlsplit(page_url)
        assert page.path == f"/{self.terminal}/iframenew.php"
        asked = dict(urllib.parse.parse_qsl(page.query))
        assert asked["tranmode"] == "A" and asked["cred_type"] == "1"
        whole, fraction = asked["sum"].split(".")
        index = len(self.rows) + 1001
        self.rows[index] = {
            "index": index, "amount": int(whole + fraction), "currency": asked["currency"],
            "processor_response_code": code, "txn_type": "DEBIT", "tranmode": "A",
            "user_defined_1": asked["ordernum"], "user_defined_2": asked["udf"]}
        form = {"Response": code, "index": str(index), "sum": asked["sum"], "currency": asked["currency"],
                "ordernum": asked["ordernum"], "udf": asked["udf"], "ConfirmationCode": "0587923"}
        return form, asked["notify_url_address"], asked["success_url_address"]
