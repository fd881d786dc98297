"""WhatsApp from end to end: a person writes, the agent answers, and any process may die at any time.

WHATSAPP_MESSAGES, WHATSAPP_PASSED_MAX and WHATSAPP_SEED make the long run and repeat a failure; the long ones are

    WHATSAPP_MESSAGES=1000 WHATSAPP_PASSED_MAX=60 python3 -m pytest -s test_whatsapp_agent.py -k "dies and sqlite"
    WHATSAPP_MESSAGES=1000 WHATSAPP_PASSED_MAX=60 python3 -m pytest -s test_whatsapp_agent.py -k "dies and postgresql"
"""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter

import pytest
from postgres_server import postgres_server
from support import wait_until
from whatsapp_world import SLOW, Linked, World

MESSAGES = int(os.environ.get("WHATSAPP_MESSAGES", "16"))
SEED = int(os.environ.get("WHATSAPP_SEED", time.time_ns() % 1_000_000))
PEOPLE = 5
PARTS = ("supervisor", "bridge", "worker0", "worker1")  # Each dies once at least; with a server, so does the database.
ANNOUNCED = 2  # Messages handed in while the database is dead: they are kept in the spool, and the sender's replies behind.
# A part dies after so many messages have passed, not after a time: a slow machine gets as much done between deaths.
PASSED_MAX = int(os.environ.get("WHATSAPP_PASSED_MAX", "10"))
STUCK_S = int(os.environ.get("WHATSAPP_STUCK_S", "240"))  # Nothing moves: longer than the longest lease.


@pytest.fixture(name="world")
def world_of_whatsapp():
    with World() as world:
        yield world


@pytest.fixture(name="database", params=["sqlite", "postgresql"])
def database_server(request):
    """None: a file of the installation."""
    with postgres_server() if request.param == "postgresql" else contextlib.nullcontext() as server:
        yield server


def rows(linked, sql):
    if linked.database is not None:
        return linked.database.query(sql)
    with sqlite3.connect(f"file:{linked.data}/agentlocator.db?mode=ro", uri=True, timeout=30) as database:
        return database.execute(sql).fetchall()


def count(linked, sql):
    try:
        return int(rows(linked, sql)[0][0])
    except (sqlite3.OperationalError, subprocess.CalledProcessError):  # Not made yet, or being recovered.
        return 0


def where(linked, world, sent):
    """Where the messages are, for whoever has to find out why they are not further."""
    state = world.do("state")
    with open(linked.data / "bridge-secret") as file:
        secret = file.read().strip()
    session = linked.ask_bridge("/v1/session", secret)
    return "\n".join([
        f"sent {sent}, at WhatsApp {state['undelivered']}, received {len(state['received'])}, bridge {session}",
        f"nacks {state['nacks']}, retries {state['retries']}",
        f"inbox {rows(linked, 'SELECT answer_state, lease_owner, lease_until, count(*) FROM inbox GROUP BY 1, 2, 3')}",
        f"outbox {rows(linked, 'SELECT status, error, count(*) FROM outbox GROUP BY 1, 2')}",
        f"alive {sorted(path.name for path in (linked.data / 'leases').iterdir())}, {linked.pids()}",
        linked.explain(),
    ])


def answered(linked):
    return count(linked, "SELECT COUNT(*) FROM inbox WHERE answer_state = 'answered'")


@pytest.mark.timeout(900)
def test_a_person_is_answered_and_followed_to_his_reading(world, place, folder):
    with Linked(world, place, folder) as linked:
        assert linked.ask("/api/whatsapp/status")[1]["ready"] is False
        wait_until(lambda: linked.ask("/api/whatsapp/qr")[0] == 404, linked.explain, SLOW, 0.2)  # 503: not up yet.
        assert linked.ask("/api/whatsapp/pair", {"method": "code", "phone": "?"})[0] == 400
        assert linked.ask("/api/whatsapp/pair")[0] == 405
        qr = linked.link()
        assert qr["dataUrl"].startswith("data:image/svg+xml;base64,") and qr["qrText"] == qr["qr"]
        status = linked.ask("/api/whatsapp/status")[1]
        assert (status["provider"], status["connected"], status["baileys"]["phone"]) == ("baileys", True, "972500000001")
        assert linked.ask("/api/whatsapp/pair", {"method": "qr"})[0] == 409
        world.do("send", count=2, people=1)

        def talk():
            found = linked.ask("/api/whatsapp/conversation/972541000000")[1] or {"conversation": []}
            return [(one["direction"], one["status"]) for one in found["conversation"]]

        wait_until(lambda: sorted(talk()) == [("in", "answered")] * 2 + [("out", "read")] * 2, talk, SLOW, 0.2)
        said = linked.ask("/api/whatsapp/conversation/972541000000")[1]["conversation"]
        assert any(one["body"].startswith("Hello, this is Leah") for one in said if one["direction"] == "out")
        assert linked.ask("/api/leads")[1]["leads"][0]["source"] == "whatsapp"
        assert linked.ask("/api/whatsapp/logout", {})[0] == 202
        wait_until(lambda: linked.ask("/api/whatsapp/status")[1]["configured"] is False, linked.explain, SLOW, 0.2)


def parts(linked):
    return PARTS if linked.database is None else (*PARTS, "database")


def kill_something(linked, choose, turns, kill_database):
    """One part after the other, in an order of chance that is new in each round: none is spared."""
    if not turns:
        turns += choose.sample(parts(linked), len(parts(linked)))
    if turns[0] == "database":
        kill_database()
        return turns.pop(0)
    pids = linked.pids()
    if turns[0] not in pids:
        return None  # It is only just starting; the others' turn comes after it.
    name = turns.pop(0)
    os.kill(pids[name], signal.SIGKILL)
    if name == "supervisor":
        # Reaped, not only a zombie: its lock goes with its last thread.
        linked.supervisor.child.wait(SLOW)
        linked.start()
    return name


@pytest.mark.timeout(900 + 2 * MESSAGES)  # Each death costs a start of Node, and a slow machine is no failure.
def test_each_message_is_answered_once_while_everything_dies(world, database, place, folder):
    choose = random.Random(SEED)
    deaths, turns, announced = Counter(), [], []
    where_to = {} if database is None else {"DATABASE_URL": database.url}
    with Linked(world, place, folder, **where_to) as linked:
        linked.database = database
        linked.link()
        sent = 0
        next_death = choose.randint(1, PASSED_MAX)

        def passed():
            state = world.do("state")
            return len(state["received"]) + sent - state["undelivered"]

        def let_people_write():
            nonlocal sent
            world.do("send", count=PEOPLE, people=PEOPLE)
            sent += PEOPLE

        def kill_database():
            """Dead until what came meanwhile is with us: in the bridge what people wrote, in the spool what we were given."""
            database.kill()
            let_people_write()
            for _ in range(ANNOUNCED):
                announced.append(announce(linked, len(announced)))
            wait_until(lambda: world.do("state")["undelivered"] == 0, lambda: linked.explain(), SLOW, 0.1)
            database.start()

        def all_done():
            nonlocal next_death
            enough = sent >= MESSAGES and len(deaths) == len(parts(linked))
            if not enough and sent - answered(linked) < 2 * PEOPLE:
                let_people_write()
            if passed() >= next_death:
                if name := kill_something(linked, choose, turns, kill_database):
                    deaths[name] += 1
                    next_death = passed() + choose.randint(1, PASSED_MAX)
            return enough and answered(linked) == sent and len(world.do("state")["received"]) >= sent + len(announced)

        progress, moved = None, time.monotonic()
        while not all_done():  # As long as anything moves, however slowly.
            now = (passed(), answered(linked))
            if now != progress:
                progress, moved = now, time.monotonic()
            assert time.monotonic() - moved < STUCK_S, f"seed {SEED}, {deaths}, stuck: {where(linked, world, sent)}"
            time.sleep(0.05)
        waiting = "SELECT COUNT(*) FROM outbox WHERE status NOT IN ('sent', 'delivered', 'read')"
        wait_until(lambda: count(linked, waiting) == 0,
                   lambda: f"seed {SEED}, {deaths}: {rows(linked, 'SELECT id, status, error FROM outbox')[:20]}",
                   SLOW, 0.1)
        check_each_once(linked, world.do("state"), sent, announced)
        print(f"seed {SEED}: {sent} in, {sent} answered, {len(announced)} announced, deaths {dict(deaths)}")


def announce(linked, number):
    """Hands a message in, again and again until that is acknowledged: (its id, its recipient)."""
    phone = str(972_541_000_000 + number % PEOPLE)
    body = {"to": f"+{phone}", "message": f"announcement {number}", "idempotency_key": f"announcement-{number}"}

    def acknowledged():
        status, answer = linked.ask("/api/whatsapp/send", body)
        return answer["message_id"] if status == 202 else None

    return wait_until(acknowledged, linked.explain, SLOW, 0.1), phone


def check_each_once(linked, state, sent, announced):
    stored = rows(linked, "SELECT message_id, phone FROM inbox")
    assert Counter((phone, name.rpartition(":")[2]) for name, phone in stored) == Counter(
        ("+" + one["phone"], one["id"]) for one in state["sent"]
    ), "each message is stored once"
    assert len(stored) == sent
    outbox = rows(linked, "SELECT id, in_reply_to, provider_id FROM outbox")
    replies = sorted(name for _, name, _ in outbox if name)
    assert sorted(name for name, _ in stored) == replies, "each has one answer"
    assert sorted(own for own, name, _ in outbox if not name) == sorted(own for own, _ in announced)
    assert set(state["received"]) == {wa_id for _, _, wa_id in outbox}, "WhatsApp has each under one id"
    expected = Counter(one["phone"] for one in state["sent"]) + Counter(phone for _, phone in announced)
    for phone, inbox in state["inboxes"].items():
        assert len(set(inbox)) == expected[phone], f"{phone} could read each answer, and no other"
