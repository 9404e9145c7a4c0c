#!/usr/bin/env python3
"""The licences that come with the function: notices.py BILL OUT. BILL is what ci/sbom.py has written.

Each text stands once, under the names of all the crates that ship it. A crate that ships none is named with its licence.
"""

import json
import pathlib
import re
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
TEXTS = re.compile(r"(un)?licen[cs]e|copying|copyright|notice", re.IGNORECASE)


def main():
    bill, out = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1"], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout)
    packages = {(package["name"], package["version"]): package for package in metadata["packages"]}
    by_text, without = {}, []
    for name, version in sorted((component["name"], component["version"]) for component in bill["components"]):
        package = packages[name, version]
        if package["source"] is None:
            continue
        folder = pathlib.Path(package["manifest_path"]).parent
        texts = [path.read_text("utf-8", "replace").strip() for path in sorted(folder.iterdir()) if path.is_file() and TEXTS.match(path.name)]
        crate = f"{name} {version} ({package['license']})"
        if not texts:
            without.append(crate)
        for text in dict.fromkeys(texts):
            by_text.setdefault("\n".join(line.rstrip() for line in text.splitlines()), []).append(crate)
    parts = ["calven-bridge is made with these crates, under these licences.\n"]
    for text, crates in sorted(by_text.items(), key=lambda item: item[1]):
        parts.append("\n".join(["=" * 80, *crates, "-" * 80, text, ""]))
    parts.append("\n".join(["=" * 80, "With no text of their own, under the licences above:", *without, ""]))
    out.write_text("\n".join(parts))
    print(f"{out.name}: {len(by_text)} texts, {len(without)} crates without one")


if __name__ == "__main__":
    main()
