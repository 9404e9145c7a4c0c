"""Opens the pictures in a browser, walks through them as an operator would, and takes screenshots to look at.

    python3 ci/pictures.py --pages FOLDER --sandbox target/debug/examples/sandbox --out target/checks/pictures

The browser is Chromium, driven by the DevTools protocol over two pipes, so there is no port and no driver to install. Every
check is printed; one that fails makes the exit status 1.
"""

import argparse
import base64
import contextlib
import fcntl
import http.client
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PASSED, FAILED = [], []

# What a page may take until its first tree is drawn, and until a search is answered.
MOST_MILLISECONDS = 1000
# What may be drawn of 10,000 groups when the page is opened.
MOST_NODES = 3000
VIEWS = {
    "light": (1280, 900, "light", 1),
    "dark": (1280, 900, "dark", 1),
    "phone": (390, 844, "light", 2),
}
PAGES = ["12", "1000", "10000", "plan", "plan-10000"]


def check(what, good, detail=""):
    (PASSED if good else FAILED).append(what)
    print(f"{'ok    ' if good else 'FAILED'} {what}" + ("" if good else f"\n       {detail}"), flush=True)


def equal(what, got, expected):
    check(what, got == expected, f"got      {got!r}\n       expected {expected!r}")


# ---------------------------------------------------------------- the browser


class Browser:
    """Chromium without a window, for as long as the block lasts."""

    def __enter__(self):
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            raise SystemExit("there is no Chromium on the PATH: apt-get install --no-install-recommends chromium")
        self.profile = tempfile.TemporaryDirectory()
        read, their_write = os.pipe()
        their_read, self.out = os.pipe()
        # Chromium takes the pipes 3 and 4; these must be others until the shell has put them there.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (their_read, their_write)]
        command = [
            program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
            "--disable-dev-shm-usage", f"--user-data-dir={self.profile.name}", "about:blank",
        ]
        shell = ["bash", "-c", 'exec "$@" 3<&{} 4>&{}'.format(*theirs), "bash", *command]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(shell, pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for fd in (their_read, their_write, *theirs):
            os.close(fd)
        self.read, self.unread, self.number, self.events = read, b"", 0, []
        self.call("Browser.getVersion", patience=60)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.process.terminate()
            self.process.wait(10)
        with contextlib.suppress(OSError):
            self.process.kill()
            self.process.wait(10)
        for fd in (self.read, self.out):
            os.close(fd)
        with contextlib.suppress(OSError):
            self.profile.cleanup()

    def call(self, method, session=None, patience=20, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self.out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + patience
        while True:
            answer = self.receive(until, method)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self, until, what):
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.read], [], [], max(0, until - time.monotonic()))
            part = os.read(self.read, 1 << 20) if ready else b""
            if not part:
                self.log.seek(0)
                said = self.log.read().decode(errors="replace")[-2000:]
                raise RuntimeError(f"Chromium gives no answer to {what}:\n{said}")
            self.unread += part
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)


class Page:
    """One page, and all that it said and asked for."""

    def __init__(self, browser, address, view="light"):
        self.browser, self.address = browser, address
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        browser.events.clear()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.look(view)
        self.call("Page.navigate", url=address)
        self.wait("performance.getEntriesByName('drawn').length > 0")

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def look(self, view):
        width, height, scheme, scale = VIEWS[view]
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression, patience=20):
        until = time.monotonic() + patience
        while not self.value(expression):
            if time.monotonic() > until:
                raise RuntimeError(f"{self.address}: it never came to {expression}")
            time.sleep(0.02)

    def press(self, *keys):
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            kind = "keyDown" if text else "rawKeyDown"
            code = {"Enter": 13, "Tab": 9, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38,
                    "ArrowRight": 39, "ArrowDown": 40}.get(key, 0)
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def focus(self):
        """The focused item: its name, its level, and whether it is open."""
        return self.value(
            "(a => a.role !== 'treeitem' ? [a.id || a.tagName] : "
            "[a.querySelector('.row').querySelector('.name')?.textContent ?? a.textContent, Number(a.ariaLevel), a.ariaExpanded])"
            "(document.activeElement)"
        )

    def search(self, text):
        """The names that are found, and how long it took from the last letter on."""
        self.value("performance.clearMarks('found')")
        took = self.value(f"""new Promise(done => {{
            const query = document.getElementById('query'), began = performance.now();
            query.value = {json.dumps(text)};
            query.dispatchEvent(new Event('input'));
            const look = () => performance.getEntriesByName('found').length ? done(performance.now() - began) : setTimeout(look, 5);
            look();
        }})""")
        return self.value("[...document.querySelectorAll('#hits .name')].map(name => name.textContent)"), took

    def clear(self):
        self.value("document.getElementById('query').value = ''")
        self.value("document.getElementById('query').dispatchEvent(new Event('input'))")
        self.wait("!document.getElementById('tree').hidden")

    def screenshot(self, path):
        # A frame after what was changed last, so that it is drawn.
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def complaints(self):
        """What went wrong in it."""
        self.value("1")
        said = []
        for event in self.of_this_page():
            params = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                said.append(params["exceptionDetails"].get("exception", params["exceptionDetails"]))
            if event["method"] == "Runtime.consoleAPICalled" or event["method"] == "Log.entryAdded":
                said.append(params)
        return said

    def requests(self):
        asked = [e["params"]["request"]["url"] for e in self.of_this_page() if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith("data:")]

    def of_this_page(self):
        return [event for event in self.browser.events if event.get("sessionId") == self.session]


# ---------------------------------------------------------------- what is checked


def looks(browser, pages, out):
    """Every page in every view, and that each is sound."""
    for name in PAGES:
        address = (pages / f"{name}.html").resolve().as_uri()
        page = Page(browser, address)
        for view in VIEWS:
            page.look(view)
            page.screenshot(out / f"{name}-{view}.png")
            wide = page.value("document.documentElement.scrollWidth - innerWidth")
            check(f"{name}, {view}: nothing stands out to the side", wide <= 0, f"{wide} pixels do")
        page.look("light")
        drawn = page.value("performance.getEntriesByName('drawn')[0].startTime")
        check(f"{name}: drawn within a second: {drawn:.0f} ms", drawn < MOST_MILLISECONDS)
        _, took = page.search("operations")
        check(f"{name}: searched within a second: {took:.0f} ms", took < MOST_MILLISECONDS)
        check(f"{name}: both together: {drawn + took:.0f} ms", drawn + took < MOST_MILLISECONDS)
        page.clear()
        nodes = page.value("document.querySelectorAll('*').length")
        check(f"{name}: only what is open is drawn: {nodes} elements", nodes < MOST_NODES)
        labelled = page.value("[...document.querySelectorAll('[role=treeitem]:not(.more)')].every(i => i.ariaLabel && i.ariaLevel)")
        check(f"{name}: every item has its label and its level", labelled)
        equal(f"{name}: one item can be reached by Tab", page.value("document.querySelectorAll('#tree [tabindex=\"0\"]').length"), 1)
        equal(f"{name}: nothing is wrong in the console", page.complaints(), [])
        equal(f"{name}: nothing is asked for but the page", page.requests(), [address])
        page.close()


def keys(browser, pages):
    """The tree by the keyboard alone."""
    page = Page(browser, (pages / "1000.html").resolve().as_uri())
    page.value("document.getElementById('close').click()")
    page.value("document.getElementById('close').focus()")
    page.press("Tab")
    equal("Tab goes to the tree", page.focus(), ["Acme Group", 1, "false"])
    page.press("ArrowRight")
    equal("Right opens", page.focus(), ["Acme Group", 1, "true"])
    page.press("ArrowRight")
    first = page.focus()
    equal("Right again goes to the first child", first[1:], [2, "false"])
    page.press("ArrowDown")
    second = page.focus()
    check("Down goes to the next", second[1] == 2 and second != first, second)
    page.press("ArrowUp")
    equal("Up goes back", page.focus(), first)
    page.press("Enter")
    equal("Enter opens", page.focus(), [first[0], 2, "true"])
    page.press("ArrowDown")
    equal("Down goes into what is open", page.focus()[1], 3)
    page.press("ArrowLeft")
    equal("Left goes to the parent", page.focus(), [first[0], 2, "true"])
    page.press("ArrowLeft")
    equal("Left closes", page.focus(), [first[0], 2, "false"])
    page.press("End")
    end = page.focus()
    check("End goes to the last", end[1] == 2 and end not in (first, second), end)
    page.press("Home")
    equal("Home goes to the first", page.focus(), ["Acme Group", 1, "true"])
    outline = page.value("getComputedStyle(document.activeElement.firstChild).outlineStyle")
    equal("the focus can be seen", outline, "solid")
    page.press("Home", "ArrowLeft")
    equal("what is closed is no longer drawn", page.value("document.querySelectorAll('[role=treeitem]').length"), 1)
    equal("nothing is wrong in the console after all these keys", page.complaints(), [])
    page.close()


def many(browser, pages, out):
    """A group with more children than are drawn at once, and search, among 10,000."""
    page = Page(browser, (pages / "10000.html").resolve().as_uri())
    names, _ = page.search("lisbon 9901")
    equal("a search finds the one among 10,000", len(names), 1)
    page.screenshot(out / "search.png")
    page.value("document.getElementById('query').focus()")
    page.press("Enter")
    equal("Enter goes to it in the tree", page.focus()[0], names[0])
    hits, _ = page.search("team")
    check("of many that are found a hundred are shown", len(hits) == 100, len(hits))
    page.clear()
    crowded = page.value("""(() => {
        const data = JSON.parse(document.getElementById('data').textContent), counts = {};
        for (const parent of data.parent) counts[parent] = (counts[parent] ?? 0) + 1;
        const [at, count] = Object.entries(counts).sort(([, a], [, b]) => b - a)[0];
        return [data.names[at], count];
    })()""")
    check("there is a group with more than 1,000 children", crowded[1] > 1000, crowded)
    page.search(crowded[0])
    page.value("document.getElementById('query').focus()")
    page.press("Enter")
    equal("a search goes to it", page.focus(), [crowded[0], page.focus()[1], "false"])
    page.press("ArrowRight")
    drawn = "document.activeElement.closest('[role=treeitem]').parentElement.closest('[role=treeitem]').lastChild.children.length"
    page.press("ArrowRight")
    equal("200 of its children are drawn, and a button", page.value(drawn), 201)
    page.value("document.activeElement.parentElement.lastChild.focus()")
    page.press("Enter")
    equal("the button draws 200 more", page.value(drawn), 401)
    equal("and the focus goes on with them", page.value("document.activeElement.ariaPosInSet"), "201")
    page.screenshot(out / "crowded.png")
    # Somewhere in the middle of them.
    middle = page.value("""(() => {
        const data = JSON.parse(document.getElementById('data').textContent), parent = data.names.indexOf(%s);
        return data.names[data.parent.indexOf(parent, 0) + 0] && data.names.filter((_, at) => data.parent[at] === parent)[900];
    })()""" % json.dumps(crowded[0]))
    page.search(middle)
    page.value("document.getElementById('query').focus()")
    page.press("Enter")
    equal("what lies far down among them is found in the tree too", page.focus()[0], middle)
    equal("with 200 of them around it, and both buttons", page.value(drawn), 202)
    check("and it can be seen", page.value("(r => r.top >= 0 && r.bottom <= innerHeight)(document.activeElement.firstChild.getBoundingClientRect())"))
    equal("nothing is wrong in the console among 10,000", page.complaints(), [])
    page.close()


def plan(browser, pages, out):
    """A plan with every kind of change."""
    page = Page(browser, (pages / "plan.html").resolve().as_uri())
    text = page.value("document.body.innerText")
    for what in ("added", "moved", "renamed", "removed", "held", "moved from ", "was ", "Approve it with", "bridge approve ", "own ancestor"):
        check(f"the plan says: {what}", what in text)
    signs = page.value("[...new Set([...document.querySelectorAll('#tree .sign:not(:empty)')].map(sign => sign.textContent))].sort()")
    equal("every kind has its sign", signs, sorted(["+", "~", "\u2212", "!"]))
    before = page.value("document.querySelectorAll('#tree .row').length")
    unchanged = "[...document.querySelectorAll('#tree [role=treeitem]')].filter(i => !i.querySelector('[role=group]') && !i.querySelector('.sign:not(:empty)')).length"
    check("what does not change is there too", page.value(unchanged) > 0)
    page.value("document.getElementById('only').click()")
    equal("of changes only nothing else is there", page.value(unchanged), 0)
    check("and less than before", page.value("document.querySelectorAll('#tree .row').length") < before)
    page.screenshot(out / "plan-changes-only.png")
    page.value("document.getElementById('only').click()")
    evil = "</script><img src=x onerror=alert(1)>"
    names, _ = page.search("onerror")
    equal("a name that is HTML is a text, where it is found", names, [evil])
    page.value("document.getElementById('query').focus()")
    page.press("Enter")
    equal("and in the tree", page.focus()[0], evil)
    equal("and no element of it is there", page.value("document.images.length + document.scripts.length"), 2)
    policy = page.value("document.querySelector('meta[http-equiv]').content")
    check("the page's policy lets nothing else run", "'unsafe" not in policy and "default-src 'none'" in policy, policy)
    ran = page.value("(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); return window.ran ?? null })()")
    equal("as a script that is added shows", ran, None)
    page.close()

    page = Page(browser, (pages / "12.html").resolve().as_uri())
    check("a hierarchy has no filter for changes", page.value("document.getElementById('filter').hidden"))
    page.close()


# ---------------------------------------------------------------- the sandbox's page


def sandbox(browser, program, out):
    """The live page, while Calven is PUT to."""
    process = subprocess.Popen(
        [program, "--calven-port", "0", "--capillary-port", "0", "--picture-port", "0"],
        cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )
    try:
        addresses = dict(process.stdout.readline().split() for _ in range(3))
        calven = addresses["Calven"].removeprefix("http://")
        put(calven, {"Acme": None, "Marketing": "Acme", "Events": "Marketing", "Sales": "Acme"})
        page = Page(browser, addresses["Picture"] + "/")
        tree = "[...document.querySelectorAll('#tree .name')].map(name => name.textContent)"
        page.wait(f"{tree}.length === 4")
        equal("the sandbox shows what Calven holds", page.value(tree), ["Acme", "Marketing", "Events", "Sales"])
        page.value("[...document.querySelectorAll('[role=treeitem]')].find(i => i.ariaLabel.startsWith('Marketing')).firstChild.click()")
        equal("what is closed", page.value(tree), ["Acme", "Marketing", "Sales"])
        put(calven, {"Acme": None, "Marketing": "Acme", "Events": "Marketing", "Sales": "Acme", "Research": "Acme"})
        page.wait(f"{tree}.includes('Research')")
        equal("stays closed when more arrives", page.value(tree), ["Acme", "Marketing", "Research", "Sales"])
        equal("and what came is marked", page.value("[...document.querySelectorAll('.row.added .name')].map(n => n.textContent)"), ["Research"])
        put(calven, {"Acme": None, "Events": "Sales", "Sales": "Acme", "Research": "Acme"})
        page.wait("document.querySelectorAll('.row.removed').length === 1")
        check("a move says where from", "moved from Marketing" in page.value("document.body.innerText"))
        arrived = page.value("document.querySelectorAll('#arrived li').length")
        equal("every PUT is listed", arrived, 3)
        page.value("document.getElementById('arrived').open = true")
        page.screenshot(out / "sandbox.png")
        equal("nothing is wrong in the console of the sandbox's page", page.complaints(), [])
        page.close()
    finally:
        process.terminate()
        process.wait(10)


def put(calven, parents):
    rows = [
        {"group": name, "groupType": "Team", "parent": parent, "parentType": parent and "Team"} for name, parent in parents.items()
    ]
    secrets = json.loads((REPOSITORY / "examples/sandbox/secrets.json").read_text())["calven/basic"]
    key = base64.b64encode(f"{secrets['apiKey']}:{secrets['apiSecret']}".encode()).decode()
    connection = http.client.HTTPConnection(calven, timeout=20)
    connection.request(
        "PUT", "/v1/directory/group-hierarchy-relationship/basic", json.dumps({"groupRelationships": rows}),
        {"Content-Type": "application/json", "Authorization": f"Basic {key}"},
    )
    answer = connection.getresponse()
    assert answer.status in (200, 201, 204), (answer.status, answer.read())
    connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=pathlib.Path, required=True, help="what `cargo run --example pages` wrote")
    parser.add_argument("--sandbox", type=pathlib.Path, required=True, help="the built examples/sandbox")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="where the screenshots go")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with Browser() as browser:
        looks(browser, options.pages, options.out)
        keys(browser, options.pages)
        many(browser, options.pages, options.out)
        plan(browser, options.pages, options.out)
        sandbox(browser, options.sandbox.resolve(), options.out)
    print(f"\n{len(PASSED)} passed, {len(FAILED)} failed; screenshots in {options.out}")
    for what in FAILED:
        print(f"failed: {what}")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
