"""The client half of a media stream, byte by byte: what a hostile or broken peer may send as well as what Twilio does."""

import base64
import json
import os
import socket
import struct

SID = "MZ" + "4" * 32
CALL = "CA" + "1" * 32
FRAME = base64.b64encode(bytes(range(160))).decode()

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(payload, opcode=TEXT, fin=True, masked=True, reserved=0, length=None):
    """One WebSocket frame; every part of it can be made wrong."""
    if isinstance(payload, str):
        payload = payload.encode()
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    size = len(payload) if length is None else length
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i & 3] for i, byte in enumerate(payload))


def media(payload=FRAME, sid=SID):
    return json.dumps(
        {"event": "media", "sequenceNumber": "2", "media": {"track": "inbound", "chunk": "1", "timestamp": "143",
                                                            "payload": payload}, "streamSid": sid})


def start(sid=SID, call=CALL, parameters=None):
    return json.dumps(
        {"event": "start", "sequenceNumber": "1",
         "start": {"accountSid": "AC" + "2" * 32, "streamSid": sid, "callSid": call, "tracks": ["inbound"],
                   "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                   "customParameters": parameters or {}}, "streamSid": sid})


CONNECTED = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
STOP = json.dumps({"event": "stop", "sequenceNumber": "9", "streamSid": SID, "stop": {"callSid": CALL}})


class MediaClient:
    def __init__(self, port, path="/ws/twilio-media", headers=(), timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""
        lines = [f"GET {path} HTTP/1.1", "Host: voice.example.com", "Connection: Upgrade", "Upgrade: websocket",
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *headers]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                break
            self.buffer += data
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.response = head.decode()
        self.status = int(self.response.split()[1]) if self.response else 0

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, payload, **how):
        self.socket.sendall(frame(payload, **how))

    def begin(self, **how):
        self.send(CONNECTED)
        self.send(start(**how))
        return self

    def _take(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive(self):
        """(opcode, payload) of the next frame. EOFError at the end of the connection."""
        first, size = self._take(2)
        assert first & 0x80, "servers here send whole messages"
        assert not size & 0x80, "servers never mask"
        if size == 126:
            (size,) = struct.unpack(">H", self._take(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._take(8))
        return first & 15, self._take(size)

    def message(self):
        """The next JSON message; pongs are passed over."""
        while True:
            opcode, payload = self.receive()
            if opcode == TEXT:
                return json.loads(payload)
            assert opcode == PONG, f"frame with opcode {opcode}: {payload!r}"

    def close_code(self):
        """The code of the close frame that must come before the connection ends; None when there is none."""
        while True:
            try:
                opcode, payload = self.receive()
            except (EOFError, ConnectionError):
                return None
            if opcode == CLOSE:
                return struct.unpack(">H", payload[:2])[0] if payload else 1005

    def ended(self):
        """True when nothing but the end of the connection follows."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionError:
            return True
