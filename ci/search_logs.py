"""Searches all that a check run has put out for everything that was used in it and that nobody may print.

    search_logs.py LOGS_FOLDER

Such a text is a canary. What is one:

- secret     every text under a key that names a secret (`apiSecret`, `token`, `signingSecret`, …) in the Rust, JSON, TOML and
             Python files of the crate, its examples, tests and stand-ins, so that a new one is searched for without being listed;
             `secrets.json` of the logs folder, written by the step that made it up; and every secret that a test gave to the
             function and every token that a stand-in granted, which stand-ins/src/canaries.rs notes in `canaries.jsonl`.
             ci/secrets-used.txt adds the ones that have no such key, and names what only looks like one.
- handshake  a handshake's token. A state may hold it, and the answer to an operator's `handshake` tells it.
- proof      a signature, or what else a test sent to prove something. Noted in `canaries.jsonl`.
- person     a name, address, telephone number or id in the bodies of tests/fixtures, and every text that begins with `canary-person-`.
- body       a text in a body that a test sent: searched for in the function's log and metrics. States, answers and commands tell
             of groups, and a queue's message is the body; none of them is to tell of a person, but for that message.

Each is searched for as it is, as JSON has it (also JSON in JSON), as Rust prints bytes (`b"\\xc3\\xa9"`, `[195, 169]`), in base64
(wherever in a longer text it begins, both alphabets, padded or not), in hexadecimal and percent-encoded (both cases, also every
byte of it). One that is too short to be searched for must be listed. Of the numbers in bodies those are canaries that are a
person's, in tests/fixtures, and of eight digits or more.

First the search itself is tried: every canary is planted in each of these ways, and every planted line must be found; and
`planted/` in the logs folder, where a test has let the function's own log have one canary of each kind, must be found out.
What is to be searched must be there: every output of `OUTPUTS`, lines of the function itself in `LOGS`, canaries of each kind.
"""

import base64
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["src", "tests", "examples", "stand-ins", "bridge", "measure", "simulation", "events", "ci"]
ENDINGS = {".rs", ".json", ".toml", ".py"}
# Shorter ones would be found in words that have nothing to do with them.
SHORTEST = 6

SECRET_KEYS = (
    r"api_?secret|client_?secret|signing_?secrets?|secret_?key|secret|password|password_?md5"
    r"|token|access_?token|refresh_?token|jwt|bearer"
)
QUOTE = r'\\?["\']'
TEXT = r"([^\"'\\\n]+)"
PAIR = re.compile(rf"(?<![A-Za-z0-9])(?:{SECRET_KEYS}){QUOTE}?\s*[:=]\s*\[?\s*{QUOTE}{TEXT}{QUOTE}", re.IGNORECASE)
CONSTANT = re.compile(rf"\b\w*(?:SECRET|PASSWORD|TOKEN)S?\s*:\s*[^=\n]*=\s*&?\[?\s*{QUOTE}{TEXT}{QUOTE}")
SIGNING = re.compile(r"whsec_[A-Za-z0-9+/_-]{16,}={0,2}")
USER = re.compile(
    rf"(?:apiKey|username|clientId|key){QUOTE}\s*:\s*{QUOTE}{TEXT}{QUOTE}\s*,\s*"
    rf"{QUOTE}(?:apiSecret|password|clientSecret|secret){QUOTE}\s*:\s*{QUOTE}{TEXT}{QUOTE}"
)
CANARY = re.compile(r"canary-person-[a-z0-9-]*[a-z0-9]")
PERSONAL = re.compile(
    r"(given|family|first|last|middle|full|preferred|legal|user|nick)_?name|.*e_?mail.*|.*phone.*|.*mobile.*"
    r"|.*birth.*|street.*|photo_?url|avatar.*|linked_?in|(employee|person|worker|employment)_?(id|number)|external_?id",
    re.IGNORECASE,
)

KINDS = ["secret", "handshake", "proof", "person", "body"]
# What of an output a kind is not searched for in, and why is told above.
LEFT_OUT = {
    "states.txt": {"handshake", "body"},
    "answers.txt": {"handshake", "body"},
    "commands.txt": {"handshake", "body"},
    "messages.txt": {"person", "body"},
}
# A line that the function itself logs or measures; nothing else is searched for bodies. Within Lambda its log leaves the time to Lambda.
OF_THE_FUNCTION = re.compile(r'^[^{]*\{"(timestamp|level|_aws)"')
# What stands in no log, and what the function itself has written to: the tests, under load, and in the story of the real parts.
OUTPUTS = ["states.txt", "answers.txt", "metrics.txt", "messages.txt", "commands.txt"]
LOGS = ["tests.txt", "soak-function.log", "soak-queue-function.log", "watch.log", "emulator.log", "kills-function.log"]
# With fewer canaries of a kind, the planted ones not counted, they are not noted any more: there are many more of most. Persons are
# found in the repository's files, all others are noted in a run.
FEWEST = {"secret": 20, "handshake": 1, "proof": 50, "person": 10, "body": 50}
# A log tells of an event by its id.
EVENT_ID = re.compile(r'"event_id":"[^"]*"')


def listed():
    """The hand-kept list: further secrets, and after a mark what its first lines tell."""
    lists = collections.defaultdict(set)
    for line in (REPOSITORY / "ci/secrets-used.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            mark = line[:2] if line[:2] in ("- ", "~ ", "h ", "b ") else ""
            lists[mark].add(line.removeprefix(mark))
    return lists[""], lists["- "], lists["~ "], lists["h "], lists["b "]


def personal(value, key=""):
    """The texts of a body that are about a person, by the names of their fields."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from personal(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from personal(inner, key)
    elif isinstance(value, str) and (PERSONAL.fullmatch(key) or re.fullmatch(r"[^@\s]+@[^@\s]+", value)):
        yield value
    elif isinstance(value, int) and PERSONAL.fullmatch(key):
        yield str(value)


def gather(logs):
    """Canary → its kinds, and those that are too short."""
    added, none, short_ones, handshakes, words = listed()
    found = collections.defaultdict(set)
    for secret in added:
        found[secret].add("secret")
    files = [
        path
        for folder in FOLDERS
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in ENDINGS and path != pathlib.Path(__file__).resolve() and "target" not in path.parts
    ]
    if (logs / "secrets.json").exists():
        files.append(logs / "secrets.json")
    for path in files:
        text = path.read_text(encoding="utf-8")
        for pattern in (PAIR, CONSTANT):
            for match in pattern.finditer(text):
                if not match.group(1).startswith("/"):
                    found[match.group(1)].add("secret")
        for secret in SIGNING.findall(text):
            found[secret].add("secret")
        for user, secret in USER.findall(text):
            if secret not in none and len(secret) >= SHORTEST:
                found[f"{user}:{secret}"].add("secret")
        for person in CANARY.findall(text):
            found[person].add("person")
    groups = {row["group"] for row in json.loads((REPOSITORY / "events/01-seed.json").read_text())["groupRelationships"]}
    for path in (REPOSITORY / "tests/fixtures/payloads").glob("*.json"):
        for text in personal(json.loads(path.read_text())):
            # A group may be called by a field that names persons elsewhere; a short word is no one's alone.
            if len(text) >= 8 and text not in groups:
                found[text].add("person")
    noted = logs / "canaries.jsonl"
    for line in noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []:
        canary = json.loads(line)
        # Bytes that are no UTF-8, as fuzzing makes them, were noted with what stands for them, so this is no text of anybody's.
        if "\N{REPLACEMENT CHARACTER}" not in canary["text"]:
            found[canary["text"]].add(canary["kind"])
    for text in list(found):
        if text in words:
            found[text].discard("body")
        if text in none or not text.strip() or not found[text]:
            del found[text]
        elif text in handshakes or "handshake" in found[text]:
            # It is a secret later on; by then it was handed out.
            found[text] = {"handshake"}
    short = {text for text in found if len(bare(text)) < SHORTEST}
    for text in short:
        del found[text]
    return found, short, short_ones


def bare(secret):
    return secret.removeprefix("whsec_")


def in_base64(data, alphabet):
    """What every base64 text has in it that has these bytes in it, by where they begin."""
    for before in range(3):
        text = alphabet(b"\0" * before + data).decode()
        yield text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]


def written(canary):
    """The forms in which a canary is searched for."""
    text = bare(canary)
    data = text.encode()
    quoted = urllib.parse.quote(text, safe="")
    every = "".join(f"%{byte:02X}" for byte in data)
    forms = in_json({text, debugged(data)}, 3)
    forms |= {separator.join(map(str, data)) for separator in (", ", ",")}
    forms |= {quoted, lower(quoted), urllib.parse.quote_plus(text), every, every.lower()}
    forms |= {data.hex(), data.hex().upper()}
    for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
        forms |= set(in_base64(data, alphabet))
    if canary != text:
        # The key that such a secret is the base64 of.
        key = base64.b64decode(text + "=" * (-len(text) % 4))
        forms |= {key.hex(), key.hex().upper()}
    return {form for form in forms if len(form) >= SHORTEST and "\n" not in form and "\r" not in form}


def in_json(texts, levels):
    """These texts, and how they stand in JSON, in a text of JSON, and so on."""
    for _ in range(levels):
        texts = texts | {json.dumps(text, ensure_ascii=ascii)[1:-1] for text in texts for ascii in (True, False)}
    return texts


def debugged(data):
    """How Rust prints bytes for who looks for a fault."""
    known = {0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}
    return "".join(known.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in data)


def lower(quoted):
    return re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), quoted)


def planted(canary):
    """Lines that a leak could be, one of each way of writing."""
    text = bare(canary)
    for around in range(3):
        data = b"u:" [:around] + text.encode() + b"xyz"[: 2 - around]
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = alphabet(data).decode()
            yield f"Basic {encoded}"
            yield f'{{"message":"{encoded.rstrip("=")}"}}'
        yield f"key {data.hex()}."
        yield f"KEY {data.hex().upper()}."
    quoted = urllib.parse.quote(text, safe="")
    yield f"GET /?t={quoted}&u=1"
    yield f"GET /?t={lower(quoted)}&u=1"
    yield f"GET /?t={urllib.parse.quote_plus(text)}"
    yield "".join(f"%{byte:02x}" for byte in text.encode())
    yield "".join(f"%{byte:02X}" for byte in text.encode())
    yield json.dumps({"message": f"sent {text}"})
    body = json.dumps({"of": f"sent {text}"})
    yield json.dumps({"message": f"not taken: {body}"})
    yield json.dumps({"message": f"not taken: {json.dumps([body], ensure_ascii=False)}"}, ensure_ascii=False)
    data = f'{{"{text}'.encode()
    printed = "".join({34: '\\"', 92: "\\\\", 10: "\\n", 13: "\\r", 9: "\\t", 0: "\\0"}.get(byte) or (chr(byte) if 31 < byte < 127 else "\\x%02x" % byte) for byte in data)
    yield f'b"{printed}"'
    yield json.dumps({"message": f'Bytes(b"{printed}")'})
    yield json.dumps({"message": f"sent {list(data)}"})
    yield f"sent {json.dumps(list(data), separators=(',', ':'))}"
    if "\n" not in text and "\r" not in text:
        yield f"sent {text}!"


class Search:
    """All forms of these canaries, for `grep -F`: it looks for all of them at once."""

    def __init__(self, canaries, folder):
        self.owners = collections.defaultdict(set)
        for canary in canaries:
            for form in written(canary):
                self.owners[form].add(canary)
        self.forms = pathlib.Path(folder) / "forms"
        self.forms.write_text("".join(f"{form}\n" for form in self.owners), encoding="utf-8")

    def of(self, path):
        """(line number, the canaries of what was found there)."""
        command = ["grep", "--fixed-strings", "--only-matching", "--text", "--line-number", "--file", self.forms, path]
        grep = subprocess.run(command, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE)
        if grep.returncode > 1:
            sys.exit("grep has failed")
        for line in grep.stdout.decode("utf-8", errors="replace").splitlines():
            number, _, form = line.partition(":")
            yield int(number), self.owners.get(form, {form})


def outputs(folder):
    return [path for path in sorted(folder.rglob("*")) if path.suffix in {".log", ".txt"} and "planted" not in path.relative_to(folder).parts[:-1]]


def findings(found, paths, folder):
    """(canary, kind, output, line number) of all that stands where it must not."""
    result = []
    for kind in KINDS:
        canaries = [canary for canary, kinds in found.items() if kind in kinds]
        search = Search(canaries, folder)
        for path in paths:
            if kind in LEFT_OUT.get(path.name, ()):
                continue
            searched = path
            if kind == "body":
                # With as many lines as there are, so that their numbers are right.
                searched = pathlib.Path(folder) / "lines"
                lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
                kept = (EVENT_ID.sub("", line) if OF_THE_FUNCTION.match(line) else "" for line in lines)
                searched.write_text("\n".join(kept), encoding="utf-8")
            for number, owners in search.of(searched):
                result.extend((owner, kind, path, number) for owner in owners)
    return result


def require(found, logs, paths):
    """Ends the run unless what is to be searched, and for what, is there."""
    by_name = {path.name: path for path in paths}
    missing = [name for name in OUTPUTS if name not in by_name or not by_name[name].stat().st_size]
    for name in LOGS:
        lines = by_name[name].read_text(encoding="utf-8", errors="replace").split("\n") if name in by_name else []
        if not any(map(OF_THE_FUNCTION.match, lines)):
            missing.append(f"{name} with a line of the function")
    noted = logs / "canaries.jsonl"
    canaries = [json.loads(line) for line in noted.read_text(encoding="utf-8").splitlines()] if noted.exists() else []
    used = {(canary["kind"], canary["text"]) for canary in canaries} | {("person", text) for text, kinds in found.items() if "person" in kinds}
    count = collections.Counter(kind for kind, text in used if "planted" not in text)
    missing += [f"{fewest} canaries of the kind {kind}, of which there are {count[kind]}" for kind, fewest in FEWEST.items() if count[kind] < fewest]
    if missing:
        sys.exit("what is to be searched is missing: " + "; ".join(missing))


def try_it(found, logs, folder):
    """Ends the run unless the search finds what is planted."""
    lines = [line for canary in found for line in planted(canary)]
    path = pathlib.Path(folder) / "planted"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    hit = {number for number, _ in Search(found, folder).of(path)}
    missed = [line for number, line in enumerate(lines, 1) if number not in hit]
    if missed or not lines:
        sys.exit(f"the search is broken: it found {len(hit)} of {len(lines)} planted lines, and not:\n" + "\n".join(missed[:9]))
    print(f"the search works: {len(hit)} of {len(lines)} planted lines found, of {len(found)} canaries")
    leaks = sorted((logs / "planted").glob("*.log"))
    if not leaks:
        sys.exit("no test has planted a leak in the function's log: there is no planted/*.log")
    told = {kind for _, kind, _, _ in findings(found, leaks, folder)}
    if told != set(KINDS):
        sys.exit(f"the search is broken: of the planted leaks it finds {sorted(told)}, and not {sorted(set(KINDS) - told)}")
    print(f"the leaks that a test planted in the function's own output were found: {', '.join(sorted(told))}")


def main():
    logs = pathlib.Path(sys.argv[1])
    found, short, short_ones = gather(logs)
    paths = outputs(logs)
    require(found, logs, paths)
    if short - short_ones:
        new = ", ".join(map(repr, sorted(short - short_ones)))
        sys.exit(f"too short to be searched for, and not listed as such in ci/secrets-used.txt: {new}")
    with tempfile.TemporaryDirectory() as folder:
        try_it(found, logs, folder)
        result = findings(found, paths, folder)
    by_kind = collections.Counter(kind for kinds in found.values() for kind in kinds)
    print("canaries: " + ", ".join(f"{by_kind[kind]} of the kind {kind}" for kind in KINDS))
    size = sum(path.stat().st_size for path in paths)
    print(f"searched {len(paths)} outputs, {size:,} bytes: {', '.join(path.name for path in paths)}")
    places = collections.defaultdict(list)
    for canary, kind, path, number in result:
        places[canary, kind, path.name].append(number)
    for (canary, kind, name), numbers in places.items():
        # Which one, without writing it once more.
        first = f"line {numbers[0]}" + (f" and {len(numbers) - 1} more" if numbers[1:] else "")
        print(f"FOUND the {kind} {canary[:3]}… of {len(canary)} characters in {name}, {first}")
    print(f"canaries found where they must not be: {len(places) or 'none'}")
    sys.exit(1 if places else 0)


main()
