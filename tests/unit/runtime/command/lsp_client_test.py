#!/usr/bin/env python3
"""`plan lsp` with a client that others wrote: pygls over stdio, where pip can install it into a folder of this test."""

import asyncio
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

PLAN = os.environ.get("PLAN", "")
PLAN_TEXT = "module mine\nstep a/one : mark.rollback-point {\n  stage = finalize\n  point = \"x\"\n}\nstep a/two : mark.rollback-point {\n  stage = finalize\n  after = [a/one]\n  point = \"y\"\n}\n"
YAML_TEXT = ("module: mine\nsteps:\n  - {id: a/one, kind: mark.rollback-point, stage: finalize, args: {point: x}}\n"
             "  - {id: a/two, kind: mark.rollback-point, stage: finalize, after: [a/one], args: {point: y}}\n")
# A plan in YAML, a module in the language that it uses, and one in YAML that this one uses under a name.
FOLDER = {
    "migration.yaml": "plan: 1\nname: x\nuse: {module: ./outer.plan, with: {limit: 30s}}\n",
    "outer.plan": ("module outer\nuse ./inner.yaml as in { who = \"me\" }\ninput limit : duration\nstep a/one : mark.rollback-point {\n"
                   "  stage = finalize\n  after = [in/b/two]\n  point = \"${limit}\"\n}\n"),
    "inner.yaml": ("module: inner\ninputs: {who: text}\nsteps:\n"
                   "  - {id: b/two, kind: mark.rollback-point, stage: finalize, args: {point: \"${who}\"}}\n"
                   "  - {id: b/three, kind: mark.rollback-point, stage: finalize, after: [\"b/two\"], args: {point: y}}\n"),
    "beside.plan": "module beside\nstep b/two : mark.rollback-point {\n  stage = finalize\n  point = \"z\"\n}\n",
}
# Asked of a plan and of a module, each in both syntaxes: what stands where, and what is told there.
PLANS = {
    "asked.plan": ('plan = 1\nname = "x"\nuse std/dovecot-postfix\nwaves = [\n  { name = "rest", parallel = 8, stop_when = { failed = 3 } },\n]\n'
                   'proxies = []\ndomains = [lower("X.test")]\n'),
    "asked.yaml": ('plan: 1\nname: x\nuse: std/dovecot-postfix\nwaves:\n  - {name: rest, parallel: 8, stop_when: {failed: 3}}\n'
                   'proxies: []\ndomains: ["${lower(\'X.test\')}"]\n'),
}
HOVERS = {
    "asked.plan": [("paral|lel = 8", "accounts at a time"), ("std/dovecot|-postfix", "accounts of Dovecot and Postfix move"), ("low|er(", "ASCII letters")],
    "asked.yaml": [("paral|lel: 8", "accounts at a time"), ("std/dovecot|-postfix", "accounts of Dovecot and Postfix move"), ("low|er(", "ASCII letters")],
    "mine.plan": [("mark.roll|back-point", "undo"), ("st|age = finalize\n  after", "`prepare`")],
    "mine.yaml": [("mark.roll|back-point", "undo"), ("st|age: finalize, after", "`prepare`")],
}
# What has to be among what is offered, and what must not.
OFFERED = {
    "asked.plan": [(", par|allel = 8", {"parallel", "start_after"}, {"name", "stop_when", "addresses"}), ("{ fai|led", {"failed"}, {"name"}),
                   ("low|er(", {"lower", "join"}, set()), ("use std/dove|cot", {"std/finalize"}, {"name"})],
    "asked.yaml": [(", par|allel: 8", {"parallel", "start_after"}, {"name", "stop_when", "addresses"}), ("{fai|led", {"failed"}, {"name"}),
                   ("low|er(", {"lower", "join"}, set()), ("use: std/dove|cot", {"std/finalize"}, {"name"})],
    "mine.plan": [("  stage = fi|nalize\n  after", {"prepare", "finalize"}, {"after"}), (": mark.|roll", {"mark.rollback-point"}, {"after"}),
                  ("  po|int = \"y\"", {"point", "before"}, {"id", "parallel"})],
    "mine.yaml": [("stage: fi|nalize, after", {"prepare", "finalize"}, {"after"}), ("kind: mark.|roll", {"mark.rollback-point"}, {"after"}),
                  ("args: {po|int: y", {"point"}, {"id", "parallel"})],
}
# What to write wrong, and the code of what is told.
MISTAKES = {
    "mine.plan": [("stage = finalize\n  after", "stage = finaly\n  after", "procedure-broken"), ('"y"\n', ",\n", "language-syntax")],
    "mine.yaml": [("stage: finalize, after", "stage: finaly, after", "procedure-broken"), ("{point: y}}", "{point: y]}", "yaml-syntax")],
    "asked.plan": [("parallel = 8", "paralel = 8", "unknown-key"), ("waves = [", "waves = ]", "language-syntax")],
    "asked.yaml": [("parallel: 8", "paralel: 8", "unknown-key"), ("waves:\n", "waves: ]\n", "yaml-syntax")],
}


def applied(text, edits):
    lines = text.split("\n")
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        one = lines[edit.range.start.line]
        lines[edit.range.start.line] = one[:edit.range.start.character] + edit.new_text + one[edit.range.end.character:]
    return "\n".join(lines)


async def across(client, types, folder):
    """Renames and definitions that go from one file to another, between the languages; of the files only one is open at a time."""
    for name, text in FOLDER.items():
        (folder / name).write_text(text)

    def place(name, mark):
        at = FOLDER[name].index(mark.replace("|", "")) + mark.index("|")
        line = FOLDER[name].count("\n", 0, at)
        return types.Position(line=line, character=at - FOLDER[name].rfind("\n", 0, at) - 1)

    for name, mark, wanted in [("migration.yaml", "use: {module: ./out|er.plan", ("outer.plan", "module outer")),
                               ("migration.yaml", "lim|it: 30s", ("outer.plan", "limit : duration")),
                               ("outer.plan", "[in/b/t|wo]", ("inner.yaml", "b/two, kind")),
                               ("outer.plan", "{ wh|o = ", ("inner.yaml", "who: text"))]:
        uri = (folder / name).as_uri()
        client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=types.TextDocumentItem(
            uri=uri, language_id="plan", version=1, text=FOLDER[name])))
        found = await client.text_document_definition_async(types.DefinitionParams(
            text_document=types.TextDocumentIdentifier(uri=uri), position=place(name, mark)))
        assert found.uri == (folder / wanted[0]).as_uri(), (mark, found)
        line = FOLDER[wanted[0]].split("\n")[found.range.start.line]
        assert line[found.range.start.character:].startswith(wanted[1]), (mark, line, found)
        print(f"ok definition of {mark} in {name} is in {wanted[0]}", flush=True)
        client.text_document_did_close(types.DidCloseTextDocumentParams(text_document=types.TextDocumentIdentifier(uri=uri)))

    for name, mark, old, new in [("outer.plan", "[in/b/t|wo]", "b/two", "b/second"), ("inner.yaml", "[\"b/t|wo", "b/two", "b/second"),
                                 ("migration.yaml", "lim|it: 30s", "limit", "bound"), ("outer.plan", "{li|mit}", "limit", "bound"),
                                 ("inner.yaml", "${w|ho}", "who", "whom")]:
        uri = (folder / name).as_uri()
        client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=types.TextDocumentItem(
            uri=uri, language_id="plan", version=1, text=FOLDER[name])))
        edit = await client.text_document_rename_async(types.RenameParams(
            text_document=types.TextDocumentIdentifier(uri=uri), position=place(name, mark), new_name=new))
        changed = {one: applied(FOLDER[one], edit.changes.get((folder / one).as_uri(), [])) for one in FOLDER}
        # The module beside has a step of the same name; nobody uses it here.
        assert changed == {one: text if one == "beside.plan" else text.replace(old, new) for one, text in FOLDER.items()}, (mark, changed)
        print(f"ok rename of {mark} in {name} changes {', '.join(one for one in FOLDER if changed[one] != FOLDER[one])}", flush=True)
        client.text_document_did_close(types.DidCloseTextDocumentParams(text_document=types.TextDocumentIdentifier(uri=uri)))

    for name in ("outer.plan", "inner.yaml"):
        uri = (folder / name).as_uri()
        untidy = FOLDER[name].replace("module", "module ", 1).replace("after", "after ") if name.endswith(".plan") else FOLDER[name] + "\n\n"
        client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=types.TextDocumentItem(
            uri=uri, language_id="plan", version=1, text=untidy)))
        edits = await client.text_document_formatting_async(types.DocumentFormattingParams(
            text_document=types.TextDocumentIdentifier(uri=uri), options=types.FormattingOptions(tab_size=2, insert_spaces=True)))
        assert len(edits) == 1 and edits[0].new_text, edits
        (folder / name).write_text(edits[0].new_text)
        again = subprocess.run([PLAN, "fmt", "--check", name], cwd=folder, capture_output=True, text=True)
        assert again.returncode == 0, (edits, again)
        print(f"ok formatting of {name} is what plan fmt writes", flush=True)


def position(types, text, mark):
    at = text.index(mark.replace("|", "")) + mark.index("|")
    return types.Position(line=text.count("\n", 0, at), character=at - text.rfind("\n", 0, at) - 1)


async def ask(client, types, folder, shown):
    """Hover, completion and diagnostics, of a plan and of a module in both syntaxes."""
    async def told(uri, seen):
        """What is published for a document behind the first `seen` notices."""
        for _ in range(200):
            of_it = [one.diagnostics for one in shown[seen:] if one.uri == uri]
            if of_it:
                return of_it[-1]
            await asyncio.sleep(0.05)
        raise AssertionError(f"nothing is published for {uri}")

    for name, text in {**PLANS, "mine.plan": PLAN_TEXT, "mine.yaml": YAML_TEXT}.items():
        uri = (folder / name).as_uri()
        document = types.TextDocumentIdentifier(uri=uri)
        seen = len(shown)
        if name not in PLANS:  # a module is judged as the plan beside it uses it
            (folder / name).write_text(text)
            (folder / "migration.yaml").write_text(f"plan: 1\nname: x\nuse: ./{name}\n")
        client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=types.TextDocumentItem(
            uri=uri, language_id=name.split(".")[1], version=1, text=text)))
        right = {one.code for one in await told(uri, seen)}
        for mark, words in HOVERS[name]:
            page = await client.text_document_hover_async(types.HoverParams(text_document=document, position=position(types, text, mark)))
            assert page and words in page.contents.value and page.contents.kind == types.MarkupKind.Markdown, (name, mark, page)
        print(f"ok hover in {name}", flush=True)
        for mark, wanted, unwanted in OFFERED[name]:
            answer = await client.text_document_completion_async(types.CompletionParams(
                text_document=document, position=position(types, text, mark)))
            items = answer if isinstance(answer, list) else answer.items
            offered = {one.label for one in items}
            assert wanted <= offered and not unwanted & offered, (name, mark, offered)
        print(f"ok completion in {name}", flush=True)
        version = 1
        for good, bad, code in MISTAKES[name]:
            assert text.count(good) == 1 and code not in right, (name, good, right)
            for changed, is_there in [(text.replace(good, bad), True), (text, False)]:
                seen, version = len(shown), version + 1
                client.text_document_did_change(types.DidChangeTextDocumentParams(
                    text_document=types.VersionedTextDocumentIdentifier(uri=uri, version=version),
                    content_changes=[types.TextDocumentContentChangeWholeDocument(text=changed)]))
                found = [one for one in await told(uri, seen) if one.code == code]
                assert bool(found) == is_there, (name, bad, is_there, shown[seen:])
                if is_there:
                    first, line = found[0].range.start.line, changed.count("\n", 0, text.index(good))
                    assert line <= first <= line + 1 and found[0].severity == types.DiagnosticSeverity.Error and found[0].message, (name, bad, found)
        print(f"ok diagnostics of {name} come and go", flush=True)
        client.text_document_did_close(types.DidCloseTextDocumentParams(text_document=document))


async def talk(folder):
    from lsprotocol import types
    from pygls.lsp.client import BaseLanguageClient as Client
    client = Client("plan-test", "1")
    shown = []

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def _(params):
        shown.append(params)

    await client.start_io(PLAN, "lsp")
    answer = await client.initialize_async(types.InitializeParams(capabilities=types.ClientCapabilities(), root_uri=folder.as_uri()))
    assert answer.capabilities.rename_provider.prepare_provider and answer.capabilities.definition_provider
    client.initialized(types.InitializedParams())
    for name, language, text, line in [("mine.plan", "plan", PLAN_TEXT, 7), ("mine.yaml", "yaml", YAML_TEXT, 3)]:
        uri = (folder / name).as_uri()
        client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=types.TextDocumentItem(
            uri=uri, language_id=language, version=1, text=text)))
        document = types.TextDocumentIdentifier(uri=uri)
        character = text.split("\n")[line].index("[a/one") + 3
        place = types.Position(line=line, character=character)
        found = await client.text_document_definition_async(types.DefinitionParams(text_document=document, position=place))
        assert text.split("\n")[found.range.start.line][found.range.start.character:].startswith("a/one"), found
        assert found.range.start.line < line, found
        could = await client.text_document_prepare_rename_async(types.PrepareRenameParams(text_document=document, position=place))
        assert could.start.line == line, could
        edit = await client.text_document_rename_async(types.RenameParams(text_document=document, position=place, new_name="a/first"))
        assert applied(text, edit.changes[uri]) == text.replace("a/one", "a/first"), edit
        print(f"ok definition and rename in {name}", flush=True)
    for _ in range(100):
        if len(shown) >= 2:
            break
        await asyncio.sleep(0.05)
    assert len(shown) >= 2 and not any(one.diagnostics for one in shown[:2]), shown
    assert answer.capabilities.hover_provider and answer.capabilities.completion_provider
    (folder / "asked").mkdir()
    await ask(client, types, folder / "asked", shown)
    (folder / "across").mkdir()
    await across(client, types, folder / "across")
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        packages = pathlib.Path(folder) / "packages"
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--timeout", "10", "--retries", "1", "--target", str(packages)]
        try:
            is_there = subprocess.run([*install, "pygls", "lsprotocol"], capture_output=True, timeout=120).returncode == 0
        except subprocess.TimeoutExpired:
            is_there = False
        if not is_there:
            print("skipped lsp with pygls: pip installs it not here")
            return 0
        sys.path.insert(0, str(packages))
        asyncio.run(asyncio.wait_for(talk(pathlib.Path(folder)), 120))
    return 0


if __name__ == "__main__":
    if not PLAN or not shutil.which(PLAN):
        print("skipped lsp_client_test.py: PLAN names no program")
        sys.exit(0)
    sys.exit(main())
