"""The vendors' own client libraries, from npm, as oracles: exactly those of tests/node/package-lock.json."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from support import ROOT

NODE_FOLDER = ROOT / "tests" / "node"
# 217 packages, 60 MB to fetch: half a minute on our slowest machine with a good line.
INSTALL_SECONDS_MAX = 600


def node_modules():
    """node_modules as the lock file says, installed once per lock file, complete or absent."""
    lock = (NODE_FOLDER / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentlocator-tests"
    ready = cache / f"oracles-{hashlib.sha256(lock).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "install.lock", "w", encoding="ascii") as only_one:
        fcntl.flock(only_one, fcntl.LOCK_EX)
        if not ready.is_dir():
            _install(ready)
    return ready / "node_modules"


def _install(ready):
    fresh = ready.with_name(f"{ready.name}.{os.getpid()}")
    fresh.mkdir()
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE_FOLDER / name, fresh)
        # Without scripts: nothing of a package runs before a test loads it, and nothing is compiled.
        npm = ["npm", "ci", "--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(npm, cwd=fresh, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=INSTALL_SECONDS_MAX)
        assert done.returncode == 0, f"npm could not fetch the vendors' libraries:\n{done.stdout.decode()}"
        fresh.rename(ready)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
