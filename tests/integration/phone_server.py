"""A call server that can be told to do things wrong, to see whether `agentlocator call` notices. Loopback, threads."""

import base64
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
import time
from urllib.parse import parse_qsl

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


class WebSocket:
    """The server half of RFC 6455, as plain as a test needs it: no checks, any frame can be sent."""

    def __init__(self, connection, rest=b""):
        self.connection = connection
        self.buffer = rest
        self.closed = False

    def _take(self, count):
        while len(self.buffer) < count:
            more = self.connection.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def frame(self):
        """(opcode, fin, masked, payload)"""
        head, length = self._take(2)
        masked, length = length & 0x80, length & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._take(8))
        key = self._take(4) if masked else b"\0\0\0\0"
        payload = bytes(b ^ key[i & 3] for i, b in enumerate(self._take(length)))
        return head & 15, bool(head & 128), bool(masked), payload

    def messages(self):
        """JSON messages until close or end of file; answers pings and joins fragments. A close is the last: None."""
        joined = b""
        while True:
            try:
                opcode, fin, masked, payload = self.frame()
            except (EOFError, ConnectionError):
                return
            if opcode == 9:
                self.send(payload, opcode=10)
            elif opcode == 8:
                yield None
                return
            elif opcode in (0, 1):
                joined += payload
                if fin:
                    message, joined = joined, b""
                    yield json.loads(message)

    def send(self, payload, opcode=1, head=None, mask=False):
        if isinstance(payload, dict):
            payload = json.dumps(payload, separators=(",", ":"))
        if isinstance(payload, str):
            payload = payload.encode()
        frame = bytes([(0x80 | opcode) if head is None else head])
        bit = 0x80 if mask else 0
        if len(payload) < 126:
            frame += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            frame += bytes([bit | 126]) + struct.pack(">H", len(payload))
        else:
            frame += bytes([bit | 127]) + struct.pack(">Q", len(payload))
        self.connection.sendall(frame + (b"\0\0\0\0" if mask else b"") + payload)

    def media(self, sid, audio):
        self.send({"event": "media", "streamSid": sid, "media": {"payload": base64.b64encode(audio).decode()}})

    def mark(self, sid, name):
        self.send({"event": "mark", "streamSid": sid, "mark": {"name": name}})

    def clear(self, sid):
        self.send({"event": "clear", "streamSid": sid})

    def close(self, code=1000, text=""):
        """One close frame, however often it is asked for."""
        if self.closed:
            return
        self.closed = True
        self.send(struct.pack(">H", code) + text.encode(), opcode=8)


def echo(socket_):
    """The plain good server: everything comes back, a mark each 50 frames."""
    frames = 0
    sid = None
    for message in socket_.messages():
        if message is None:
            return socket_.close()
        if message["event"] == "start":
            sid = message["streamSid"]
            socket_.clear(sid)
        elif message["event"] == "media":
            frames += 1
            socket_.media(sid, base64.b64decode(message["media"]["payload"]))
            if frames % 50 == 0:
                socket_.mark(sid, f"f{frames}")


def once_started(act):
    """A stream handler that calls act(socket, sid) after start, then swallows everything until the end."""

    def handler(socket_):
        for message in socket_.messages():
            if message is None:
                return socket_.close()
            if message["event"] == "start":
                act(socket_, message["streamSid"])

    return handler


class PhoneServer:
    """`stream` handles the WebSocket; the answers of webhooks are (status, content type, body), by path."""

    def __init__(self, stream=echo, certificate=None, **answers):
        self.stream = stream
        self.tls = None
        if certificate:  # A PEM file with key and certificate.
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
            self.tls.set_alpn_protocols(["h2", "http/1.1"])
        self.answers = {
            "/webhook/incoming_call": lambda me: (200, "text/xml", me.twiml()),
            "/webhook/stream_status": (204, "", ""),
            "/webhook/stream_ended": (200, "text/xml", DECLARATION + "<Response/>"),
            "/webhook/call_status": (204, "", ""),
            "/version": (404, "text/plain", "none"),
        }
        self.answers.update({"/" + key.replace("__", "/"): value for key, value in answers.items()})
        self.upgrade_headers = ""
        self.requests = []  # (method, path, headers, parameters)
        self.received = []  # JSON messages of all streams, for handlers that keep them.
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}" if not self.tls else f"https://localhost:{self.port}"

    def twiml(self, action="/webhook/stream_ended", host=None, parameters='<Parameter name="call_sid" value="x"/>'):
        host = host or self.url.partition("//")[2]
        ended = f' action="{action}"' if action else ""
        return (
            f'{DECLARATION}<Response><Connect{ended}><Stream url="wss://{host}/ws/twilio-media" '
            f'statusCallback="https://{host}/webhook/stream_status">{parameters}</Stream></Connect></Response>'
        )

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def paths(self):
        return [path for _, path, _, _ in self.requests]

    def parameters_of(self, path):
        return [parameters for _, asked, _, parameters in self.requests if asked == path]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        buffer = b""
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                while True:
                    while b"\r\n\r\n" not in buffer:
                        more = connection.recv(65536)
                        if not more:
                            return
                        buffer += more
                    head, _, buffer = buffer.partition(b"\r\n\r\n")
                    lines = head.decode("latin-1").split("\r\n")
                    method, target, _ = lines[0].split(" ")
                    headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
                    fields = {name.lower(): value for name, value in headers}
                    length = int(fields.get("content-length", 0))
                    while len(buffer) < length:
                        buffer += connection.recv(65536)
                    body, buffer = buffer[:length].decode(), buffer[length:]
                    self.requests.append((method, target, headers, dict(parse_qsl(body, keep_blank_values=True))))
                    if fields.get("upgrade", "").lower() == "websocket":
                        return self._upgrade(connection, fields, buffer)
                    self._answer(connection, target)
        except (OSError, EOFError):
            pass  # The caller may leave at any moment.

    def _answer(self, connection, target):
        answer = self.answers.get(target.partition("?")[0], (404, "text/plain", "no such page"))
        status, kind, body = answer(self) if callable(answer) else answer
        body = body.encode()
        head = f"HTTP/1.1 {status} Text\r\n" + (f"Content-Type: {kind}\r\n" if kind else "")
        head += "" if status == 204 else f"Content-Length: {len(body)}\r\n"
        connection.sendall((head + "\r\n").encode() + body)

    def _upgrade(self, connection, fields, rest):
        accept = hashlib.sha1((fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        connection.sendall(
            (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {base64.b64encode(accept).decode()}\r\n{self.upgrade_headers}\r\n"
            ).encode()
        )
        self.stream(WebSocket(connection, rest))
