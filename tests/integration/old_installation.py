"""A checkout in the shape of the original's, with its servers, for tests of what a start does to old processes."""

import json
import subprocess

from support import Process, clean_environment, free_port, is_listening, program, wait_until

GUNICORN = ["/usr/bin/gunicorn", "-k", "eventlet", "-w", "1"]

# The call server of the original, reduced to what matters here: it says which mode it is in.
MAIN_PY = """
import os
from flask import Flask
app = Flask(__name__)

@app.route("/")
def mode():
    return os.environ.get("WS_MODE", "unset")

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
"""
INDEX_JS = 'require("http").createServer((q, a) => a.end("bridge")).listen(+process.env.PORT, "127.0.0.1");\n'


class Installation:
    """A checkout like the original's, and the environment that makes our program take it for its own."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "agent"
        self.bridge = self.root / "baileys-bridge"
        (self.root / "AgentLocator").mkdir(parents=True)
        self.bridge.mkdir()
        (self.root / "AgentLocator" / "__init__.py").touch()
        (self.root / "AgentLocator" / "main.py").write_text(MAIN_PY)
        (self.root / "main.py").write_text(MAIN_PY)
        (self.bridge / "index.js").write_text(INDEX_JS)
        (folder / "run").mkdir(mode=0o700)
        self.port = free_port()
        self.environment = clean_environment(
            AGENTLOCATOR_ROOT=self.root,
            AGENTLOCATOR_LOCK=folder / "lock",
            AGENTLOCATOR_RUNTIME_DIR=folder / "run",
            AGENTLOCATOR_DATA_DIR=folder / "data",
            TERM_TIMEOUT_MS=1500,
            PORT=self.port,
        )

    def stale(self, *arguments, code=0):
        done = subprocess.run(
            [program("agentlocator"), "stale", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def verdicts(self):
        return {entry["pid"]: entry for entry in json.loads(self.stale("--json").stdout)}

    def start(self, argv, cwd=None, listens=None, **more):
        process = Process(argv, cwd=cwd or self.root, env=clean_environment(**more))
        if listens:
            wait_until(lambda: is_listening(listens), lambda: f"{argv} does not listen:\n{process.output}")
        return process
