"""Small fault runs of `make faults`, and the refusal of a log that belongs to other tables."""

import shutil
from pathlib import Path

import pytest
from faults import load, oracle
from faults.delta import current
from faults.judge import judge
from faults.play import Play
from faults.process import Role, binary, free_ports, run
from faults.rebuilt import forge
from faults.run import fault_run
from faults.stage import Embedded

SEED = 20_260_301
EMBEDDED_FACTS, EMBEDDED_KILLS_PER_ROLE = 100_000, 3
BROKER_FACTS, BROKER_KILLS_PER_ROLE = 20_000, 1
REFUSAL_SECONDS = 60


def test_nothing_is_lost_and_nothing_comes_twice_on_the_embedded_log(tmp_path: Path) -> None:
    report = fault_run("embedded", EMBEDDED_FACTS, EMBEDDED_KILLS_PER_ROLE, SEED, 4, tmp_path)
    print(report)
    assert report["violations"] == []
    assert sum(report["kills"][role] for role in ("agent", "processor")) >= 6
    assert report["facts_new"] == report["facts_accepted_by_agents"] >= EMBEDDED_FACTS
    assert report["duplicates_in_new"] == 0


def test_nothing_is_lost_and_nothing_comes_twice_on_real_brokers(tmp_path: Path, real_brokers: None) -> None:
    report = fault_run("kafka", BROKER_FACTS, BROKER_KILLS_PER_ROLE, SEED, 2, tmp_path, refold=False)
    print(report)
    assert report["violations"] == []
    assert set(report["kills"]) == {"agent", "broker", "ingest", "log", "processor"}
    assert report["facts_new"] == report["facts_accepted_by_agents"] >= BROKER_FACTS


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory):
    """A small load that went through without any fault: its folder, what was expected, and the agents' last lives."""
    folder = tmp_path_factory.mktemp("played")
    loads = load.write(folder, 4_000, 2, SEED)
    stage = Embedded(folder, loads)
    try:
        expected = oracle.expect(loads)
        lives = Play(stage, expected.facts_total()).drain()
        stage.stop_servers()
        yield stage, expected, lives
    finally:
        stage.end()


def test_without_faults_every_count_is_exact(played) -> None:
    stage, expected, lives = played
    found = judge(stage.lake, expected, lives, agent_kills=0)
    assert found.violations == []


def test_the_judge_can_fail(played) -> None:
    """Each kind of harm is noticed by the judge itself: a row that nobody said, and one second that somebody claims to know better."""
    stage, expected, lives = played
    for table in ("intervals", "usage", "facts"):
        entry, file = forge(current(stage.lake, table))
        assert judge(stage.lake, expected, lives, agent_kills=0).violations, f"a forged row in {table} went unnoticed"
        entry.unlink()
        file.unlink()
    device = next(iter(expected.condition_micros))
    expected.condition_micros[device] += 1
    assert judge(stage.lake, expected, lives, agent_kills=0).violations
    expected.condition_micros[device] -= 1


def test_embedded_data_refuses_a_foreign_log(played, tmp_path: Path) -> None:
    """The tables of one installation over the log of another: start says so and ends, and no table has changed."""
    stage, _, _ = played
    mine, other = tmp_path / "mine", tmp_path / "other"
    shutil.copytree(stage.data, mine)
    run(binary("medfleet"), "site", "elsewhere", "--title", "Elsewhere", "--time-zone", "Europe/Berlin", "--data", str(other))
    shutil.rmtree(mine / "log")
    shutil.copytree(other / "log", mine / "log")
    before = sorted(path.relative_to(mine) for path in (mine / "lake").rglob("*") if path.is_file())
    address = f"127.0.0.1:{free_ports(1)}"
    command = [binary("medfleet"), "up", "--no-demo", "--data", str(mine), "--listen", address]
    role = Role("up", [*command, "--mqtt-listen", f"127.0.0.1:{free_ports(1)}", "--sql-listen", f"127.0.0.1:{free_ports(1)}"], tmp_path / "up.log")
    role.start(await_ready=False)
    try:
        status = role.child.wait(REFUSAL_SECONDS)
    finally:
        role.end()
    assert status != 0
    assert "was built from log" in role.text() and "start with the log it was built from" in role.text(), role.last_words()
    print(role.last_words())
    after = sorted(path.relative_to(mine) for path in (mine / "lake").rglob("*") if path.is_file())
    assert before == after


def test_a_log_cut_short_is_refused(played, tmp_path: Path) -> None:
    """The same log id, but an end below what the tables have read: a restored old copy of the log."""
    stage, _, _ = played
    mine = tmp_path / "mine"
    shutil.copytree(stage.data, mine)
    for journal in sorted((mine / "log").rglob("*")):
        if journal.is_file() and "facts" in str(journal) and journal.stat().st_size > 4_096:
            with journal.open("r+b") as file:
                file.truncate(journal.stat().st_size // 2)
    command = [binary("medfleet"), "up", "--no-demo", "--data", str(mine), "--listen", f"127.0.0.1:{free_ports(1)}"]
    role = Role("up", [*command, "--mqtt-listen", f"127.0.0.1:{free_ports(1)}", "--sql-listen", f"127.0.0.1:{free_ports(1)}"], tmp_path / "up.log")
    role.start(await_ready=False)
    try:
        status = role.child.wait(REFUSAL_SECONDS)
    finally:
        role.end()
    assert status != 0, role.last_words()


def test_a_site_keeps_its_time_zone(tmp_path: Path) -> None:
    """Its days are counted in the zone it was first defined with: another is refused, with the cure; another title is not."""

    def define(title: str, zone: str):
        return run(binary("medfleet"), "site", "north", "--title", title, "--time-zone", zone, "--data", str(tmp_path), may_fail=True)

    assert define("North", "Europe/Berlin").returncode == 0
    refused = define("North", "America/Denver")
    assert refused.returncode != 0
    assert "keeps its time zone Europe/Berlin" in refused.stderr, refused.stderr
    assert define("North General", "Europe/Berlin").returncode == 0
