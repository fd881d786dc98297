"""The command line where no supervisor runs: help, mistakes, settings, and remedies in every error."""

import json
import os
import subprocess

import pytest

from support import clean_environment, program


def run(folder, *arguments, **more):
    environment = clean_environment(
        AGENTLOCATOR_ROOT=folder,
        AGENTLOCATOR_LOCK=folder / "lock",
        AGENTLOCATOR_RUNTIME_DIR=folder / "run",
        AGENTLOCATOR_DATA_DIR=folder / "data",
        **more,
    )
    return subprocess.run(
        [program("agentlocator"), *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=30
    )


def values(done):
    return {row["name"]: (row["value"], row["source"]) for row in json.loads(done.stdout)["settings"]}


def test_alone_it_helps(folder):
    done = run(folder)
    assert done.returncode == 0
    assert "status" in done.stdout and "Exit codes" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["status", "status --watch", "stop", "restart 1", "scale 2", "reload", "mode AI",
                                     "logs", "logs -f", "config --running"])
def test_without_a_supervisor_the_remedy_is_named(folder, command):
    arguments = command.split()
    if "--watch" in arguments:
        # It waits for one to come; without a reader it ends.
        process = subprocess.Popen(
            [program("agentlocator"), *arguments],
            env=clean_environment(AGENTLOCATOR_LOCK=folder / "lock", AGENTLOCATOR_RUNTIME_DIR=folder / "run"),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert "no supervisor is running" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0
        return
    done = run(folder, *arguments)
    assert done.returncode == 69
    assert f"no supervisor is running for {folder}/lock; start it with `agentlocator run`" in done.stderr


def test_logs_of_a_dead_supervisor_are_read_from_its_file(folder):
    (folder / "data" / "logs").mkdir(parents=True)
    lines = [f"line {number}" for number in range(100)]
    (folder / "data" / "logs" / "supervisor.log").write_text("\n".join(lines) + "\n")
    (folder / "data" / "logs" / "worker-2.log").write_text("only")
    done = run(folder, "logs", "-n", "3")
    assert (done.returncode, done.stdout) == (0, "line 97\nline 98\nline 99\n")
    assert "no supervisor is running" in done.stderr
    assert run(folder, "logs", "2").stdout == "only"
    assert run(folder, "logs", "3").returncode == 69


def test_settings_come_from_file_environment_and_flags_in_this_order(folder):
    (folder / ".env").write_text("PORT=6001\nWORKERS=3\nWS_MODE=ECHO\nTWILIO_AUTH_TOKEN=hush-hush\n")
    done = run(folder, "config", "--json", WORKERS="5", WS_MODE="")
    found = values(done)
    assert found["PORT"] == ("6001", "file")
    assert found["WORKERS"] == ("5", "environment")
    assert found["WS_MODE"] == ("ECHO", "file")  # Present and empty is not set.
    assert found["TWILIO_AUTH_TOKEN"] == ("********", "file")
    assert "hush" not in done.stdout + done.stderr
    other = folder / "other.env"
    other.write_text("PORT=6002\n")
    assert values(run(folder, "config", "--json", "--env-file", other))["PORT"] == ("6002", "file")
    assert values(run(folder, "config", "--json", AGENTLOCATOR_ENV_FILE=other))["PORT"] == ("6002", "file")


def test_all_faults_are_told_together(folder):
    (folder / ".env").write_text("what is this\nWORKERS=0\n")
    done = run(folder, "config", PORT="abc", WS_MODE="FOO")
    assert done.returncode == 78
    for line in (
        f"{folder}/.env:1: no '='",
        "WORKERS=0 (file): out of range; valid: 1-128",
        "PORT=abc (environment): not a number; valid: 1-65535",
        "WS_MODE=FOO (environment): not a mode; valid: AI, ECHO, SINK",
    ):
        assert line in done.stderr


@pytest.mark.parametrize("make, problem", [
    (lambda path: None, "No such file"),
    (lambda path: path.mkdir(), "not a regular file"),
    (lambda path: os.mkfifo(path), "not a regular file"),
    (lambda path: path.write_bytes(b"#" * (256 * 1024 + 1)), "larger than 262144 bytes"),
])
def test_a_settings_file_that_cannot_be_read_is_a_fault(folder, make, problem):
    path = folder / "some.env"
    make(path)
    done = run(folder, "config", "--env-file", path)
    assert done.returncode == 78
    assert f"settings file {path}: {problem}" in done.stderr


def test_a_settings_file_at_its_limit_is_read(folder):
    (folder / ".env").write_bytes(b"PORT=6001\n#" + b"x" * (256 * 1024 - 11))
    assert values(run(folder, "config", "--json"))["PORT"] == ("6001", "file")


def test_call_without_its_program_says_where_it_belongs(folder):
    (folder / "bin").mkdir()
    copy = folder / "bin" / "agentlocator"
    copy.write_bytes(open(program("agentlocator"), "rb").read())
    copy.chmod(0o755)
    done = subprocess.run([copy, "call", "--help"], env=clean_environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 127
    assert f"{folder}/bin/agentlocator-call" in done.stderr


def test_call_hands_its_arguments_on(folder):
    (folder / "bin").mkdir()
    copy = folder / "bin" / "agentlocator"
    copy.write_bytes(open(program("agentlocator"), "rb").read())
    copy.chmod(0o755)
    other = folder / "bin" / "agentlocator-call"
    other.write_text('#!/bin/sh\nfor word; do echo "<$word>"; done\nexit 5\n')
    other.chmod(0o755)
    done = subprocess.run([copy, "call", "--help", "a b", ""], env=clean_environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (5, "<--help>\n<a b>\n<>\n")


def test_a_reader_that_leaves_is_no_crash(folder):
    script = f"{program('agentlocator')} --help | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", script], env=clean_environment(), capture_output=True, timeout=30)
    assert done.returncode in (0, 1)
    assert b"Answers" in done.stdout
