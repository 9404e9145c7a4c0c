"""Searches every log of a check run for every secret that was used in it.

    search_logs.py LOGS_FOLDER

The secrets are gathered from where they are used, so that a new one is searched for without being listed: every text
under a key that names a secret (`apiSecret`, `token`, `signingSecret`, …) in the Rust, JSON, TOML and Python files of
the crate, its examples, tests and stand-ins; what else was used stands in the logs folder's `secrets.json`, written
by the step that made it up. ci/secrets-used.txt adds the ones that have no such key, and names what only looks like one.

Each is searched for as it is, in base64, percent-encoded, and as the Basic credential that it makes with its user name.
Before that the search is tried: a line with each of them is planted in a copy of the logs, and all must be found.
"""

import base64
import json
import pathlib
import re
import sys
import urllib.parse

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["src", "tests", "examples", "stand-ins", "measure", "simulation", "events", "ci"]
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


def listed():
    """The hand-kept list: further secrets, and after a minus what is none."""
    added, none = set(), set()
    for line in (REPOSITORY / "ci/secrets-used.txt").read_text().splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            (none if line.startswith("- ") else added).add(line.removeprefix("- "))
    return added, none


def gather(logs):
    """Secret → the forms it is searched for in."""
    added, none = listed()
    secrets, users = set(added), set()
    files = [
        path
        for folder in FOLDERS
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in ENDINGS and path != pathlib.Path(__file__).resolve()
    ]
    if (logs / "secrets.json").exists():
        files.append(logs / "secrets.json")
    for path in files:
        text = path.read_text(encoding="utf-8")
        for pattern in (PAIR, CONSTANT):
            secrets.update(match.group(1) for match in pattern.finditer(text) if not match.group(1).startswith("/"))
        secrets.update(SIGNING.findall(text))
        users.update(USER.findall(text))
    secrets -= none
    short = sorted(secret for secret in secrets if len(bare(secret)) < SHORTEST)
    forms = {secret: written(secret) for secret in secrets - set(short)}
    for user, secret in users:
        if secret in forms:
            forms[secret].add(base64.b64encode(f"{user}:{secret}".encode()).decode())
    return forms, short


def bare(secret):
    return secret.removeprefix("whsec_")


def written(secret):
    return {
        bare(secret),
        base64.b64encode(secret.encode()).decode(),
        urllib.parse.quote(secret, safe=""),
        json.dumps(bare(secret))[1:-1],
    }


def search(forms, texts):
    """(secret, log, line number) of every finding."""
    return [
        (secret, name, number)
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        for secret, all_written in forms.items()
        if any(form in line for form in all_written)
    ]


def main():
    logs = pathlib.Path(sys.argv[1])
    forms, short = gather(logs)
    texts = {
        path.name: path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(logs.iterdir())
        if path.suffix in {".log", ".txt"}
    }
    if not forms or not texts:
        sys.exit(f"nothing to search: {len(forms)} secrets, {len(texts)} logs")

    # A planted line for every form of every secret: a search that misses one proves nothing.
    planted = {"planted": "\n".join(f'{{"message":"sent {form}"}}' for all_ in forms.values() for form in all_)}
    found = {secret for secret, _, _ in search(forms, planted)}
    lines = len(planted["planted"].splitlines())
    hit = len({number for _, _, number in search(forms, planted)})
    if found != forms.keys() or hit != lines:
        sys.exit(f"the search is broken: it found {hit} of {lines} planted lines")
    print(f"the search works: {hit} of {lines} planted lines found, of {len(forms)} secrets")
    if short:
        print(f"not searched for, being shorter than {SHORTEST} characters: {', '.join(map(repr, short))}")

    findings = search(forms, texts)
    size = sum(map(len, texts.values()))
    print(f"searched {len(texts)} logs, {size:,} characters: {', '.join(texts)}")
    places = {}
    for secret, name, number in findings:
        places.setdefault((secret, name), []).append(number)
    for (secret, name), numbers in places.items():
        # Which one, without writing it once more.
        first = f"line {numbers[0]}" + (f" and {len(numbers) - 1} more" if numbers[1:] else "")
        print(f"FOUND the secret {secret[:3]}… of {len(secret)} characters in {name}, {first}")
    print(f"secrets found in logs: {len(findings) or 'none'}")
    sys.exit(1 if findings else 0)


main()
