"""The judge is judged: on a sound world it is silent, on each sabotaged one it objects with the right words."""

import copy
import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "examples" / "quickstart"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
sys.dont_write_bytecode = True

import oracle  # noqa: E402
from checks import check, exit_code  # noqa: E402

ALICE, BOB = "alice@legacy.test", "bob@legacy.test"


def message(identity, content="body", flags=(), date=1_600_000_000):
    return {"id": identity, "sha256": f"sha-{content}", "body_sha256": "x", "flags": set(flags), "date": date}


class Case:
    """A sound world: two accounts that moved, one message and one flag promised while they did."""

    def __init__(self, folder):
        manifest = [{"account": ALICE, "mailbox": "INBOX", "id": "m1", "flags": ["\\Seen"], "sha256": "sha-one", "date": 1_600_000_000},
                    {"account": ALICE, "mailbox": "Sent", "id": "m2", "flags": [], "sha256": "sha-two", "date": 1_600_000_000}]
        ledger = [{"kind": "accepted", "id": "d1", "accounts": [ALICE], "way": "source-25"},
                  {"kind": "accepted", "id": "d2", "accounts": [ALICE, BOB], "way": "target-25"},
                  {"kind": "perhaps", "id": "d3", "accounts": [BOB], "way": "submission"},
                  {"kind": "flag-try", "id": "m2", "account": ALICE}, {"kind": "flagged", "id": "m2", "account": ALICE}]
        for name, records in {"manifest": manifest, "ledger": ledger}.items():
            (folder / name).write_text("".join(json.dumps(r) + "\n" for r in records))
        self.facts = {"manifest": str(folder / "manifest"), "ledger": str(folder / "ledger"),
                      "accounts": [{"address": ALICE, "mailboxes": ["INBOX", "Sent"]}, {"address": BOB, "mailboxes": ["INBOX"]}]}
        self.target = {ALICE: {"INBOX": [message("m1", "one", ["\\Seen"]), message("d1"), message("d2")],
                               "Sent": [message("m2", "two", ["\\Flagged"])]},
                       BOB: {"INBOX": [message("d2")]}}
        self.source = {ALICE: {"INBOX": [message("m1", "one"), message("d1")]}, BOB: {"INBOX": []}}
        self.queues = {"source": [], "target": []}

    def wrong(self):
        return oracle.judge(self.facts, self.source, self.target, self.queues)[1]


def sabotage_delta_skipped(case):
    case.target[ALICE]["INBOX"] = [m for m in case.target[ALICE]["INBOX"] if m["id"] != "d1"]
    return f"{ALICE}: d1 is only at the source"


def sabotage_one_import_doubled(case):
    case.target[ALICE]["Sent"].append(copy.deepcopy(case.target[ALICE]["Sent"][0]))
    return f"{ALICE}: m2 is there 2 times"


def sabotage_one_flag_dropped(case):
    case.target[ALICE]["INBOX"][0]["flags"].discard("\\Seen")
    return f"{ALICE}: m1 in INBOX has flags [], should have ['\\\\Seen']"


def sabotage_a_promised_flag_lost(case):
    case.target[ALICE]["Sent"][0]["flags"].clear()
    return f"{ALICE}: m2 in Sent has flags [], should have ['\\\\Flagged']"


def sabotage_message_lost(case):
    case.target[BOB]["INBOX"].clear()
    return f"{BOB}: d2 is nowhere"


def sabotage_other_bytes(case):
    case.target[ALICE]["Sent"][0]["sha256"] = "sha-changed"
    return f"{ALICE}: m2 has other bytes than before"


def sabotage_other_mailbox(case):
    case.target[ALICE]["INBOX"].append(case.target[ALICE]["Sent"].pop())
    return f"{ALICE}: m2 is in INBOX, should be in Sent"


def sabotage_delivered_to_the_wrong_reader(case):
    case.target[BOB]["INBOX"].append(message("d1"))
    return f"{BOB}: d1 was never sent to this account"


def sabotage_probe_left_behind(case):
    case.target[BOB]["INBOX"].append(message(None))
    return f"{BOB}: 1 messages that nobody sent (probes or bounces left behind)"


def sabotage_probe_that_says_who_it_is(case):
    probe = b"Subject: plan probe 7\r\nReceived: from new.legacy.test by old.legacy.test\r\nX-Plan-Probe: 7\r\n\r\nbody\r\n"
    case.target[BOB]["INBOX"].append({**message(None), "trace": [oracle.told_head(probe), *oracle.trace(probe)]})
    return (f"{BOB}: 1 messages that nobody sent (probes or bounces left behind)\n    INBOX [] sha-body Subject: plan probe 7 | "
            "X-Plan-Probe: 7 / from new.legacy.test by old.legacy.test")


def sabotage_waits_in_a_queue(case):
    case.queues["source"].append(("4F1", BOB))
    return f"{BOB} still waits in the queue of the source (4F1)"


def sabotage_mailbox_missing(case):
    case.target[ALICE]["INBOX"].append(case.target[ALICE].pop("Sent")[0])
    return f"{ALICE}: mailbox Sent is missing"


def delivered(identity, delivery, entry="4FA1"):
    return {**message(identity, delivery), "trace": [f"from old.legacy.test by vm with LMTP id {delivery} for <{BOB}>",
                                                     f"from mx.elsewhere.test by old.legacy.test (Postfix) with ESMTPS id {entry} for <{BOB}>"]}


def session(pid, entry, said):
    return (f"Nov 29 12:04:00 old postfix/smtpd[{pid}]: {entry}: client=new.legacy.test[10.9.0.2]\n"
            f"Nov 29 12:04:01 old postfix/smtpd[{pid}]: disconnect from new.legacy.test[10.9.0.2] ehlo=2 mail=1 rcpt=1 data=1{said} commands=6\n")


def deliveries_of_the_servers():
    """(name, is it excused, the copies, Postfix's log): a second copy is the servers' own only when everything says so."""
    cut = f"Nov 29 12:04:01 old postfix/lmtp[1]: 4FA1: to=<{BOB}>, status=deferred (host old said: 421 4.3.2 Shutting down (in reply to end of DATA command))\n"
    lost = f"Nov 29 12:04:01 old postfix/lmtp[1]: 4FA1: to=<{BOB}>, status=deferred (lost connection with old while sending end of data -- message may be sent more than once)\n"
    early = f"Nov 29 12:04:01 old postfix/lmtp[1]: 4FA1: to=<{BOB}>, status=deferred (host old said: 451 4.2.0 (in reply to RCPT TO command))\n"
    first, second, third = delivered("d2", "one"), delivered("d2", "two"), delivered("d2", "three")
    elsewhere = delivered("d2", "two", "5B2")
    to_target = cut.replace("postfix/lmtp", "postfix/smtp")
    died, ended = session(7, "4FA1", ""), session(7, "4FA1", " quit=1")
    other = session(8, "5B2", " quit=1")
    return [("delivered again after a refusal behind the data", True, [first, second], cut),
            ("delivered again after a lost connection behind the data", True, [first, second], lost),
            ("refused before the data", False, [first, second], early),
            ("no delivery without an answer in the log", False, [first, second], ""),
            ("one delivery without an answer, two copies too many", False, [first, second, third], cut),
            ("a copy with the bytes of the first", False, [first, copy.deepcopy(first)], cut),
            ("handed on again after a refusal behind the data", True, [first, second], to_target),
            ("out of another entry of the queue", False, [first, elsewhere], cut),
            ("sent again by a client that died over the answer", True, [first, elsewhere], died + other),
            ("sent again by a client that said QUIT", False, [first, elsewhere], ended + other),
            ("sent again, and delivered again without a reason", False, [first, elsewhere, delivered("d2", "three", "5B2")], died + other),
            ("sent again and delivered again, each for a reason", True, [first, second, delivered("d2", "three", "5B2")], died + other + cut)]


def main():
    sabotages = [(n, f) for n, f in sorted(globals().items()) if n.startswith("sabotage_")]
    with tempfile.TemporaryDirectory() as folder:
        case = Case(pathlib.Path(folder))
        check("a sound world has nothing wrong", case.wrong() == [], case.wrong())
        case.target[BOB]["INBOX"].append(message("d3"))
        check("what may have been accepted may be there once", case.wrong() == [], case.wrong())
        case.target[BOB]["INBOX"].append(message("d3"))
        check("but not twice", case.wrong() == [f"{BOB}: d3 is there 2 times"], case.wrong())
        for name, sabotage in sabotages:
            case = Case(pathlib.Path(folder))
            words = sabotage(case)
            check(name.replace("_", " "), words in case.wrong(), case.wrong())
        for name, is_excused, copies, log in deliveries_of_the_servers():
            case = Case(pathlib.Path(folder))
            case.target[BOB]["INBOX"] = copies
            (pathlib.Path(folder) / "postfix.log").write_text(log)
            case.facts["postfix_log"] = str(pathlib.Path(folder) / "postfix.log")
            check(name, (case.wrong() == []) == is_excused, case.wrong())
    return exit_code()


if __name__ == "__main__":
    sys.exit(main())
