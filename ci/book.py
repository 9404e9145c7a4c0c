"""Looks at the book as it was built: every page of the summary is there, and every link on it leads somewhere.

    python3 ci/book.py BUILT
"""

import html
import pathlib
import re
import sys

SUMMARY = pathlib.Path(__file__).resolve().parent.parent / "docs/SUMMARY.md"


def main():
    built = pathlib.Path(sys.argv[1]).resolve()
    listed = re.findall(r"\]\((.+?)\.md\)", SUMMARY.read_text())
    faults, pages = [], {}
    for name in listed:
        page = built / f"{name}.html"
        if not page.is_file():
            faults.append(f"{name}: there is no such page")
            continue
        # What stands around it is the same on every page.
        main_part = re.search(r"<main>(.*)</main>", page.read_text(), re.DOTALL)
        pages[page] = main_part[1] if main_part else ""
        if len(pages[page]) < 200:
            faults.append(f"{name}: the page is empty")
    ids = {page: set(re.findall(r'\bid="([^"]+)"', text)) for page, text in pages.items()}
    links = 0
    for page, text in pages.items():
        for link in map(html.unescape, re.findall(r'href="([^"]+)"', text)):
            if re.match(r"[a-z]+:", link):
                continue
            links += 1
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            if not target.is_file():
                faults.append(f"{page.stem}: {link} leads nowhere")
            elif anchor and anchor not in ids.get(target, ()):
                faults.append(f"{page.stem}: {link}: the page has no such heading")
        if "{{#include" in text:
            faults.append(f"{page.stem}: it includes what is not there")
    print(f"{len(pages)} pages, {links} links, {len(faults)} faults")
    for fault in faults:
        print(f"  {fault}")
    return 1 if faults or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
