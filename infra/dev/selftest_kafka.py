"""The Kafka half of selftest.sh: creates the topics that topics.toml declares, produces numbered records, and finds each of them once."""

import argparse
import sys
import tomllib
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

TOPICS_FILE = Path(__file__).resolve().parent.parent / "kafka" / "topics.toml"
PROFILE = "dev"
TOPIC = "medfleet.facts.v1"
DEADLINE_SECONDS = 30.0


def declared_topics() -> list[NewTopic]:
    declared = tomllib.loads(TOPICS_FILE.read_text(encoding="utf-8"))
    profile = declared["profile"][PROFILE]
    shared = declared["defaults"] | {"min.insync.replicas": str(profile["min_insync_replicas"])}
    return [
        NewTopic(topic["name"], topic["partitions"], profile["replication_factor"], config=shared | topic.get("config", {}))
        for topic in declared["topic"]
    ]


def create_topics(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})  # named: a collected client abandons its requests
    for name, created in admin.create_topics(declared_topics()).items():
        try:
            created.result(DEADLINE_SECONDS)
        except Exception as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise SystemExit(f"topic {name} could not be created: {error}") from error


def produce(bootstrap: str, messages: int) -> None:
    create_topics(bootstrap)
    acknowledged: list[str | None] = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "compression.type": "zstd"})
    for number in range(messages):
        producer.produce(TOPIC, key=str(number), value=str(number), on_delivery=lambda error, _: acknowledged.append(error))
    unsent = producer.flush(DEADLINE_SECONDS)
    failures = [error for error in acknowledged if error is not None]
    if unsent or failures:
        raise SystemExit(f"{unsent} records without an answer, {len(failures)} refused: {failures[:1]}")


def read_to_the_end(bootstrap: str) -> list[int]:
    """Reads every partition from its first offset to the end it has now, without a group."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "selftest", "enable.auto.commit": False})
    partitions = consumer.list_topics(TOPIC, DEADLINE_SECONDS).topics[TOPIC].partitions
    starts, left = [], 0
    for partition in partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), DEADLINE_SECONDS)
        starts.append(TopicPartition(TOPIC, partition, low))
        left += high - low
    consumer.assign(starts)
    found = []
    while left:
        batch = consumer.consume(left, DEADLINE_SECONDS)
        if not batch:
            raise SystemExit(f"{left} records did not come within {DEADLINE_SECONDS:g} s")
        for record in batch:
            if record.error():
                raise SystemExit(f"reading failed: {record.error()}")
            found.append(int(record.value()))
        left -= len(batch)
    consumer.close()
    return found


def verify(bootstrap: str, messages: int) -> None:
    found = sorted(read_to_the_end(bootstrap))
    if found != list(range(messages)):
        missing = set(range(messages)) - set(found)
        raise SystemExit(f"{messages} records were acknowledged, {len(found)} found: {len(missing)} missing, {len(found) - len(set(found))} twice")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["produce", "verify"])
    parser.add_argument("--bootstrap", required=True, metavar="HOST:PORT")
    parser.add_argument("--messages", type=int, required=True)
    options = parser.parse_args()
    {"produce": produce, "verify": verify}[options.action](options.bootstrap, options.messages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
