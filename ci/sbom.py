#!/usr/bin/env python3
"""What is in the function, as CycloneDX: sbom.py TARGET OUT. Needs ci/requirements-release.txt, cargo-cyclonedx in PATH, and
SOURCE_DATE_EPOCH set.

cargo-cyclonedx writes it; this takes the path of the work tree out, so that it is the same wherever it is made, and what other
packages of the workspace alone link, and compares the rest with what Cargo links and with Cargo.lock's checksums. It is
refused if a crate is missing, unknown, or without a licence, or if it is not of CycloneDX's schema.
"""

import json
import os
import pathlib
import subprocess
import sys
import tomllib

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = "calven-bridge"
SUFFIX = "_bin.cdx.json"


def output(*command):
    return subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout


def written(target):
    """What cargo-cyclonedx says. It writes a file beside each binary's Cargo.toml; none stays."""
    try:
        output(
            "cargo", "cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--describe", "binaries", "--no-build-deps",
            "--target", target,
        )
        text = (REPOSITORY / f"{PACKAGE}{SUFFIX}").read_text()
    finally:
        for path in REPOSITORY.glob(f"**/*{SUFFIX}"):
            path.unlink()
    return json.loads(text.replace(f"file://{REPOSITORY}", "file:///source"))


def linked(target):
    """Every package that Cargo links into the function, as (name, version)."""
    lines = output(
        "cargo", "tree", "--locked", "--package", PACKAGE, "--edges", "normal", "--target", target, "--prefix", "none", "--format", "{p}",
    )
    words = (line.split() for line in lines.splitlines() if line)
    return {(name, version.removeprefix("v")) for name, version, *_ in words}


def main():
    target, out = sys.argv[1], pathlib.Path(sys.argv[2])
    if "SOURCE_DATE_EPOCH" not in os.environ:
        raise SystemExit("SOURCE_DATE_EPOCH is not set, so it would be another one each time")
    bill, expected = written(target), linked(target)
    lock = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    bill["components"] = [each for each in bill["components"] if (each["name"], each["version"]) in expected]
    references = {each["bom-ref"] for each in [bill["metadata"]["component"], *bill["components"]]}
    bill["dependencies"] = [
        each | {"dependsOn": [ref for ref in each.get("dependsOn", []) if ref in references]}
        for each in bill["dependencies"] if each["ref"] in references
    ]
    faults = []
    told = {(bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"])}
    for component in bill["components"]:
        package = component["name"], component["version"]
        told.add(package)
        hashes = {each["content"] for each in component.get("hashes", [])}
        if hashes != {checksum for checksum in [checksums.get(package)] if checksum}:
            faults.append(f"{package}: not the checksum of Cargo.lock")
        if not component.get("licenses"):
            faults.append(f"{package}: no licence")
    faults += [f"{package}: linked, and not told" for package in expected - told]
    faults += [f"{package}: not in Cargo.lock" for package in told - checksums.keys()]
    text = json.dumps(bill, indent=2, sort_keys=True) + "\n"
    unfit = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    if unfit is not None:
        faults.append(f"not of the schema: {unfit}")
    if faults:
        raise SystemExit("\n".join(faults))
    out.write_text(text)
    print(f"{out.name}: {len(bill['components'])} crates")


if __name__ == "__main__":
    main()
