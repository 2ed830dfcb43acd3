"""The SQL endpoint of `medfleet up`, asked with psql and psycopg over the demo fleet, and compared with the api."""

import os
import subprocess
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from faults.process import Role, binary, environment, free_ports
from test_demo import House, _await_history, lived_in

# Not `\dt`: a user sees views and no table.
COMMANDS = ("\\dv", "\\d", "\\d+ intervals", "\\d devices", "\\l", "\\dn", "\\du", "\\df", "\\conninfo")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    with lived_in(tmp_path_factory.mktemp("sql")) as house:
        _await_history(house)
        yield house


def user(house: House, name: str, *whose: str) -> str:
    """A user made by the command line; the password it was given."""
    command = [binary("medfleet"), "sql-user", name, *whose, "--data", str(house.data)]
    told = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    path = Path(told.stdout.strip())
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text()


def connect(house: House, name: str, *whose: str, **more) -> psycopg.Connection:
    password = user(house, name, *whose)
    return psycopg.connect(host="127.0.0.1", port=house.sql_port, dbname="medfleet", user=name, password=password, **more)


def psql(house: House, name: str, password: str, *args: str, host: str = "127.0.0.1", **more: str) -> subprocess.CompletedProcess:
    surroundings = os.environ | {"PGPASSWORD": password, "PGUSER": name, "PGDATABASE": "medfleet"} | more
    command = ["psql", "-X", "-h", host, "-p", str(house.sql_port), "-v", "ON_ERROR_STOP=1", *args]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=120)


def test_psql_finds_its_way_and_shows_figures(house: House) -> None:
    password = user(house, "psql", "--all")
    for command in COMMANDS:
        told = psql(house, "psql", password, "-c", command)
        assert told.returncode == 0 and not told.stderr, f"{command}: {told.stdout}{told.stderr}"
    tables = psql(house, "psql", password, "-c", "\\dv").stdout
    assert "intervals" in tables and "cuts" not in tables
    assert "from_at" in psql(house, "psql", password, "-c", "\\d intervals").stdout
    sites = psql(house, "psql", password, "-At", "-c", "SELECT count(*) FROM sites").stdout
    assert sites.strip() == "6"
    wrong = psql(house, "psql", "wrong", "-c", "SELECT 1")
    assert wrong.returncode != 0 and "password authentication failed" in wrong.stderr
    refused = psql(house, "psql", password, "-v", "VERBOSITY=verbose", "-c", "\\copy devices from /etc/passwd")
    assert refused.returncode != 0 and "42501" in refused.stderr, refused.stderr


def test_psycopg_asks_in_both_protocols_and_with_cursors(house: House) -> None:
    with connect(house, "psycopg", "--all") as connection:
        since, until = period(house)
        rows = connection.execute("SELECT site, kind, up_seconds FROM uptime(%s, %s)", (since, until)).fetchall()
        assert len({site for site, _, _ in rows}) == 6
        text = connection.execute("SELECT count(*) FROM intervals WHERE day = %s", (since.date(),)).fetchone()
        simple = psycopg.ClientCursor(connection).execute("SELECT count(*) FROM intervals WHERE day = %s", (since.date(),)).fetchone()
        assert text == simple and text[0] > 0
        binary_rows = connection.execute("SELECT from_at, assumed, day FROM intervals WHERE day = %s LIMIT 5", (since.date(),), binary=True).fetchall()
        assert all(at.tzinfo and at.date() == day == since.date() for at, _, day in binary_rows)
        for is_binary in (False, True):
            with connection.cursor("walk", binary=is_binary) as walk:
                walk.itersize = 100
                walk.execute("SELECT device, from_at FROM intervals WHERE day = %s ORDER BY device, from_at", (since.date(),))
                assert [column.name for column in walk.description] == ["device", "from_at"]
                fetched = list(walk)
            assert len(fetched) == text[0] and all(at.date() == since.date() for _, at in fetched)
        connection.execute("DECLARE again CURSOR FOR SELECT device FROM intervals WHERE day = %s", (since.date(),))
        assert len(connection.execute("FETCH 7 FROM again", prepare=True).fetchall()) == 7
        connection.rollback()
        for _ in range(8):
            # From the sixth time on psycopg prepares it on the server.
            assert connection.execute("SELECT count(*) FROM sites WHERE demo = %s", (True,)).fetchone() == (6,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM devices")
        connection.rollback()
        first = connection.execute("SELECT cut FROM cut_info").fetchone()
        with connection.transaction():
            assert connection.execute("SELECT cut FROM cut_info").fetchone() == first


def test_a_users_sites_and_no_others(house: House) -> None:
    site = sorted(site["site"] for site in house.json("/api/v1/sites")["sites"])[0]
    with connect(house, "narrow", "--sites", site, autocommit=True) as connection:
        for view in ("sites", "devices", "device_now", "intervals", "errors", "usage", "rollup_day", "facts"):
            assert connection.execute(f"SELECT DISTINCT site FROM {view}").fetchall() == [(site,)], view


def test_figures_are_those_of_the_api(house: House) -> None:
    """Seconds of every site and kind over the settled week, from both functions and from the api, at one cut."""
    since, until = period(house)
    sums = "known_seconds, productive_seconds, unscheduled_down_seconds, base_up_seconds"
    added = ", ".join(f"sum({name})" for name in sums.split(", "))
    with connect(house, "same", "--all") as connection:
        rows = connection.execute(f"SELECT site, kind, {sums}, uptime FROM uptime(%s, %s)", (since, until)).fetchall()
        by_device = connection.execute(f"SELECT site, kind, {added} FROM uptime_by_device(%s, %s) GROUP BY site, kind", (since, until)).fetchall()
        cut = connection.execute("SELECT cut FROM cut_info").fetchone()[0]
    query = urllib.parse.urlencode({"group": "site_kind", "from": since.strftime("%FT%TZ"), "until": until.strftime("%FT%TZ"), "cut": cut})
    names = ("known", "productive", "unscheduled_down", "base_hours_up")
    told = house.json(f"/api/v1/uptime?{query}")["rows"]
    wanted = {(row["site"], row["kind"], name): row["seconds"][name] for row in told for name in names}
    ratios = {(row["site"], row["kind"]): row["uptime"] for row in told}
    assert len(rows) > 50 and flat(rows, names) == pytest.approx(wanted, abs=1e-6)
    assert {(row[0], row[1]): row[-1] for row in rows} == pytest.approx(ratios, abs=1e-12)
    assert flat(by_device, names) == pytest.approx(wanted, abs=1e-6)


def flat(rows: list[tuple], names: tuple[str, ...]) -> dict[tuple[str, str, str], float]:
    return {(site, kind, name): figure for site, kind, *figures in rows for name, figure in zip(names, figures, strict=False)}


def test_a_role_of_its_own_speaks_tls_off_loopback(house: House, tmp_path: Path) -> None:
    """Not the demo's own endpoint: another one over the same secrets, on an address that is not loopback."""
    port, status = free_ports(1), f"127.0.0.1:{free_ports(1)}"
    data = tmp_path / "data"
    command = [binary("medfleet"), "sql", "--data", str(data), "--sql-listen", f"0.0.0.0:{port}", "--status-listen", status]
    role = Role("sql", command, tmp_path / "sql.log", status)
    try:
        role.start()
        told = subprocess.run([binary("medfleet"), "sql-user", "tls", "--all", "--data", str(data)], env=environment(), capture_output=True, text=True, check=True)
        password = Path(told.stdout.strip()).read_text()
        line = f"host=localhost port={port} dbname=medfleet user=tls password={password}"
        with pytest.raises(psycopg.OperationalError, match="TLS only"):
            psycopg.connect(f"{line} sslmode=disable")
        with psycopg.connect(f"{line} sslmode=verify-full sslrootcert={data}/secrets/ca.pem") as connection:
            assert connection.pgconn.ssl_in_use
            with pytest.raises(psycopg.errors.CannotConnectNow):
                connection.execute("SELECT * FROM devices")
        role.stop()
    finally:
        role.end()


def period(house: House) -> tuple[datetime, datetime]:
    """The settled week that the api shows when nothing is said."""
    told = house.json("/api/v1/uptime?group=fleet")
    return tuple(datetime.fromisoformat(told["period"][name].replace("Z", "+00:00")).astimezone(UTC) for name in ("from", "until"))
