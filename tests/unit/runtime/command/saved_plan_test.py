#!/usr/bin/env python3
"""A saved plan as a person gets it by mail: shown in an empty folder, in every format and down to one property; refused when it
was altered, cut, made up, or when the lock beside it is another one. No server is asked."""

import hashlib
import html.parser
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import bad_input_test  # noqa: E402
from checks import check, exit_code  # noqa: E402
from told_error import told_as  # noqa: E402

PLAN = bad_input_test.PLAN


def canonical(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def made_from(sources):
    """The digest of all texts but the measurements."""
    return hashlib.sha256("".join(hashlib.sha256(text.encode()).hexdigest() + "\n" for _, text in sources).encode()).hexdigest()


def modules(name):
    """The module std/NAME and those that it uses, in the order in which they are read."""
    text = (bad_input_test.ROOT / "stdlib" / f"{name}.plan").read_text()
    found = [[f"std/{name}.plan", text]]
    for line in text.splitlines():
        if line.startswith("use std/"):
            found += modules(line.split()[1].removeprefix("std/"))
    return found


def saved(document):
    body = document if isinstance(document, str) else canonical(document) + "\n"
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f"plan-saved 1 {digest}\n{body}", digest


class Page(html.parser.HTMLParser):
    """What a page refers to, and whether its elements are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.headings, self.elsewhere = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elsewhere += [attributes[name] for name in ("src", "href") if not attributes.get(name, "#").startswith("#")]
        if tag[0] == "h" and tag[1:].isdigit():
            self.headings.append(int(tag[1:]))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def main():
    if not PLAN:
        print("skipped saved_plan_test.py: PLAN does not name the program")
        return 0
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as empty:
        project = bad_input_test.Project(folder)
        empty = pathlib.Path(empty)
        file = empty / "reviewed.plan"

        def run(*words, where=empty):
            return subprocess.run([PLAN, *words], cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})

        graph = json.loads(run("graph", "--format", "json", where=project.folder).stdout)
        lock = project.lock.read_text()
        sources = [["migration.yaml", project.plan.read_text()], ["migration.lock", lock], *modules("dovecot-postfix")]
        made = made_from(sources)
        document = {"plan": "example.org to Stalwart", "made_at": "2026-08-14T09:12:00Z", "graph": graph,
                    "plan_digest": hashlib.sha256(project.plan.read_bytes()).hexdigest(),
                    "lock_digest": hashlib.sha256(lock.encode()).hexdigest(),
                    "schema_digest": hashlib.sha256(bad_input_test.SCHEMA.read_bytes()).hexdigest(),
                    "sources": sources,
                    "observations": {"0": {"standing": 3, "unseen": True, "remark": "connection-refused: nobody answers", "bytes": None,
                                           "differences": [], "duration_ms": None, "fingerprint": None, "hold_basis": "",
                                           "hold_ms": None, "messages": None}},
                    "findings": [["trash-expires", "warning", "<b>gone</b> in 30 days", "migration.yaml:2:1", "", ""],
                                 ["not-measured", "warning", "sizes", "migration.yaml:3:1", "migration.yaml:9:9", "they are small"]],
                    "disks": [["operator", 1000, "statvfs", "2026-08-14T09:12:00Z", "", None]],
                    "made_from": made, "schema_parts": None, "notes": ["one note"]}
        text, digest = saved(document)
        file.write_text(text)

        shown = run("show", "reviewed.plan")
        check("it is shown where there is nothing else, under its digest", shown.returncode == 0 and digest in shown.stdout and
              "account/alice@example.org" in shown.stdout + run("show", "reviewed.plan", "--all").stdout, shown)
        check("a step that could not be looked at is counted by itself", "; 1 could not be looked at" in shown.stdout and
              "connection-refused" in shown.stdout, shown.stdout[-400:])
        check("a silenced finding stands there with its reason", "silenced at migration.yaml:9:9, because they are small" in
              shown.stdout, shown.stdout)
        told = json.loads(run("show", "reviewed.plan", "--format", "json").stdout)
        check("the document says the same", told["format"] == 2 and told["digest"] == digest and told["unseen"] == 1 and
              told["made_from"] == made and [one["reason"] for one in told["findings"]] == [None, "they are small"], told)
        markdown = run("show", "reviewed.plan", "--format", "markdown").stdout
        check("so does Markdown, the digest first", markdown.splitlines()[2].startswith(f"Reviewed plan `{digest}`"), markdown)
        page = run("show", "reviewed.plan", "--format", "html").stdout
        read = Page(page)
        check("so does a page of its own", digest in page and not read.wrong and not read.open and not read.elsewhere and
              "<script" not in page and "<b>gone</b>" not in page, [read.wrong, read.open, read.elsewhere])
        check("its headings begin at one and leave out no level", read.headings[0] == 1 and read.headings.count(1) == 1 and
              all(b <= a + 1 for a, b in zip(read.headings, read.headings[1:])), read.headings)

        one = run("show", "reviewed.plan", "--path", "account/alice@example.org/copy")
        check("a path leads to one step", one.returncode == 0 and "1 step would change something" in one.stdout and
              "/create" not in one.stdout, one.stdout)
        wave = run("show", "reviewed.plan", "--path", "waves/canary", "--format", "json")
        stages = json.loads(wave.stdout)["stages"]
        check("or to a wave, in a document too", [w["wave"] for s in stages for w in s["waves"]] == ["canary"], wave.stdout[:400])
        near = run("show", "reviewed.plan", "--path", "account/alcie@example.org")
        check("a path to nothing is said, with the nearest one", near.returncode == 1 and
              "did you mean `account/alice@example.org`?" in near.stderr, near)

        refused = []
        body = text.split("\n", 1)[1]
        for name, altered in {
                "one bit": text.replace("alice@", "alicd@", 1), "cut": text[:len(text) // 2], "longer": text + " ",
                "another digest": text.replace(digest, digest[::-1]), "no digest": "plan-saved 1 \n" + body,
                "of a later version": text.replace("plan-saved 1", "plan-saved 2"), "nothing but its first word": "plan-saved ",
                "no document": saved("")[0], "a list": saved("[]\n")[0], "nested": saved("[" * 1_000_000)[0],
                "nested members": saved('{"graph":' * 200_000)[0], "no graph": saved({**document, "graph": None})[0],
                "steps of no shape": saved({**document, "graph": {**graph, "steps": [[9_999_999, 0, 0, []]]}})[0],
                "a step that waits for itself": saved({**document, "graph": {**graph, "steps": [
                    [*step[:3], [at]] for at, step in enumerate(graph["steps"])]}})[0],
                "a wave of minus one at a time": saved({**document, "graph": {**graph, "waves": [
                    {**wave, "parallel": -1} for wave in graph["waves"]]}})[0],
                "the same edge twice": saved({**document, "graph": {**graph, "steps": [
                    [*step[:3], step[3] * 2, *step[4:]] for step in graph["steps"]]}})[0],
                "notes of 5 MB": saved({**document, "notes": ["x" * 5_000_000]})[0],
                "an observation of no step": saved({**document, "observations": {"99999999999999999999": {}}})[0],
                **{f"no {name}": saved({key: value for key, value in document.items() if key != name})[0]
                   for name in document},
                "zeros": "plan-saved 1 " + "\0" * 100_000,
                "other white space": saved(json.dumps(document, sort_keys=True, ensure_ascii=False) + "\n")[0],
                "other order": saved(json.dumps(dict(reversed(document.items())), separators=(",", ":"), ensure_ascii=False) + "\n")[0],
                "other escapes": saved(canonical(document).replace("alice@", "\\u0061lice@", 1) + "\n")[0],
                "digests swapped": saved({**document, "plan_digest": document["schema_digest"], "schema_digest": document["plan_digest"]})[0],
                "the digest of another lock": saved({**document, "lock_digest": "0" * 64})[0],
                "no digest of the schema": saved({**document, "schema_digest": ""})[0],
                "the digest of another schema": saved({**document, "schema_digest": "0" * 64})[0],
                "another text of the plan": saved({**document, "sources": [["migration.yaml", "plan: 1\n"], *document["sources"][1:]]})[0],
                "another text of a module": saved({**document, "sources": [*sources[:-1], [sources[-1][0], "module finalize\n"]]})[0],
                "made from something else": saved({**document, "made_from": "ab" * 32})[0],
                "no end of line": saved(canonical(document))[0],
                "a member of tomorrow": saved({**document, "oracle": True})[0],
                "many things of nothing": saved("[" + "0," * 3_000_000 + "0]\n")[0],
                "a string of 20 MB": saved({**document, "plan": "x" * 20_000_000, "graph": None})[0],
                "a version that is no number": text.replace("plan-saved 1", "plan-saved \x1b[2J" + "9" * 1_000_000)}.items():
            file.write_text(altered)
            ended = bad_input_test.Ended(empty, "show", "reviewed.plan")
            if not ended.says("reviewed.plan") or not ended.is_bounded() or "Traceback" in ended.text or "\x1b" in ended.text:
                refused.append(f"{name}: {ended}")
        check("whatever was altered, cut or made up is refused", not refused, "\n".join(refused))

        file.write_text(saved({key: value for key, value in document.items() if key != "lock_digest"})[0])
        (project.folder / "reviewed.plan").write_text(file.read_text())
        ended = run("apply", "reviewed.plan", "--yes", where=project.folder)
        check("without the digest of its lock it is not applied: the missing member is named", ended.returncode == 1 and
              "`lock_digest` is missing" in ended.stderr and "bad-saved-plan" in ended.stderr, ended)

        form = run("explain", "account/{}/copy", where=project.folder)
        check("steps that are drawn once are explained by their form", form.returncode == 0 and "archive.copy: " in form.stdout and
              "account/alice@example.org/copy" in form.stdout, form)
        form = run("explain", "account/{}/copy", "--format", "json", where=project.folder)
        check("as a document too", form.returncode == 0 and json.loads(form.stdout)["kind"] == "archive.copy" and
              "account/alice@example.org/copy" in json.loads(form.stdout)["first"], form)
        form = run("explain", "account/{}/copi", where=project.folder)
        check("a form that is misspelt is answered with the right one", form.returncode == 1 and
              "did you mean `account/{}/copy`?" in form.stderr, form)
        kind = run("explain", "archive.copy")
        check("a kind of step is explained where there is no plan", kind.returncode == 0 and "| `passes_max` | `integer` |" in kind.stdout,
              kind)

        kept = project.plan.read_text()
        hostile = "ip\u202e\u200b"
        project.plan.write_text(kept.replace("{address: operator}", '{address: {run: ["' + hostile + '\\e[31m"]}}', 1))
        step = run("explain", "cutover/address", where=project.folder)
        check("a step is explained without a raw character that is not seen", step.returncode == 0 and "ip\\xe2\\x80\\xae" in
              step.stdout and not set("\u202e\u200b\x1b") & set(step.stdout), step)
        project.plan.write_text(kept)

        named = empty / f"{digest}.plan"
        named.write_text(text)
        ended = run("show", named.name)
        check("a file may be named by its digest", ended.returncode == 0, ended)
        named = empty / f"{digest[::-1]}.plan"
        named.write_text(text)
        ended = run("show", named.name)
        check("but not by the digest of another", ended.returncode == 1 and f"its own digest is {digest}" in ended.stderr and
              "bad-saved-plan" in ended.stderr, ended)

        file.write_text(text)
        (project.folder / "reviewed.plan").write_text(text)
        project.lock.unlink()
        ended = run("apply", "reviewed.plan", "--yes", where=project.folder)
        check("without the lock that it was reviewed with it is not applied, and no server is asked", ended.returncode == 1 and
              "migration.lock is not there, and the plan was reviewed with one" in ended.stderr and
              "the lock was reviewed against another world" in ended.stderr, ended)
        project.lock.write_text(bad_input_test.lock_text(project.name, "0" * 64))
        ended = run("apply", "reviewed.plan", "--yes", where=project.folder)
        wrong = told_as("world-has-drifted", ended.stderr, [(document["schema_digest"], "<digest of the schema>")])
        check("the lock of another version beside it is named line by line, before a server is asked", ended.returncode == 1 and
              f"migration.lock has: schema {'0' * 64}" in ended.stderr and not wrong, wrong or ended)
        project.lock.write_text(lock)

        review = project.folder / "review.md"
        review.write_text(markdown.replace(made, "ab" * 32))
        stale = run("check", "--reviewed", "review.md", where=project.folder)
        wrong = told_as("review-stale", stale.stderr[max(stale.stderr.find("error: "), 0):], [(made, "<digest of the texts>")])
        check("a review of something else is stale", stale.returncode == 1 and not wrong, wrong or stale)
        for kind, of in (("review.md", markdown), ("review.json", json.dumps(told)), ("review.html", page), ("review.txt", shown.stdout),
                         ("reviewed.plan", text)):
            (project.folder / kind).write_text(of)
            fresh = run("check", "--reviewed", kind, where=project.folder)
            check(f"a review of this plan is none, in {kind}", fresh.returncode == 4 and "is a review of this plan" in fresh.stderr, fresh)

        other = json.loads(json.dumps(graph))
        shape = next(one for one in other["shapes"] if one["kind"] == "admin.account")
        shape["arguments"]["account"] = "mallory@example.org"
        (project.folder / "reviewed.plan").write_text(saved({**document, "graph": other})[0])
        forged = run("check", "--reviewed", "reviewed.plan", where=project.folder)
        check("a step that was changed is seen, though its file has a digest made anew", forged.returncode == 1 and
              "steps-not-of-sources" in forged.stderr and "mallory@example.org" in forged.stderr and "/create" in forged.stderr, forged)
        ended = run("apply", "reviewed.plan", "--yes", where=project.folder)
        wrong = told_as("steps-not-of-sources", ended.stderr)
        check("and is not applied", ended.returncode == 1 and not wrong, wrong or ended)
        ended = run("show", "reviewed.plan", where=project.folder)
        check("and is shown as what it is", ended.returncode == 0 and "plan apply would refuse it" in ended.stderr, ended)
        (project.folder / "reviewed.plan").write_text(saved({**document, "graph": other, "made_by": "plan 9.9.9"})[0])
        ended = run("apply", "reviewed.plan", "--yes", where=project.folder)
        check("steps of another program are said to be that", ended.returncode == 1 and "it was saved by plan 9.9.9" in ended.stderr and
              "save it again with plan diff -o" in ended.stderr, ended)
        project.plan.write_text(project.plan.read_text().replace("parallel: 8", "parallel: 4"))
        changed = run("check", "--reviewed", "review.md", where=project.folder)
        check("until the plan is changed", changed.returncode == 1 and "review-stale" in changed.stderr, changed)
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
