"""The built function among real parts: both ways to run it, all four ways to call it.

    real_parts.py --logs LOGS_FOLDER --measure MEASURE_BINARY --bridge BRIDGE_BINARY

moto stands in for Secrets Manager, S3 and SQS, the sandbox for Calven and Capillary. The function runs under `cargo lambda
watch`, and, as SAM packed it, under Lambda's own Runtime Interface Emulator, which comes with SAM. After every call the
rows that the strict stand-in for Calven holds are compared with the rows that should be there. The operators' command asks both. Then a damaged state is restored
from the bucket's versions, as docs/deploy.md tells, and instances that share a state in that bucket are killed at random.

Everything listens on 127.0.0.1, on free ports, and is stopped in the end; every wait has an end. The last line is
`N passed, 0 failed`.
"""

import argparse
import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import io
import json
import os
import pathlib
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
import zipfile

import boto3
import samcli

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
BUILT = REPOSITORY / ".aws-sam/build"
SANDBOX = REPOSITORY / "examples/sandbox"
REGION = "eu-west-1"
BUCKET = "calven-bridge-state"
PACKAGES = "packages"
SOURCE_SECRET_ID = "calven-bridge/hris"
FUNCTION = "calven-bridge"
# Made anew each time, and written to the logs folder for the search that follows.
SIGNING_KEY = secrets.token_bytes(32)
SIGNING_SECRET = "whsec_" + base64.b64encode(SIGNING_KEY).decode()
# moto takes any; these are searched for in the logs too.
AWS_SECRET_KEY = secrets.token_hex(20)


# ---------------------------------------------------------------- checks

PASSED, FAILED = [], []


def check(what, good, detail=""):
    (PASSED if good else FAILED).append(what)
    print(f"{'ok    ' if good else 'FAILED'} {what}" + ("" if good else f"\n       {detail}"), flush=True)


def equal(what, got, expected):
    check(what, got == expected, f"got      {shown(got)}\n       expected {shown(expected)}")


def shown(value):
    return json.dumps(value, sort_keys=True, default=sorted)


# ---------------------------------------------------------------- processes

TAKEN = set()


def free_port():
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in TAKEN:
            TAKEN.add(port)
            return port


def request(port, method, path, headers=None, body=b"", timeout=60):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def running(name, command, log, ready, patience, **options):
    """A process with everything it starts, from when `ready()` until the end of the block."""
    with open(log, "ab") as out:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, **options,
        )
        try:
            until = time.monotonic() + patience
            while True:
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.returncode}:\n{tail(log)}")
                try:
                    if ready():
                        break
                except OSError:
                    pass
                if time.monotonic() > until:
                    raise RuntimeError(f"{name} was not ready after {patience} s:\n{tail(log)}")
                time.sleep(0.1)
            yield process
        finally:
            for how in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, how)  # its own session, so its own group
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)


def tail(log, lines=40):
    return "\n".join(pathlib.Path(log).read_text(errors="replace").splitlines()[-lines:])


def moto(logs):
    port = free_port()
    command = [sys.executable, REPOSITORY / "ci/moto_one_at_a_time.py", port]
    ready = lambda: request(port, "GET", "/moto-api/")[0] < 500
    return port, running("moto", command, logs / "moto.log", ready, 60)


def aws_variables(port):
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": AWS_SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


# ---------------------------------------------------------------- the stand-ins for Calven and Capillary


class Sandbox:
    """Calven and Capillary, as `examples/sandbox.rs` plays them."""

    def __init__(self, logs, name):
        self.calven, self.capillary = free_port(), free_port()
        # Built by `cargo test` already; run directly so that it is the process that is stopped.
        command = [
            REPOSITORY / "target/debug/examples/sandbox",
            "--calven-port", self.calven, "--capillary-port", self.capillary, "--picture-port", 0,
        ]
        log = logs / f"sandbox-{name}.log"
        ready = lambda: request(self.calven, "GET", "/puts")[0] == 200
        self.process = running("the sandbox", command, log, ready, 30, cwd=REPOSITORY)

    def rows(self):
        status, _, body = request(self.calven, "GET", "/rows")
        assert status == 200, f"/rows answered {status}"
        body = json.loads(body)
        return None if body is None else as_set(body["groupRelationships"])

    def puts(self):
        return int(json.loads(request(self.calven, "GET", "/puts")[2]))


def as_set(rows):
    found = {(r["group"], r["groupType"], r["parent"], r["parentType"]) for r in rows}
    assert len(found) == len(rows), "the same row twice"
    return found


def as_rows(rows):
    return [dict(zip(("group", "groupType", "parent", "parentType"), row)) for row in sorted(rows, key=str)]


def organizations():
    """What Capillary's stand-in says, as the rows it should come to."""
    answer = json.loads((SANDBOX / "capillary.json").read_text())
    orgs = [answer["baseOrganization"], *answer["connectedOrganizations"]]
    names = {org["id"]: org["name"] for org in orgs}
    return {
        (org["name"], "Organization", names.get(org["parentId"]), "Organization" if org["parentId"] in names else None)
        for org in orgs
    }


# ---------------------------------------------------------------- the function, run in two ways


def function_variables(sandbox, aws_port, state_key, calven_secret, sources):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CALVEN_", "CAPILLARY_"))}
    return inherited | aws_variables(aws_port) | {
        "CALVEN_SECRET_ID": calven_secret,
        "CALVEN_BASE_URL": f"http://127.0.0.1:{sandbox.calven}",
        "CAPILLARY_SECRET_ID": "capillary/api",
        "CAPILLARY_BASE_URL": f"http://127.0.0.1:{sandbox.capillary}",
        "STATE_URL": f"s3://{BUCKET}/{state_key}",
        "SOURCES_FILE": str(sources),
        # The wordiest that the template offers: what it says is searched for secrets.
        "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }


class Watch:
    """`cargo lambda watch`: HTTP is HTTP, the rest goes to its invoke API."""

    name = "cargo lambda watch"
    called = FUNCTION

    def __init__(self, variables, logs):
        self.port = free_port()
        command = [
            "cargo", "lambda", "watch", "--ignore-changes", "--bin", FUNCTION,
            "--invoke-address", "127.0.0.1", "--invoke-port", self.port,
        ]
        # The first build may still have to link; `ready` also waits for the function itself.
        ready = lambda: self.http("GET", "/health")[0] == 200
        self.process = running(self.name, command, logs / "watch.log", ready, 480, cwd=REPOSITORY, env=variables)

    def http(self, method, path, headers=None, body=b""):
        status, headers, body = request(self.port, method, f"/lambda-url/{FUNCTION}{path}", headers, body)
        return status, headers, as_json(body)

    def invoke(self, event):
        path = f"/2015-03-31/functions/{FUNCTION}/invocations"
        return answer_or_error(request(self.port, "POST", path, body=json.dumps(event).encode()))


class Emulator:
    """The packed bootstrap under Lambda's Runtime Interface Emulator: HTTP comes as a Function URL's event."""

    name = "Lambda's emulator"
    called = "function"

    def __init__(self, variables, logs, package):
        self.port = free_port()
        machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
        packed = pathlib.Path(samcli.__file__).parent / f"local/rapid/aws-lambda-rie-{machine}"
        emulator = package.parent / "aws-lambda-rie"
        shutil.copy(packed, emulator)
        emulator.chmod(0o755)
        command = [
            emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}",
            "--runtime-api-address", f"127.0.0.1:{free_port()}", package / "bootstrap", "bootstrap",
        ]
        variables = variables | {
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "LAMBDA_TASK_ROOT": str(package),
        }
        ready = lambda: self.http("GET", "/health")[0] == 200
        self.process = running(self.name, command, logs / "emulator.log", ready, 60, cwd=package, env=variables)

    def http(self, method, path, headers=None, body=b""):
        now = int(time.time() * 1000)
        host = "abcdefghij.lambda-url.eu-west-1.on.aws"
        event = {
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
            "headers": {k.lower(): v for k, v in (headers or {}).items()} | {"host": host},
            "requestContext": {
                "accountId": "anonymous", "apiId": "abcdefghij", "domainName": host, "domainPrefix": "abcdefghij",
                "http": {
                    "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "real-parts",
                },
                "requestId": str(uuid.uuid4()), "routeKey": "$default", "stage": "$default",
                "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": now,
            },
            "body": base64.b64encode(body).decode(), "isBase64Encoded": True,
        }
        answer, error = self.invoke(event)
        if error:
            raise RuntimeError(f"an HTTP event must never fail the invocation: {error}")
        body = answer.get("body") or ""
        body = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        return answer["statusCode"], {k.lower(): v for k, v in answer.get("headers", {}).items()}, as_json(body)

    def invoke(self, event):
        path = f"/2015-03-31/functions/{self.called}/invocations"
        return answer_or_error(request(self.port, "POST", path, body=json.dumps(event).encode()))


def as_json(body):
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def answer_or_error(answered):
    _, _, body = answered
    body = as_json(body)
    if isinstance(body, dict) and "errorType" in body:
        return None, body
    return body, None


# ---------------------------------------------------------------- what a sender and a queue would send


def timestamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def signed(body, at=None, key=SIGNING_KEY):
    """A body with the headers of https://www.standardwebhooks.com."""
    body = json.dumps(body).encode()
    event_id, at = f"msg_{uuid.uuid4().hex}", int(time.time() if at is None else at)
    mac = hmac.new(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
    return headers, body


def changes(*changes, at=None):
    return {"id": f"evt_{uuid.uuid4().hex}", "occurredAt": timestamp(at or time.time()), "changes": list(changes)}


def upsert(row):
    return {"op": "upsert"} | as_rows([row])[0]


def record(body, message_id):
    return {
        "messageId": message_id, "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000)),
            "SenderId": "AROAIENQZJOLO23YVJ4VO:calven-bridge",
            "ApproximateFirstReceiveTimestamp": str(int(time.time() * 1000)),
        },
        "messageAttributes": {}, "md5OfBody": hashlib.md5(body.encode()).hexdigest(), "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:calven-bridge", "awsRegion": REGION,
    }


def queued(body):
    headers, body = signed(body)
    return json.dumps({
        "v": 1, "source": "hris", "requestId": str(uuid.uuid4()), "receivedAt": timestamp(time.time()),
        "headers": headers, "body": base64.b64encode(body).decode(),
    })


# ---------------------------------------------------------------- the story

# The example of Calven's documentation, and eight teams so that there is something to lose.
MARKETING = {
    ("Channel Marketing", "Department", "Marketing", "Division"),
    ("Marketing", "Division", None, None),
}
TEAMS = {(f"Team {n}", "Team", "Channel Marketing", "Department") for n in range(1, 9)}


def story(function, sandbox, s3, state_key):
    where = function.name

    def webhook(body, **options):
        headers, body = signed(body, **options)
        return function.http("POST", "/webhooks/hris", headers, body)

    def holds(what, expected):
        equal(f"{where}: {what}: Calven holds exactly the expected rows", sandbox.rows(), expected)

    def answered(what, got, status, word):
        code, _, body = got
        said = body.get("status") if isinstance(body, dict) else body
        check(f"{where}: {what}: {status} {word}", (code, said) == (status, word), f"got {code} {shown(body)}")

    def reasons(got):
        return {entry.get("reason") for entry in got[2].get("held", [])}

    # HTTP, before anything is known of what Calven holds.
    events = ("Events", "Department", "Marketing", "Division")
    got = webhook(changes(upsert(events), at=time.time() - 60))
    answered("a webhook before the seed", got, 202, "held")
    equal(f"{where}: it waits for the seed", reasons(got), {"not_seeded"})
    holds("before the seed", None)

    # Operator: seed.
    rows = MARKETING | TEAMS | {events} | organizations()
    answer, error = function.invoke({"action": "seed", "groupRelationships": as_rows(MARKETING | TEAMS)})
    check(f"{where}: the seed is published", not error and answer["status"] == "published", f"got {shown(answer or error)}")
    holds("after the seed, with the webhook that waited and Capillary's orgs", rows)

    # HTTP.
    field = ("Field Marketing", "Department", "Marketing", "Division")
    body = changes(upsert(field))
    answered("a webhook", webhook(body), 200, "published")
    rows = rows | {field}
    holds("after a webhook", rows)
    puts = sandbox.puts()
    answered("the same webhook once more", webhook(body), 200, "unchanged")
    equal(f"{where}: nothing was sent for it", sandbox.puts(), puts)

    # What is not genuine, or not for us, changes nothing.
    lost = changes({"op": "remove", "group": "Marketing", "groupType": "Division"})
    for what, got, status in [
        ("a wrong signature", webhook(lost, key=b"another key"), 401),
        ("an old signature", webhook(lost, at=time.time() - 3600), 401),
        ("an unknown source", function.http("POST", "/webhooks/nobody", *signed(lost)), 404),
        ("a wrong method", function.http("DELETE", "/webhooks/hris", *signed(lost)), 405),
        ("a body that does not fit", webhook({"changes": [{"op": "upsert", "group": ""}]}), 422),
    ]:
        check(f"{where}: {what}: {status}", got[0] == status, f"got {got[0]} {shown(got[2])}")
    answer, error = function.invoke({"hello": "world"})
    check(f"{where}: an unknown invocation fails and lists what is known", error and "seed" in shown(error), shown(answer or error))
    equal(f"{where}: nothing was sent for any of them", sandbox.puts(), puts)
    holds("after what was refused", rows)

    # The schedule, both kinds: always one PUT.
    for what, event in [
        ("an EventBridge rule", {
            "version": "0", "id": str(uuid.uuid4()), "detail-type": "Scheduled Event", "source": "aws.events",
            "account": "123456789012", "time": timestamp(int(time.time())), "region": REGION,
            "resources": [f"arn:aws:events:{REGION}:123456789012:rule/reconcile"], "detail": {},
        }),
        ("EventBridge Scheduler", {"action": "reconcile"}),
    ]:
        puts = sandbox.puts()
        reconciled, error = function.invoke(event)
        check(f"{where}: {what} reconciles", not error, shown(error))
        equal(f"{where}: {what} sends one PUT", sandbox.puts(), puts + 1)
        holds(f"after {what}", rows)
    version = (reconciled or {}).get("hierarchy", {}).get("version")
    rows_of_version = rows

    # SQS: two good ones and one that can't be read, one PUT.
    puts = sandbox.puts()
    pop_up = ("Pop-up Stores", "Department", "Marketing", "Division")
    answer, error = function.invoke({"Records": [
        record(queued(changes({"op": "rename", "group": "Events", "groupType": "Department", "to": "Live Events"})), "m-1"),
        record("not JSON", "m-2"),
        record(queued(changes(upsert(pop_up))), "m-3"),
    ]})
    failures = None if error else [entry["itemIdentifier"] for entry in answer["batchItemFailures"]]
    equal(f"{where}: of a batch only the unreadable message is given back", failures, ["m-2"])
    equal(f"{where}: a batch is one PUT", sandbox.puts(), puts + 1)
    rows = rows - {events} | {("Live Events", "Department", "Marketing", "Division"), pop_up}
    holds("after a batch", rows)

    # Operator: a mass removal is held, looked at, approved.
    kept = rows - TEAMS - organizations()
    got = webhook({
        "id": f"evt_{uuid.uuid4().hex}", "occurredAt": timestamp(time.time()),
        "changes": [{"op": "remove", "group": row[0], "groupType": row[1]} for row in sorted(TEAMS)],
    })
    answered("a mass removal", got, 202, "held")
    equal(f"{where}: the guard holds it", reasons(got), {"guard"})
    holds("while a mass removal is held", rows)
    plan, error = function.invoke({"action": "plan"})
    removed = [] if error else plan["changes"]["removed"]
    check(f"{where}: the plan shows what would go", len(removed) == len(TEAMS), shown(plan or error))
    _, error = function.invoke({"action": "approve", "digest": "0" * 64})
    check(f"{where}: another digest is refused", bool(error), "it was taken")
    holds("after a refused approval", rows)
    answer, error = function.invoke({"action": "approve", "digest": (plan or {}).get("digest")})
    check(f"{where}: the plan's digest is approved", not error and answer["status"] == "published", shown(answer or error))
    rows = kept | organizations()
    holds("after the approval", rows)

    # Operator: export, history, rollback.
    answer, error = function.invoke({"action": "export"})
    check(
        f"{where}: the export is what Calven holds",
        not error and list(answer) == ["groupRelationships"] and as_set(answer["groupRelationships"]) == sandbox.rows(),
        shown(answer or error),
    )
    answer, error = function.invoke({"action": "history"})
    versions = [] if error else [entry["version"] for entry in answer["history"]]
    check(f"{where}: the history knows version {version}", version in versions, shown(answer or error))
    answer, error = function.invoke({"action": "rollback", "version": version})
    check(f"{where}: a rollback is published", not error and answer["status"] == "published", shown(answer or error))
    holds("after the rollback", rows_of_version)
    late = ("Partners", "Department", "Marketing", "Division")
    got = webhook(changes(upsert(late)))
    answered("a webhook after the rollback", got, 202, "held")
    equal(f"{where}: the rollback holds it", reasons(got), {"rolled_back"})
    holds("while rolled back", rows_of_version)
    plan, error = function.invoke({"action": "plan"})
    answer, error = function.invoke({"action": "approve", "digest": (plan or {}).get("digest")})
    check(f"{where}: the plan after a rollback is approved", not error and answer["status"] == "published", shown(answer or error))
    holds("after that approval", rows | {late})

    # The state is where it was to be, and has no secret in it.
    state = s3.get_object(Bucket=BUCKET, Key=state_key)["Body"].read().decode()
    known = [SIGNING_SECRET, AWS_SECRET_KEY, *texts(sandbox_secrets())]
    check(f"{where}: the state in S3 has no secret in it", not [s for s in known if s in state], "it has")


# ---------------------------------------------------------------- the story of the command

def command_story(function, command):
    """The operators' command, on a function as it is served."""
    where = f"{function.name}: bridge"

    def bridge(*arguments):
        at = ["--url", f"http://127.0.0.1:{function.port}", "--function", function.called]
        done = subprocess.run([command, *arguments, *at], capture_output=True, text=True, timeout=60, env={})
        return done.returncode, done.stdout, done.stderr

    code, told, error = bridge("plan")
    check(f"{where} plan says that nothing is pending", code == 0 and told.startswith("No changes"), f"got {code} {told} {error}")
    code, told, error = bridge("export")
    exported, _ = function.invoke({"action": "export"})
    check(f"{where} export is the function's answer", code == 0 and as_json(told.encode()) == exported, f"got {code} {error}")
    code, told, error = bridge("explain", "Division", "Marketing")
    check(f"{where} explain tells of a group", code == 0 and "Marketing" in told, f"got {code} {told} {error}")
    code, told, error = bridge("rollback", "9999")
    check(f"{where} rollback is refused, and says why", code == 1 and "9999" in error and not told, f"got {code} {told} {error}")
    code, told, error = bridge("check")
    check(f"{where} check finds nothing wrong", code == 0 and "✗" not in told, f"got {code} {told} {error}")


# ---------------------------------------------------------------- the story of a queue

WEBHOOKS, BURST = 1000, 200
POISONED = [
    "not JSON", "{}", "[" * 100, '{"v": 2, "source": "hris"}',
    json.dumps({"v": 1, "source": "nobody", "receivedAt": "2026-01-01T00:00:00Z", "headers": {}, "body": ""}),
]


def tens(entries):
    """SQS's batches have at most ten."""
    return (entries[at:at + 10] for at in range(0, len(entries), 10))


class Queue:
    """A queue in moto's SQS, and what Lambda's event source mapping does with it, played here."""

    def __init__(self, sqs):
        self.sqs = sqs
        self.dead = sqs.create_queue(QueueName=f"{FUNCTION}-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
        attributes = {"VisibilityTimeout": "300", "RedrivePolicy": redrive}
        self.url = sqs.create_queue(QueueName=FUNCTION, Attributes=attributes)["QueueUrl"]

    def received(self, url, most):
        """Up to so many messages; SQS gives ten at a time."""
        found = []
        while len(found) < most:
            more = self.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=min(10, most - len(found)), WaitTimeSeconds=0,
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
            if not more:
                break
            found += more
        return found

    def drain(self, function, most=100):
        """Batches until nothing is left: how many there were, and how many invocations failed."""
        batches = failed = 0
        while messages := self.received(self.url, most):
            batches += 1
            assert batches < 1000, "the queue does not become empty"
            answer, error = function.invoke({"Records": [
                record(message["Body"], message["MessageId"]) | {"receiptHandle": message["ReceiptHandle"]}
                for message in messages
            ]})
            failed += bool(error)
            again = {entry["itemIdentifier"] for entry in answer["batchItemFailures"]} if not error else None
            done, left = [], []
            for message in messages:
                is_left = again is None or message["MessageId"] in again
                (left if is_left else done).append({"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]})
            for ten in tens(done):
                answer = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=ten)
                assert not answer.get("Failed"), answer
            for ten in tens(left):
                ten = [entry | {"VisibilityTimeout": 0} for entry in ten]
                answer = self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=ten)
                assert not answer.get("Failed"), answer
        return batches, failed

    def waiting(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(number) for number in found.values())


def queue_story(function, sandbox, queue):
    where = "a queue"

    def burst(teams):
        """A webhook for each; how the ones were answered that were not acknowledged from the queue."""
        others = []
        for team in teams:
            headers, body = signed(changes(upsert(team)))
            got = function.http("POST", "/webhooks/hris", headers, body)
            if (got[0], got[2].get("status")) != (202, "accepted"):
                others.append((got[0], got[2]))
        return others

    rows = MARKETING | organizations()
    answer, error = function.invoke({"action": "seed", "groupRelationships": as_rows(rows)})
    check(f"{where}: seeded", not error and answer["status"] == "published", shown(answer or error))
    puts = sandbox.puts()

    # In bursts, since moto takes longer for each message the more there are.
    teams = [(f"Crew {n}", "Team", "Channel Marketing", "Department") for n in range(WEBHOOKS)]
    others, unsent, batches, failed = [], [], 0, 0
    began = time.monotonic()
    for at in range(0, WEBHOOKS, BURST):
        before = sandbox.puts()
        others += burst(teams[at:at + BURST])
        unsent.append((queue.waiting(), sandbox.puts() - before))
        more, lost = queue.drain(function)
        batches, failed = batches + more, failed + lost
    took = time.monotonic() - began
    check(f"{where}: {WEBHOOKS} webhooks are acknowledged", not others, shown(others[:3]))
    equal(f"{where}: they lay in it, and nothing was sent before", unsent, [(BURST, 0)] * (WEBHOOKS // BURST))
    equal(f"{where}: no batch failed", failed, 0)
    made = sandbox.puts() - puts
    check(f"{where}: {made} PUTs for {batches} batches, at most 20 ({took:.1f} s in all)", 0 < made <= 20, f"{made} PUTs")
    rows = rows | set(teams)
    equal(f"{where}: Calven holds what all {WEBHOOKS} said", sandbox.rows(), rows)
    equal(f"{where}: nothing is left in it", queue.waiting(), 0)
    equal(f"{where}: the dead-letter queue is empty", queue.received(queue.dead, 10), [])

    teams = {(f"Squad {n}", "Team", "Channel Marketing", "Department") for n in range(20)}
    others = []
    for n, team in enumerate(sorted(teams)):
        if n % 4 == 0:  # five of them, spread among the good
            queue.sqs.send_message(QueueUrl=queue.url, MessageBody=POISONED[n // 4])
        others += burst([team])
    check(f"{where}: what is sent among {len(POISONED)} poisoned is acknowledged", not others, shown(others))
    puts = sandbox.puts()
    _, failed = queue.drain(function)
    equal(f"{where}: no invocation failed for the poisoned", failed, 0)
    equal(f"{where}: what lay among them is one PUT", sandbox.puts(), puts + 1)
    equal(f"{where}: Calven holds what they said", sandbox.rows(), rows | teams)
    dead = [message["Body"] for message in queue.received(queue.dead, 100)]
    equal(f"{where}: the dead-letter queue holds exactly the poisoned", sorted(dead), sorted(POISONED))
    equal(f"{where}: nothing else is left", queue.waiting(), 0)


# ---------------------------------------------------------------- the story of a damaged state


def damage_story(function, sandbox, s3, state_key):
    """What docs/going-back.md tells under "The state cannot be read": each `aws s3api` command is the call of its name here."""
    where = "a damaged state"
    rows = MARKETING | organizations()
    _, error = function.invoke({"action": "seed", "groupRelationships": as_rows(rows)})
    check(f"{where}: seeded", not error, shown(error))
    for team in sorted(TEAMS):
        got = function.http("POST", "/webhooks/hris", *signed(changes(upsert(team))))
        check(f"{where}: {team[0]} is published", got[0] == 200, f"got {got[0]} {shown(got[2])}")
        rows = rows | {team}
    whole = s3.get_object(Bucket=BUCKET, Key=state_key)["Body"].read()
    damaged = whole[:len(whole) // 2]
    s3.put_object(Bucket=BUCKET, Key=state_key, Body=damaged)
    puts = sandbox.puts()

    # It is told, and nothing is started over.
    said = changes(upsert(("Partners", "Department", "Marketing", "Division")))
    got = function.http("POST", "/webhooks/hris", *signed(said))
    equal(f"{where}: a webhook is to be sent again", got[0], 500)
    for action in ("reconcile", "plan", "history"):
        _, error = function.invoke({"action": action})
        told = (error or {}).get("errorType"), "the state cannot be read" in (error or {}).get("errorMessage", "")
        equal(f"{where}: {action} fails, and says what is damaged", told, ("StateUnreadable", True))
    equal(f"{where}: nothing was sent", sandbox.puts(), puts)
    left = s3.get_object(Bucket=BUCKET, Key=state_key)["Body"].read()
    check(f"{where}: it is left as it is", left == damaged, f"{len(left)} bytes")

    # list-object-versions; get-object, and a look at it; copy-object; reconcile.
    versions = s3.list_object_versions(Bucket=BUCKET, Prefix=state_key)["Versions"]
    versions = [version for version in versions if version["Key"] == state_key]
    check(f"{where}: the bucket has a version of each save", len(versions) == len(TEAMS) + 2, f"{len(versions)}")
    check(f"{where}: the newest is the damaged one", versions[0]["IsLatest"] and versions[0]["Size"] == len(damaged), shown(len(versions)))
    older = versions[1]["VersionId"]
    looked_at = s3.get_object(Bucket=BUCKET, Key=state_key, VersionId=older)["Body"].read()
    check(f"{where}: the one before is whole", as_json(looked_at).get("version") == len(TEAMS) + 1, f"{len(looked_at)} bytes")
    s3.copy_object(Bucket=BUCKET, Key=state_key, CopySource={"Bucket": BUCKET, "Key": state_key, "VersionId": older})
    answer, error = function.invoke({"action": "reconcile"})
    check(f"{where}: restored, it is reconciled", not error and answer["status"] == "published", shown(answer or error))
    equal(f"{where}: Calven holds what it says", sandbox.rows(), rows)

    # The sender was told to send again, and does.
    got = function.http("POST", "/webhooks/hris", *signed(said))
    check(f"{where}: what was refused meanwhile is taken now", got[0] == 200, f"got {got[0]} {shown(got[2])}")
    equal(f"{where}: and Calven holds it", sandbox.rows(), rows | {("Partners", "Department", "Marketing", "Division")})


# ---------------------------------------------------------------- the story of the kills


def kills_story(measure, package, logs, aws_port):
    """`measure kills` drives instances of its own and says itself what is wrong; here it gets moto's S3 to keep their state in."""
    done = subprocess.run(
        [
            measure, "kills", "--function", package / "bootstrap", "--state", f"s3://{BUCKET}/kills/state.json",
            "--endpoint", f"http://127.0.0.1:{aws_port}", "--log", logs / "kills-function.log",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400,
    )
    print(done.stdout)
    check("the kills: what was acknowledged is there after one reconcile", done.returncode == 0, f"status {done.returncode}")


def sandbox_secrets():
    return json.loads((SANDBOX / "secrets.json").read_text())


def texts(secrets_by_id):
    names = {"auth", "apiKey", "clientId", "username", "key"}
    return [value for secret in secrets_by_id.values() for name, value in secret.items() if name not in names]


# ---------------------------------------------------------------- what SAM would deploy


def packed(folder, aws_port):
    """Packs as `sam deploy` does, to moto's S3; unpacks as Lambda does. Gives the folders of function and layer."""
    template = folder / "packaged.json"
    subprocess.run(
        ["sam", "package", "--no-progressbar", "--s3-bucket", PACKAGES, "--region", REGION, "--use-json", "--output-template-file", template],
        cwd=REPOSITORY, env=os.environ | aws_variables(aws_port), stdin=subprocess.DEVNULL, timeout=300, check=True,
        stdout=subprocess.DEVNULL,
    )
    s3 = client("s3", aws_port)
    resources = json.loads(template.read_text())["Resources"]
    folders = []
    for resource, key in [("BridgeFunction", "CodeUri"), ("SourcesLayer", "ContentUri")]:
        uri = urllib.parse.urlsplit(resources[resource]["Properties"][key])
        body = s3.get_object(Bucket=uri.netloc, Key=uri.path.lstrip("/"))["Body"].read()
        folders.append(folder / resource)
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            archive.extractall(folders[-1])
    function, layer = folders
    equal("the package has the binary", sorted(path.name for path in function.iterdir()), ["bootstrap"])
    equal("the layer has sources.toml", sorted(path.name for path in layer.iterdir()), ["sources.toml"])
    same = (layer / "sources.toml").read_bytes() == (REPOSITORY / "sources.toml").read_bytes()
    check("it is the repository's own", same)
    check(
        "the package's binary is the one that was built once",
        (function / "bootstrap").read_bytes() == (BUILT / "BridgeFunction/bootstrap").read_bytes(),
    )
    (function / "bootstrap").chmod(0o755)
    return function, layer


def client(service, aws_port):
    variables = aws_variables(aws_port)
    return boto3.client(
        service, endpoint_url=variables["AWS_ENDPOINT_URL"], region_name=REGION,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"], aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def main():
    parser = argparse.ArgumentParser(description="The built function among real parts.")
    parser.add_argument("--logs", type=pathlib.Path, required=True)
    parser.add_argument("--measure", type=pathlib.Path, required=True, help="the binary of measure/")
    parser.add_argument("--bridge", type=pathlib.Path, required=True, help="the binary of bridge/")
    arguments = parser.parse_args()
    logs, measure, bridge = arguments.logs.resolve(), arguments.measure.resolve(), arguments.bridge.resolve()
    (logs / "secrets.json").write_text(json.dumps({"signingSecret": SIGNING_SECRET, "secretKey": AWS_SECRET_KEY}))

    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        aws_port, process = moto(logs)
        stack.enter_context(process)
        s3, manager = client("s3", aws_port), client("secretsmanager", aws_port)
        for bucket in (BUCKET, PACKAGES):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        # As template.yaml has it.
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for name, secret in (sandbox_secrets() | {SOURCE_SECRET_ID: {"signingSecret": SIGNING_SECRET}}).items():
            manager.create_secret(Name=name, SecretString=json.dumps(secret))
        package, layer = packed(folder, aws_port)

        sources = layer / "sources.toml"
        for name, calven_secret, start in [
            ("watch", "calven/api", lambda variables: Watch(variables, logs)),
            ("emulator", "calven/client-secret", lambda variables: Emulator(variables, logs, package)),
        ]:
            sandbox = Sandbox(logs, name)
            with sandbox.process:
                state_key = f"{name}/state.json"
                function = start(function_variables(sandbox, aws_port, state_key, calven_secret, sources))
                with function.process:
                    story(function, sandbox, s3, state_key)
                    command_story(function, bridge)

        sandbox, queue = Sandbox(logs, "queue"), Queue(client("sqs", aws_port))
        with sandbox.process:
            variables = function_variables(sandbox, aws_port, "queue/state.json", "calven/api", sources)
            function = Emulator(variables | {"QUEUE_URL": queue.url}, logs, package)
            with function.process:
                queue_story(function, sandbox, queue)

        sandbox, state_key = Sandbox(logs, "damage"), "damage/state.json"
        with sandbox.process:
            function = Emulator(function_variables(sandbox, aws_port, state_key, "calven/api", sources), logs, package)
            with function.process:
                damage_story(function, sandbox, s3, state_key)

        kills_story(measure, package, logs, aws_port)

    print(f"{len(PASSED)} passed, {len(FAILED)} failed")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    # So that a signal from outside still stops what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
