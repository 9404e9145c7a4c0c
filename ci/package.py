#!/usr/bin/env python3
"""Packs the binary for Lambda, to the same bytes each time: package.py BOOTSTRAP ZIP. Its time is SOURCE_DATE_EPOCH's."""

import os
import pathlib
import sys
import time
import zipfile


def main():
    bootstrap, package = map(pathlib.Path, sys.argv[1:])
    # A zip knows no time before 1980, and counts in steps of two seconds.
    moment = max(time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6], (1980, 1, 1, 0, 0, 0))
    entry = zipfile.ZipInfo("bootstrap", moment)
    entry.create_system = 3
    entry.external_attr = 0o100755 << 16
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(entry, bootstrap.read_bytes(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main()
