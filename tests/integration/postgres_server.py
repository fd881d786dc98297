"""A PostgreSQL server of the tests' own: Debian's programs, a private folder, a Unix socket in it and one free port on
loopback. PostgreSQL refuses to run as root, so it gets the user its package made; otherwise it runs as we do."""

import contextlib
import os
import pwd
import signal
import subprocess
from pathlib import Path

from support import Process, clean_environment, free_port, private_folder, wait_until


def programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is not installed; scripts/packages.sh names its package"
    return found[-1].parent


def unprivileged():
    """For subprocess: as whom the server runs."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class PostgresServer:
    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "pg"
        self.port = free_port()
        self.process = None
        for path in (folder, self.data):
            path.mkdir(exist_ok=True)
        if os.getuid() == 0:
            os.chown(self.data, unprivileged()["user"], unprivileged()["group"])
        folder.chmod(0o755)  # So that the server's user reaches its folder.
        subprocess.run(
            [programs() / "initdb", "-D", self.data / "data", "-U", "agentlocator", "--auth=trust", "-E", "UTF8",
             "--locale=C", "--no-sync", "--no-instructions"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", env=clean_environment(), **unprivileged(),
        )  # fmt: skip

    @property
    def url(self):
        return f"postgresql://agentlocator@127.0.0.1:{self.port}/postgres"

    def start(self):
        self.process = Process(
            [programs() / "postgres", "-D", self.data / "data", "-h", "127.0.0.1", "-p", self.port, "-k", self.data,
             "-c", "max_connections=60", "-c", "shared_buffers=16MB",
             "-c", "fsync=off"],  # Only a power cut would show; the tests kill processes.
            env=clean_environment(), cwd="/", **unprivileged(),
        )  # fmt: skip
        self.process.__enter__()
        wait_until(self.is_ready, lambda: self.process.output)

    def is_ready(self):
        asked = subprocess.run([programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False)
        return asked.returncode == 0

    def pids(self):
        """The server and its children. They have sessions of their own, so no group names them all."""
        mine = [self.process.pid]
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    mine.append(int(stat.parent.name))
        return mine

    def signal(self, number):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self):
        """SIGKILL to the server and all its children: a power cut, as far as processes go."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.__exit__(None, None, None)
        self.process = None

    def stop(self):
        if self.process is not None:
            self.process.send(signal.SIGINT)  # "Fast shutdown": disconnects clients.
            self.process.wait()
            self.process.__exit__(None, None, None)
            self.process = None

    def query(self, sql):
        """Rows as lists of texts."""
        asked = subprocess.run(
            [programs() / "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-d", self.url, "-c", sql],
            check=True, capture_output=True, text=True, env=clean_environment(),
        )  # fmt: skip
        return [line.split("\t") for line in asked.stdout.splitlines()]


@contextlib.contextmanager
def postgres_server():
    with private_folder() as folder:
        server = PostgresServer(folder)
        server.start()
        try:
            yield server
        finally:
            if server.process is not None and server.process.returncode is None:
                server.stop()
