"""Rows that are a ratio to a control in the same process: the programs of tests/bench/src take turns, here they are judged."""

import json
import subprocess
from pathlib import Path

from faults import brokers
from faults.process import Failure, Role, binary, environment, free_ports, run

from .figure import Figure, ratio

JOB_DEADLINE_SECONDS = 900.0
# A table is built anew from weeks and months: what is the same for any length is to weigh little.
REPLAY_DAYS = "6"


def job(*words: str) -> list[dict]:
    """What one job printed, a dictionary for each line."""
    command = [binary("medfleet-bench"), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment(), timeout=JOB_DEADLINE_SECONDS)
    if done.returncode != 0:
        raise Failure(f"`{' '.join(command)}` ended with {done.returncode}\n{done.stdout}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def journal(folder: Path) -> list[Figure]:
    said = job("journal", "--folder", str(folder))
    return [ratio("journal", f"append, {one['shape']}, beside raw append with the same syncs", one, 0.7, 0.9, f"{one['beside']['syncs']} syncs") for one in said]


def tables(folder: Path) -> list[Figure]:
    what = "log to tables, exactly once, beside decoding the same records and writing the same Parquet"
    return [ratio("tables", what, one, 0.5, 0.9, one["beside"]["load"]) for one in job("tables", "--folder", str(folder))]


def replay(folder: Path) -> list[Figure]:
    said = job("replay", "--folder", str(folder), "--days", REPLAY_DAYS)
    return [ratio("replay", f"{one['shape']} beside a naive one-thread fold in memory", one, 0.5, 1.0, one["beside"]["load"]) for one in said]


def ingest(folder: Path) -> list[Figure]:
    """Real Mosquitto and Kafka; the role is a process of its own, its agents publish without TLS on loopback."""
    folder.mkdir(parents=True, exist_ok=True)
    mosquitto, kafka = brokers.Mosquitto(folder / "mosquitto"), brokers.Kafka(folder / "kafka")
    role = None
    try:
        mosquitto.start()
        kafka.start()
        place = ["--kafka", kafka.bootstrap, "--mqtt-port", str(mosquitto.port + 1), "--credentials", mosquitto.told["credentials"]]
        mosquitto.add_users(run(binary("medfleet-bench"), "ingest", "--prepare", *place).stdout.split())
        status = f"127.0.0.1:{free_ports(1)}"
        command = [binary("medfleet"), "ingest", "--data", str(folder / "data"), "--kafka", kafka.bootstrap, "--status-listen", status]
        command += ["--mqtt", f"mqtt://127.0.0.1:{mosquitto.port + 1}", "--mqtt-password-file", str(mosquitto.password_file("ingest", folder))]
        role = Role("ingest", command, folder / "ingest.log", status)
        role.start()
        what = "MQTT batches to Kafka, receipt after acks=all, beside raw librdkafka with the same records"
        return [ratio("ingest", what, one, 0.5, 0.8, one["beside"]["load"]) for one in job("ingest", *place)]
    finally:
        for each in (role, mosquitto, kafka):
            if each:
                each.end()
