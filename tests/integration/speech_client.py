"""A client of the speech helper, written from the protocol's description (common/speech_message.hpp), for tests."""

import json
import socket
import struct
import time

HELLO, SPEAK, CANCEL, LISTEN, AUDIO, FINISH = 1, 2, 3, 4, 5, 6
READY, SPEECH, SPOKEN, PARTIAL, HEARD, FAILED = 16, 17, 18, 19, 20, 21

PATIENCE = 30.0


class Closed(Exception):
    pass


class SpeechConnection:
    def __init__(self, path, hello=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.buffer = b""
        self.abilities = None
        if hello:
            self.send(HELLO, 0, b"1")
            kind, _, payload = self.receive()
            assert kind == READY, (kind, payload)
            self.abilities = json.loads(payload)

    def send(self, kind, number, payload=b""):
        self.socket.sendall(struct.pack("<III", len(payload), kind, number) + payload)

    def speak(self, number, text, language="he"):
        self.send(SPEAK, number, json.dumps({"text": text, "language": language}).encode())

    def listen(self, number, phrases, language="en"):
        self.send(LISTEN, number, json.dumps({"language": language, "phrases": phrases}).encode())

    def receive(self):
        while True:
            if len(self.buffer) >= 12:
                size, kind, number = struct.unpack("<III", self.buffer[:12])
                if len(self.buffer) >= 12 + size:
                    payload = self.buffer[12 : 12 + size]
                    self.buffer = self.buffer[12 + size :]
                    return kind, number, payload
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed
            self.buffer += data

    def audio_of(self, number):
        """All of one sentence."""
        audio = b""
        while True:
            kind, of, payload = self.receive()
            if of != number:
                continue
            if kind == SPEECH:
                assert len(payload) % 160 == 0
                audio += payload
            elif kind == SPOKEN:
                return audio
            else:
                raise AssertionError((kind, payload))

    def answer_to(self, number):
        """The last frame of an operation: its kind and payload."""
        while True:
            kind, of, payload = self.receive()
            if of == number and kind in (SPOKEN, HEARD, FAILED):
                return kind, payload

    def is_closed(self, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.receive()
            except Closed:
                return True
        return False

    def close(self):
        self.socket.close()
