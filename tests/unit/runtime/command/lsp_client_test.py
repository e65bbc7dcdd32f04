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


def applied(text, edits):
    lines = text.split("\n")
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        one = lines[edit.range.start.line]
        lines[edit.range.start.line] = one[:edit.range.start.character] + edit.new_text + one[edit.range.end.character:]
    return "\n".join(lines)


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
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()


def main():
    with tempfile.TemporaryDirectory() as folder:
        packages = pathlib.Path(folder) / "packages"
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages), "pygls", "lsprotocol"],
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            print("skipped: pip installs no pygls here")
            return 0
        sys.path.insert(0, str(packages))
        asyncio.run(asyncio.wait_for(talk(pathlib.Path(folder)), 120))
    return 0


if __name__ == "__main__":
    if not PLAN or not shutil.which(PLAN):
        print("skipped: PLAN names no program")
        sys.exit(0)
    sys.exit(main())
