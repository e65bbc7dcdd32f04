#!/usr/bin/env python3
"""`plan lsp` as an editor meets it: a client of the Language Server Protocol over pipes, for both languages."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "support"))
sys.dont_write_bytecode = True

from checks import check, exit_code  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[4]
PLAN = os.environ.get("PLAN", "")


class Client:
    def __init__(self):
        self.process = subprocess.Popen([PLAN, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.next = 0
        self.notices = []
        self.capabilities = self.ask("initialize", {"capabilities": {}})["capabilities"]
        self.tell("initialized", {})

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def receive(self):
        size = 0
        while (line := self.process.stdout.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        return json.loads(self.process.stdout.read(size))

    def tell(self, method, params):
        self.send({"method": method, "params": params})

    def ask(self, method, params):
        self.next += 1
        self.send({"id": self.next, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == self.next:
                return message["result"] if "result" in message else message["error"]
            self.notices.append(message)

    def open(self, path, text):
        """Opens a document; its diagnostics."""
        uri = pathlib.Path(path).absolute().as_uri()
        self.tell("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "plan", "version": 1, "text": text}})
        return self.diagnostics()

    def change(self, path, text):
        uri = pathlib.Path(path).absolute().as_uri()
        self.tell("textDocument/didChange", {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": text}]})
        return self.diagnostics()

    def diagnostics(self):
        message = self.notices.pop(0) if self.notices else self.receive()
        return message["params"]["diagnostics"]

    def at(self, method, path, text, mark):
        """Asks about the place in front of `mark`'s `|`."""
        place = text.index(mark.replace("|", "")) + mark.index("|")
        line = text.count("\n", 0, place)
        begin = text.rfind("\n", 0, place) + 1
        return self.ask(method, {"textDocument": {"uri": pathlib.Path(path).absolute().as_uri()},
                                 "position": {"line": line, "character": len(text[begin:place].encode("utf-16-le")) // 2}})


def labels(items):
    return [item["label"] for item in items]


MODULE = """module mine
use std/dovecot-postfix
let reason = "made by hand"
step own/ip : admin.upsert {
  stage = waves
  object = "AllowedIp"
  match = { address = "203.0.113.7" }
  set = {
    reason = reason
  }
}
step own/route : admin.upsert {
  stage = waves
  after = [target/reload]
  object = "MtaRoute"
  match = { name = "x" }
  set = { "@type" = "Relay", address = "203.0.113.7", protocol = "smtp" }
}
step own/live : admin.action {
  stage = waves
  action = "ReloadSettings"
}
"""


def with_schema(client, folder, plan):
    """What an editor knows behind a `plan fetch`, in a module of the operator's own."""
    (folder / ".plan" / "schema").mkdir(parents=True)
    plan = plan.replace("use: std/dovecot-postfix", "use: ./mine.plan")
    (folder / "migration.yaml").write_text(plan)
    schema = (ROOT / "runtime" / "rehearsal" / "schema" / "stalwart-0.16.json").read_bytes()
    digest = hashlib.sha256(schema).hexdigest()
    (folder / ".plan" / "schema" / f"{digest}.json").write_bytes(schema)
    golden = (ROOT / "tests" / "golden" / "lower" / "two-waves" / "lock.txt").read_text().splitlines()
    name = golden[0].split("auto:")[1]
    lines = sorted([*golden[2:-1], f"schema {digest}"])
    text = "\n".join([f"plan-lock 1 {hashlib.sha256(name.encode()).hexdigest()}", golden[1], *lines]) + "\n"
    (folder / "migration.lock").write_text(text + f"digest {hashlib.sha256(text.encode()).hexdigest()}\n")
    module = folder / "mine.plan"
    module.write_text("")  # what is in the editor counts
    seen = client.open(module, MODULE.replace('"203.0.113.7" }\n  set = {\n', '"203.0.113.7" }\n  set = {\n    expiresAt = 5\n'))
    found = [d for d in seen if d["code"] == "schema-value"]
    check("a value that the target refuses is shown in a module while it is written",
          len(found) == 1 and "expiresAt" in found[0]["message"] and found[0]["range"]["start"] == {"line": 8, "character": 16}, seen)
    seen = client.change(module, MODULE)
    check("and goes when it is mended", not [d for d in seen if d["code"] == "schema-value"], seen)

    def offered(mark):
        return labels(client.at("textDocument/completion", module, MODULE, mark))

    types = offered('object = "Allow|')
    check("types of the target are offered", {"Domain", "AllowedIp", "MtaStageData"} <= set(types) and "lower" not in types, types)
    check("properties are offered", {"reason", "expiresAt"} <= set(offered("    rea|son =")) and "lower" not in offered("    rea|son ="))
    check("properties are offered in a match", "address" in offered("match = { add|ress"), offered("match = { add|ress"))
    check("properties are those of the step's type", {"@type", "implicitTls"} & set(offered(', add|ress = "203.0.113.7", proto')) == {"implicitTls"},
          offered(', add|ress = "203.0.113.7", proto'))
    check("words of a property are offered", set(offered('protocol = "sm|tp')) == {"smtp", "lmtp"}, offered('protocol = "sm|tp'))
    check("variants are offered", "Local" in offered('"@type" = "Re|lay'), offered('"@type" = "Re|lay'))
    check("actions are offered", "InvalidateCaches" in offered('action = "Re|load'), offered('action = "Re|load'))
    seen = client.at("textDocument/hover", module, MODULE, 'object = "Mta|Route')
    check("a type says what it has", seen and "implicitTls" in seen["contents"]["value"], seen)
    seen = client.at("textDocument/hover", module, MODULE, 'protocol|')
    check("a property says what it may be", seen and "`lmtp`" in seen["contents"]["value"], seen)
    seen = client.at("textDocument/hover", module, MODULE, "reason = rea|son")
    check("a `let` says what it is", seen and 'let reason = "made by hand"' in seen["contents"]["value"]
          and "mine.plan:3" in seen["contents"]["value"], seen)
    seen = client.at("textDocument/hover", module, MODULE, "[target/re|load")
    check("a step of a module says what it does", seen and "ReloadSettings" in seen["contents"]["value"], seen)
    for mark, file, first in [("use std/dovecot|-postfix", "dovecot-postfix.plan", 0), ("[target/re|load", "target-preparation.plan", None)]:
        seen = client.at("textDocument/definition", module, MODULE, mark)
        uri = seen["uri"] if seen else ""
        copy = pathlib.Path(uri.removeprefix("file://"))
        text = (ROOT / "stdlib" / file).read_text()
        check(f"`{mark}` leads to a file that can be read", uri.endswith("/std/" + file) and copy.is_file() and copy.read_text() == text, seen)
        line = seen["range"]["start"]["line"] if seen else -1
        check("at the place", line == first or "step target/reload" in text.split("\n")[line], seen)
    check("and nothing is wrong with it", client.open(copy, text) == [], copy)
    late = plan.replace("use: ./mine.plan", "use: std/dovecot-postfix").replace(
        "name: canary", 'name: canary, start_after: "2020-01-01T00:00:00Z"')
    found = [d for d in client.open(folder / "migration.yaml", late) if d["code"] == "moment-passed"]
    line = late[:late.index('"2020-')].count("\n")
    check("a moment that has passed is told where it stands", len(found) == 1 and "2020-01-01T00:00:00Z" in found[0]["message"]
          and found[0]["range"]["start"]["line"] == line, found)


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "migration.yaml"
        good = (ROOT / "tests" / "golden" / "lower" / "two-waves" / "plan.yaml").read_text()
        bad = good.replace("name: rest, parallel: 8", "name: rest 💌, parralel: 8")
        path.write_text(good)
        os.environ["XDG_CACHE_HOME"] = str(pathlib.Path(folder) / "cache")
        client = Client()
        check("says what it can", client.capabilities["hoverProvider"] and client.capabilities["documentFormattingProvider"],
              client.capabilities)

        seen = client.open(path, bad)
        found = [d for d in seen if d["code"] == "unknown-key"]
        line = next(i for i, text in enumerate(bad.split("\n")) if "parralel" in text)
        column = len(bad.split("\n")[line].split("parralel")[0].encode("utf-16-le")) // 2
        check("an unknown key is shown while it is written, where it stands in UTF-16",
              len(found) == 1 and found[0]["range"]["start"] == {"line": line, "character": column}
              and "parallel" in found[0]["message"], seen)
        seen = client.change(path, good)
        check("and goes when it is mended", not [d for d in seen if d["code"] == "unknown-key"], seen)

        text = good + "move:\n  ho\n"
        client.change(path, text)
        check("keys of a block are offered", "hold_bound" in labels(client.at("textDocument/completion", path, text, "  ho|\n")))
        text = good.replace("https://new.example.org", "https://${addresses.ta}")
        client.change(path, text)
        check("members are offered in an expression",
              "target" in labels(client.at("textDocument/completion", path, text, "${addresses.ta|}")))
        text = good.replace("https://new.example.org", "https://${lower(addresses.target)}")
        client.change(path, text)
        seen = client.at("textDocument/hover", path, text, "low|er(")
        check("a function says what it does", seen and "ASCII letters" in seen["contents"]["value"], seen)
        seen = client.at("textDocument/hover", path, text, "separa|tor")
        check("a key says what it is", seen and "text" in seen["contents"]["value"], seen)
        seen = client.at("textDocument/hover", path, text, "std/dovecot|-postfix")
        check("a module says what it does", seen and "accounts of Dovecot and Postfix move" in seen["contents"]["value"], seen)
        offered = labels(client.at("textDocument/completion", path, text, "- {name: rest, par|allel"))
        check("keys of an item of a list are offered", {"parallel", "start_after"} <= set(offered), offered)
        check("a key that is there already is not", "name" not in offered and "accounts" in offered, offered)
        offered = labels(client.at("textDocument/completion", path, text, "  pub|lic:"))
        check("nor one of the lines beside it", "public" in offered and not {"proxy", "target"} & set(offered), offered)
        seen = client.at("textDocument/hover", path, text, "paral|lel: 8")
        check("a key of an item says what it is", seen and "accounts at a time" in seen["contents"]["value"], seen)
        seen = client.at("textDocument/definition", path, text, "addresses.tar|get")
        line = next(i for i, one in enumerate(text.split("\n")) if one.startswith("  target:"))
        check("a name leads to where it is given", seen and seen["range"]["start"]["line"] == line, seen)
        text = good.replace("plan: 1", "plan:    1")
        client.change(path, text)
        seen = client.ask("textDocument/formatting", {"textDocument": {"uri": path.absolute().as_uri()}, "options": {}})
        check("it formats", seen and seen[0]["newText"].startswith("plan: 1\n"), seen)

        other = pathlib.Path(folder) / "other.plan"
        text = ('plan = 1\nlet first = "a"\nwaves = [\n  { name = "canary", parallel = 8, stop_when = { failed = 3 } },\n]\n'
                'name = first\n')
        client.open(other, text)
        for mark, wanted in [("{ na|me", "start_after"), (", par|allel", "parallel"), ("= { fai|led", "failed"), ("name = fi|rst", "first")]:
            offered = labels(client.at("textDocument/completion", other, text, mark))
            check(f"the plan language offers {wanted} at `{mark}`", wanted in offered and ("lower" in offered) == (wanted == "first"), offered)
        for mark, kept, gone in [("{ na|me", {"name", "accounts"}, {"parallel", "stop_when"}), (", par|allel", {"parallel", "accounts"}, {"name", "stop_when"}),
                                 ("= { fai|led", {"failed"}, {"name"}), ("\n|name", {"name", "addresses"}, {"plan", "waves"})]:
            offered = set(labels(client.at("textDocument/completion", other, text, mark)))
            check(f"what is there already is not offered again at `{mark.strip()}`", kept <= offered and not gone & offered, offered)
        block = 'plan = 1\naddresses {\n  public = "a } b" # target = "x"\n  so\n  proxy = "203.0.113.10"\n}\ntarget {\n  url = "https://${addresses.source}"\n}\n'
        client.change(other, block)
        offered = set(labels(client.at("textDocument/completion", other, block, "  so|\n")))
        check("nor what stands on the lines beside it, above and below", offered == {"source", "target"}, offered)
        client.change(other, text)
        seen = client.at("textDocument/hover", other, text, "name = fi|rst")
        check("a `let` is not called a function", not seen or "list(T)" not in seen["contents"]["value"], seen)

        module = pathlib.Path(folder) / "mine.plan"
        text = "module mine\nuse std/dovecot-postfix\nstep a/end : mark.rollback-point {\n  stage = finalize\n  after = [a/end]\n  point = ,\n}\n"
        seen = client.open(module, text)
        check("a mistake in the plan language is shown", len(seen) == 1 and seen[0]["code"] == "language-syntax"
              and seen[0]["range"]["start"]["line"] == 5, seen)
        text = text.replace("point = ,", 'point = "end"')
        client.change(module, text)
        seen = client.at("textDocument/definition", module, text, "[a/e|nd]")
        check("a step leads to its definition", seen and seen["range"]["start"] == {"line": 2, "character": 5}, seen)
        seen = client.at("textDocument/hover", module, text, "mark.roll|back")
        check("a kind of step says what it does", seen and "undo" in seen["contents"]["value"], seen)
        offered = labels(client.at("textDocument/completion", module, text, "  |stage"))
        check("the words of a step are offered, and the arguments of its kind, and what stands elsewhere is not",
              {"after", "before", "point"} <= set(offered) and not {"id", "kind", "args", "input"} & set(offered), offered)
        offered = labels(client.at("textDocument/completion", module, text, "|module"))
        check("the statements of a module are offered where they stand", {"input", "step"} <= set(offered) and "after" not in offered, offered)
        for word, says in (("st|age = finalize", "`prepare`, `cutover`, `waves` or `finalize`"), ("po|int = ", "of `mark.rollback-point`: ")):
            seen = client.at("textDocument/hover", module, text, word)
            check(f"`{word}` says what it is", seen and says in seen["contents"]["value"], seen)
        for mark in ("use |std", "use std/|dove"):
            check(f"modules are offered at `{mark}`", "std/finalize" in labels(client.at("textDocument/completion", module, text, mark)))
        check("kinds of steps are offered behind their first part",
              "mark.rollback-point" in labels(client.at("textDocument/completion", module, text, ": mark.|roll")))
        check("stages are offered", {"prepare", "finalize"} == set(labels(client.at("textDocument/completion", module, text, "stage = fin|")))
              - {"cutover", "waves"})

        def renamed(path, text, mark, name):
            """The text after a rename at `mark`'s `|`; or the refusal's words."""
            place = text.index(mark.replace("|", "")) + mark.index("|")
            line, begin = text.count("\n", 0, place), text.rfind("\n", 0, place) + 1
            uri = pathlib.Path(path).absolute().as_uri()
            answer = client.ask("textDocument/rename", {"textDocument": {"uri": uri}, "newName": name, "position": {
                "line": line, "character": len(text[begin:place].encode("utf-16-le")) // 2}})
            if "changes" not in answer:
                return answer["message"]
            lines = text.split("\n")
            for edit in sorted(answer["changes"][uri], key=lambda e: (e["range"]["start"]["line"], e["range"]["start"]["character"]),
                               reverse=True):
                start, end = edit["range"]["start"], edit["range"]["end"]
                one = lines[start["line"]].encode("utf-16-le")
                lines[start["line"]] = (one[:start["character"] * 2] + edit["newText"].encode("utf-16-le")
                                        + one[end["character"] * 2:]).decode("utf-16-le")
            return "\n".join(lines)

        text = ("module mine\ninput named : text\nlet label = \"${named}-💌\"\nstep a/one : mark.rollback-point {\n  stage = finalize\n"
                "  point = \"${label} of ${named}\"\n}\nstep a/two : mark.rollback-point {\n  stage = finalize\n  after = [a/one]\n"
                "  point = named\n}\nstep a/zero : mark.rollback-point {\n  stage = finalize\n  before = [a/one]\n  point = named\n}\n")
        check("it can be renamed from", not client.change(module, text), text)
        check("a step is renamed where it stands and where others wait for it",
              renamed(module, text, "[a/o|ne]", "a/first") == text.replace("a/one", "a/first"), renamed(module, text, "[a/o|ne]", "a/first"))
        check("an input is renamed in every expression, behind a wide character too",
              renamed(module, text, "point = na|med", "given") == text.replace("named", "given"), renamed(module, text, "point = na|med", "given"))
        check("a let is renamed", renamed(module, text, "let la|bel", "mark") == text.replace("label", "mark"))
        check("a name that is taken is refused", "is there already" in renamed(module, text, "[a/o|ne]", "a/two"))
        check("what is no name is refused", "cannot be a name" in renamed(module, text, "let la|bel", "a b"))
        check("what has no name of its own is refused", "of their own" in renamed(module, text, "sta|ge = finalize", "x"))
        yaml = pathlib.Path(folder) / "mine.yaml"
        text = ("module: mine\ninputs: {named: text}\nsteps:\n  - {id: a/one, kind: mark.rollback-point, stage: finalize, args: {point: \"${named}\"}}\n"
                "  - {id: a/two, kind: mark.rollback-point, stage: finalize, after: [\"a/one\"], args: {point: x}}\n")
        client.open(yaml, text)
        check("a step is renamed in YAML, quoted and bare", renamed(yaml, text, "id: a/o|ne", "a/first") == text.replace("a/one", "a/first"),
              renamed(yaml, text, "id: a/o|ne", "a/first"))
        check("an input is renamed in YAML", renamed(yaml, text, "${na|med}", "given") == text.replace("named", "given"))
        seen = client.at("textDocument/definition", yaml, text, "[\"a/o|ne")
        check("a step leads to its definition in YAML", seen and seen["range"]["start"]["line"] == 3, seen)

        offered = labels(client.at("textDocument/completion", yaml, text, "args: {po|int: x"))
        check("the arguments of a step are offered in YAML, and nothing else", offered == ["point"], offered)
        offered = labels(client.at("textDocument/completion", yaml, text, "stage: finalize, af|ter"))
        check("and the words of a step", {"after", "kind", "args"} <= set(offered) and "point" not in offered, offered)

        with_schema(client, pathlib.Path(folder) / "fetched", good)

        check("what it does not have is an error", client.ask("textDocument/references", {}).get("code") == -32601)
        client.ask("shutdown", None)
        client.tell("exit", None)
        check("it ends when it is told", client.process.wait(timeout=20) == 0)

    for name, data in {"no header": b"hello\r\n\r\n", "a size that is too large": b"Content-Length: 99999999999\r\n\r\n",
                       "no JSON": b"Content-Length: 3\r\n\r\n{]}", "nothing": b""}.items():
        done = subprocess.run([PLAN, "lsp"], input=data, capture_output=True, timeout=60)
        check(f"{name} ends it without a crash", done.returncode == 1, (done.returncode, done.stderr))
    return exit_code()


if __name__ == "__main__":
    if not PLAN or not shutil.which(PLAN):
        print("skipped lsp_test.py: PLAN names no program")
        sys.exit(0)
    sys.exit(main())
