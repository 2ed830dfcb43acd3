"""Alerts as people and their systems meet them: a real Alertmanager, a mail server, a webhook whose signature the reference library verifies."""

import json
import random
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from email.message import Message
from pathlib import Path

import pytest
from faults.brokers import Kafka
from faults.process import ROOT, Role, await_true, binary, free_ports, run
from peers.hook import Hook
from peers.mail import Mail
from standardwebhooks import Webhook, WebhookVerificationError

SITE, DEVICES = "north", 6
RULES = """
rules:
  - { name: device-failed, when: device_failed, urgency: page, says: "{subject} has failed", after_minutes: 0 }
"""
KILLS, KILLS_BETWEEN_AT_LEAST = 50, 10
KAFKA_KILLS = 20
DEADLINE_SECONDS = 60.0


class House:
    """One installation with peers, and the hands of a person."""

    kafka: Kafka | None = None
    others: tuple[Role, ...] = ()
    """What runs beside the role that is killed."""

    def __init__(self, folder: Path, routes: str, *more: str) -> None:
        self.folder, self.data = folder, folder / "data"
        self.address = f"127.0.0.1:{free_ports(1)}"
        (folder / "rules.yaml").write_text(RULES)
        (folder / "routes.yaml").write_text(routes)
        try:
            self.open(["--rules", str(folder / "rules.yaml"), "--routes", str(folder / "routes.yaml"), *more])
            self.token = (self.data / "secrets/login.token").read_text()
            for number in range(DEVICES):
                ask = {"type": "register", "kind": "ct", "serial": f"SN-{number}"}
                self.post(f"/api/v1/devices/ct-{number}/requests", {"author": "kim", "site": SITE, "ask": ask})
            await_true("the devices", lambda: self.get("/api/v1/devices")["total"] == DEVICES, DEADLINE_SECONDS)
        except BaseException:
            self.end()
            raise

    def open(self, alerting: list[str]) -> None:
        """`medfleet up`: all roles die together."""
        self.command("site", SITE, "--title", "North", "--time-zone", "America/New_York")
        command = [binary("medfleet"), "up", "--no-demo", "--data", str(self.data), "--listen", self.address, *alerting]
        command += ["--mqtt-listen", f"127.0.0.1:{free_ports(1)}", "--sql-listen", f"127.0.0.1:{free_ports(1)}"]
        self.role = Role("up", command, self.folder / "up.log", self.address, "/live")
        self.role.start()

    def command(self, *words: str) -> str:
        kafka = ["--kafka", self.kafka.bootstrap] if self.kafka else []
        return run(binary("medfleet"), *words, "--data", str(self.data), *kafka).stdout

    def stop(self) -> None:
        for role in (self.role, *self.others):
            role.stop()

    def end(self) -> None:
        for role in (self.role, *self.others, *([self.kafka] if self.kafka else [])):
            role.end()

    def call(self, path: str, body: dict | None = None, key: str | None = None) -> dict:
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def get(self, path: str) -> dict:
        """The answer, once there is one: after a start the api reads first."""
        return self._until_taken(path, None, None)

    def post(self, path: str, body: dict, key: str | None = None) -> dict:
        """Says it until it is taken: the key makes that safe."""
        return self._until_taken(path, body, key or str(uuid.uuid4()))

    def _until_taken(self, path: str, body: dict | None, key: str | None) -> dict:
        answer: list[dict] = []

        def taken() -> bool:
            try:
                answer.append(self.call(path, body, key))
            except urllib.error.HTTPError as error:
                # A server that has just been started knows no device for a moment.
                if error.code not in (404, 503):
                    raise AssertionError(f"{path} {body}: {error.read().decode()}") from None
            except OSError:
                pass  # it is being started
            return bool(answer)

        await_true(f"an answer to {path}", taken, DEADLINE_SECONDS)
        return answer[-1]

    def claim(self, device: int, claim: str) -> None:
        self.post(f"/api/v1/devices/ct-{device}/assertions", {"claim": claim, "author": "kim", "reason": "seen"})

    def alerts(self, filters: str = "") -> list[dict]:
        return self.get(f"/api/v1/alerts?limit=1000&{filters}")["alerts"]

    def messages(self, alert: str) -> list[dict]:
        return self.get(f"/api/v1/alerts/{alert}")["messages"]

    def await_alert(self, device: int) -> dict:
        return await_true(f"an open alert of ct-{device}", lambda: self.alerts(f"open=true&subject=ct-{device}"), DEADLINE_SECONDS)[0]

    def secret(self) -> str:
        return Path(self.command("alerts", "webhook-secret").strip()).read_text().strip()


class Roles(House):
    """Each role for itself on a real Kafka; the alerter is the one that is killed."""

    def open(self, alerting: list[str]) -> None:
        self.kafka = Kafka(self.folder / "kafka")
        self.kafka.start()
        self.command("topics", "apply", "--profile", "dev")
        self.command("site", SITE, "--title", "North", "--time-zone", "America/New_York")
        self.role = self._role("alerter", f"127.0.0.1:{free_ports(1)}", "--status-listen", *alerting)
        self.others = (self._role("processor", f"127.0.0.1:{free_ports(1)}", "--status-listen"), self._role("api", self.address, "--listen"))
        for role in (self.role, *self.others):
            role.start()

    def _role(self, name: str, address: str, listen: str, *more: str) -> Role:
        command = [binary("medfleet"), name, "--data", str(self.data), "--kafka", self.kafka.bootstrap, listen, address, *more]
        # The alerter is ready once it has read the log, and not killed before.
        return Role(name, command, self.folder / f"{name}.log", address, "/ready" if name == "alerter" else "/live")


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.end()


@pytest.fixture
def mail():
    mail = Mail()
    yield mail
    mail.end()


@pytest.fixture
def alertmanager(tmp_path: Path, hook: Hook):
    script, folder = ROOT / "infra/dev/alertmanager.sh", str(tmp_path / "alertmanager")
    port = free_ports(1)
    started = run(str(script), "start", folder, str(port), f"{hook.url}/alertmanager")
    subprocess.run(["amtool", "check-config", f"{folder}/alertmanager.yml"], check=True, capture_output=True)
    yield dict(line.split("=", 1) for line in started.stdout.splitlines())["url"]
    run(str(script), "stop", folder)


def houses(tmp_path: Path, routes: str, *more: str, kind: type[House] = House):
    house = kind(tmp_path, routes, *more)
    try:
        yield house
        house.stop()
    finally:
        house.end()


@pytest.fixture
def house(tmp_path: Path, hook: Hook, mail: Mail, alertmanager: str):
    routes = f"""
people:
  kim: [{{ email: kim@north.example }}, {{ webhook: "{hook.url}/hook" }}]
  operations: [{{ alertmanager: "{alertmanager}" }}]
routes: [{{ name: all, levels: [[{{ people: [kim, operations] }}]] }}]
"""
    more = ["--smtp", f"smtp://127.0.0.1:{mail.port}", "--mail-from", "medfleet <alerts@medfleet.example>"]
    yield from houses(tmp_path, routes, *more, "--deliver-to", "127.0.0.1", "--public-url", "https://medfleet.example")


def told(alertmanager: str) -> list[dict]:
    with urllib.request.urlopen(f"{alertmanager}/api/v2/alerts", timeout=10) as answer:
        return json.loads(answer.read())


def test_people_and_systems_are_told_of_a_failure_and_of_its_end(house: House, hook: Hook, mail: Mail, alertmanager: str) -> None:
    house.claim(0, "down")
    house.claim(1, "down")
    alert = house.await_alert(0)
    await_true("two letters", lambda: len(mail.letters) == 2, DEADLINE_SECONDS)
    await_true("two webhooks", lambda: len(hook.of("/hook")) == 2, DEADLINE_SECONDS)
    await_true("two alerts in Alertmanager", lambda: len(told(alertmanager)) == 2, DEADLINE_SECONDS)
    is_a_whole_letter(next(letter for letter in mail.letters if "ct-0" in letter["Subject"]), alert)
    verifies(hook, house.secret())
    # Alertmanager tells on: what it gathered, by site.
    group = await_true("a group", lambda: [post.json() for post in hook.of("/alertmanager") if len(post.json()["alerts"]) == 2], DEADLINE_SECONDS)[-1]
    assert group["status"] == "firing" and group["groupLabels"] == {"site": SITE}

    house.claim(0, "usable")
    house.claim(1, "usable")
    await_true("two more letters", lambda: len(mail.letters) == 4, DEADLINE_SECONDS)
    await_true("nothing active in Alertmanager", lambda: told(alertmanager) == [], DEADLINE_SECONDS)
    await_true("the end told on", lambda: any(post.json()["status"] == "resolved" for post in hook.of("/alertmanager")), DEADLINE_SECONDS)
    ended = house.get(f"/api/v1/alerts/{alert['alert']}")
    assert [step["change"] for step in ended["life"]] == ["raised", "resolved"]
    await_true("outcomes", lambda: {message["standing"] for message in house.messages(alert["alert"])} == {"delivered"})
    assert sorted(message["occasion"] for message in house.messages(alert["alert"])) == ["attention"] * 3 + ["over"] * 3


def is_a_whole_letter(letter: Message, alert: dict) -> None:
    bodies = {part.get_content_type(): part.get_payload(decode=True).decode() for part in letter.walk() if not part.is_multipart()}
    assert set(bodies) == {"text/plain", "text/html"}
    assert all("ct-0 has failed" in body and f"https://medfleet.example/alerts/{alert['alert']}" in body for body in bodies.values())
    assert letter["X-To"] == "kim@north.example" and letter["Message-ID"].endswith("@medfleet.example>")


def verifies(hook: Hook, secret: str) -> None:
    for post in hook.of("/hook"):
        said = Webhook(secret).verify(post.body, post.headers)
        assert said["type"] == "alert.raised" and said["data"]["site"] == SITE
    forged = post.body.replace(b"north", b"south")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(forged, post.headers)


def test_a_letter_refused_for_now_comes_again_under_its_message_id(house: House, mail: Mail) -> None:
    mail.refusals = 1
    house.claim(2, "down")
    await_true("the letter", lambda: len(mail.letters) == 1, DEADLINE_SECONDS)
    assert len(mail.seen) == 2 and mail.seen[0]["Message-ID"] == mail.seen[1]["Message-ID"]


def test_a_person_takes_an_alert_judges_it_and_a_phone_may_say_it_again(house: House) -> None:
    house.claim(3, "down")
    alert = house.await_alert(3)["alert"]
    path = f"/api/v1/alerts/{alert}/requests"
    key = str(uuid.uuid4())
    for _ in range(3):
        taken = house.post(path, {"author": "lee", "ask": {"type": "acknowledge"}}, key)
        assert (taken["verdict"], taken["alert"]["acknowledged_by"]) == ("granted", "lee")
    refused = house.post(path, {"author": "ann", "ask": {"type": "acknowledge"}})
    assert refused["verdict"] == "refused" and "lee" in refused["reason"]
    house.post(path, {"author": "lee", "ask": {"type": "verdict", "finding": "other_part", "part": "table"}})
    closed = house.post(path, {"author": "lee", "ask": {"type": "close", "reason": "fuse replaced"}})
    assert closed["alert"]["open"] is False
    life = [step["change"] for step in house.get(f"/api/v1/alerts/{alert}")["life"]]
    assert life == ["raised", "acknowledged", "judged", "resolved"]
    assert house.get(f"{path}/{key}")["verdict"] == "granted"


def test_rules_are_tried_on_given_facts_before_they_hold(tmp_path: Path) -> None:
    rules, trials = tmp_path / "rules.yaml", tmp_path / "trials.yaml"
    rules.write_text(RULES)
    story = """
trials:
  - name: who fails is told of at once
    given:
      - { at: "09:00", device: ct-1, says: fails }
      - { at: "09:05", device: ct-1, says: works }
    expect: ["09:00 device-failed ct-1 raised", "09:05 device-failed ct-1 resolved"]
"""

    def tried(text: str):
        trials.write_text(text)
        return run(binary("medfleet"), "rules", "test", str(trials), "--rules", str(rules), may_fail=True)

    good = tried(story)
    assert good.returncode == 0 and "all 1 trials went as expected" in good.stdout, good.stdout + good.stderr
    early = tried(story.replace("09:00 device-failed", "08:59 device-failed"))
    assert early.returncode != 0
    assert "expected, and did not happen: 08:59 device-failed ct-1 raised" in early.stdout
    assert "happened, and was not expected: 09:00 device-failed ct-1 raised" in early.stdout
    unknown = tried(story.replace("says: fails", "says: explodes"))
    assert unknown.returncode != 0 and "explodes" in unknown.stderr, unknown.stderr


def test_a_webhook_into_the_house_is_refused_unless_an_operator_named_it(tmp_path: Path, hook: Hook) -> None:
    for house in houses(tmp_path, to_hook(hook)):
        house.claim(0, "down")
        alert = house.await_alert(0)["alert"]
        message = await_true("the refusal", lambda: [one for one in house.messages(alert) if one["standing"] == "given_up"], DEADLINE_SECONDS)[0]
        assert "127.0.0.1" in message["reason"] and "network" in message["reason"]
    assert hook.posts == []


def test_fifty_kills_lose_no_alert_and_repeat_no_message_under_another_id(tmp_path: Path, hook: Hook, mail: Mail) -> None:
    """Failures come and go while all roles are killed; every alert is told, by letter too, and a message came twice at most as often as there
    were kills."""
    kill_at_random(houses(tmp_path, to_both(hook), *by_mail(mail)), hook, mail, KILLS, KILLS_BETWEEN_AT_LEAST)


def test_on_kafka_the_alerter_is_killed_alone_and_goes_on(tmp_path: Path, hook: Hook, mail: Mail, real_brokers: None) -> None:
    kill_at_random(houses(tmp_path, to_both(hook), *by_mail(mail), kind=Roles), hook, mail, KAFKA_KILLS, KAFKA_KILLS // 5)


def to_both(hook: Hook) -> str:
    return f"people: {{ kim: [{{ webhook: '{hook.url}/hook' }}, {{ email: kim@north.example }}] }}\nroutes: [{{ name: all, levels: [[{{ people: [kim] }}]] }}]\n"


def by_mail(mail: Mail) -> tuple[str, ...]:
    return ("--deliver-to", "127.0.0.1", "--smtp", f"smtp://127.0.0.1:{mail.port}", "--mail-from", "medfleet <alerts@medfleet.example>")


def to_hook(hook: Hook) -> str:
    return f"people: {{ kim: [{{ webhook: '{hook.url}/hook' }}] }}\nroutes: [{{ name: all, levels: [[{{ people: [kim] }}]] }}]\n"


def kill_at_random(houses, hook: Hook, mail: Mail, kills: int, between_at_least: int) -> None:
    chance = random.Random(5)
    for house in houses:
        between = {"webhook": 0, "email": 0}
        for kill in range(kills):
            # Every second kill finds a message that was sent and has no outcome: its receiver thinks. They take turns.
            channel = {0: "webhook", 2: "email"}.get(kill % 4)
            hook.hold_seconds = 30.0 if channel == "webhook" else 0.0
            if channel == "email":
                mail.hold()
            taken = hook.posts if channel == "webhook" else mail.letters
            before = len(taken)
            house.claim(kill % DEVICES, "down" if (kill // DEVICES) % 2 == 0 else "usable")
            if channel:
                await_true(f"a message under way by {channel}", lambda: len(taken) > before, DEADLINE_SECONDS)
                between[channel] += 1
            else:
                time.sleep(chance.uniform(0.0, 0.3))
            house.role.kill()
            mail.release()
            with hook.lock:
                hook.hold_seconds = 0.0
                hook.lock.notify_all()
            house.role.start()
        settled(house, kills)
        judge(house, hook, mail, kills, between, between_at_least)


def turns(house: House) -> int:
    """Each of the claims that turned a device is one step of a life."""
    lives = [house.get(f"/api/v1/alerts/{alert['alert']}")["life"] for alert in house.alerts()]
    return sum(1 for life in lives for step in life if step["change"] in ("raised", "reopened", "resolved"))


def settled(house: House, claims: int) -> None:
    """Until every claim is a step, and the last word about every alert has reached its receiver."""

    def is_told(alert: dict) -> bool:
        # Of what was over before it could be said nothing is said.
        messages = [one for one in house.messages(alert["alert"]) if one["standing"] != "moot"]
        # What began and ended while nobody could be told is told to nobody.
        last = messages[-1]["occasion"] if messages else "over"
        return last == ("attention" if alert["open"] else "over") and all(one["standing"] == "delivered" for one in messages)

    def all_told() -> bool:
        return turns(house) >= claims and all(map(is_told, house.alerts()))

    await_true("every outcome", all_told, 2 * DEADLINE_SECONDS)


def judge(house: House, hook: Hook, mail: Mail, kills: int, between: dict[str, int], between_at_least: int) -> None:
    messages = [message for alert in house.alerts() for message in house.messages(alert["alert"])]
    intents = [message for message in messages if message["standing"] != "moot"]
    came = {
        "webhook": [post.headers["webhook-id"].removeprefix("msg_") for post in hook.of("/hook")],
        "email": [letter["Message-ID"].strip("<>").split("@")[0] for letter in mail.letters],
    }
    assert house.role.kills == kills
    assert turns(house) == kills, "each claim turns one device once"
    came_again = 0
    for channel, ids in came.items():
        own = [message for message in intents if message["channel"] == channel]
        repeats = len(ids) - len(set(ids))
        print(f"{channel}: {house.role.kills} kills, {between[channel]} of them between send and outcome; {len(own)} messages, {repeats} came again")
        assert {message["message"] for message in own} == set(ids), "a message was lost, or came under an id that nobody intended"
        came_again += repeats
        assert sum(message["repeats"] for message in own) <= kills
        assert between[channel] >= between_at_least and repeats >= between_at_least, f"{channel}: a kill that cut off no message"
    assert came_again <= kills, "by all channels together no kill makes more than one message come again"
