#include "runtime/command/command_table.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "runtime/command/commands.h"
#include "runtime/command/usual_options.h"

namespace plan::command {
namespace {

const OptionSpec kPlanFile{"plan", "FILE", "migration.yaml", "the plan"};
const OptionSpec kPlanOption{"--plan", "FILE", "migration.yaml", "the plan whose folder is meant"};
const OptionSpec kEvents{"--events", "FILE", "",
                         "add every event to this file, one JSON object a line; `-` is stdout"};
const OptionSpec kMetrics{"--metrics", "ADDRESS", "",
                          "serve counts for Prometheus at this loopback address and port"};
const OptionSpec kUntested{
    "--untested-version", "", "",
    "work with server versions that plan was not tried with (`plan version` lists them)"};

const OptionSpec kNoCache{"--no-cache", "", "",
                          "compile again, whatever is kept of the last compilation in .plan"};

// What `plan diff` and `plan show` leave out.
const OptionSpec kShownAccount{
    "--account", "ACCOUNT", "", "show all steps of this account; may be repeated", false, true};
const OptionSpec kShownPath{"--path", "PATH", "",
                            "show only what lies below it, whole: `prepare`, `waves/NAME`, "
                            "`account/ADDRESS`, a step, a property of a step"};
const OptionSpec kShownAll{"--all", "", "", "show every step of every account"};

std::vector<CommandSpec> move_commands() {
  return {
      {.name = "init",
       .summary = "writes a commented migration.yaml",
       .text = "Writes a plan to start from, with every key explained. Never overwrites a file.",
       .example = "plan init --from dovecot-postfix    # then edit migration.yaml",
       .options = {{"--from", "KIND", "dovecot-postfix",
                    "what the source is; `plan init --list` names all"},
                   {"--output", "FILE", "migration.yaml", "where to write; `-` is stdout"},
                   {"--list", "", "", "name the kinds and end"},
                   kFormat},
       .run = run_init},
      {.name = "fetch",
       .summary = "asks the servers once; writes migration.lock",
       .text = "Asks source, target and proxies what the compiler needs to know and writes it to "
               "migration.lock, which belongs "
               "into git: versions, the target's schema by digest, capabilities, limits, "
               "certificates, accounts with aliases "
               "and hash schemes, mailbox names. The same servers give the same bytes, and no "
               "secret is in it. What changes by "
               "the hour goes to .plan/facts.jsonl. A changed certificate or host key is never "
               "taken silently: it is shown, "
               "and taken only with --accept-new-keys. Nothing on any server is changed.",
       .example = "plan fetch && git diff migration.lock",
       .options = {kPlanFile,
                   kFormat,
                   {"--accept-new-keys", "", "",
                    "take certificates and host keys that differ from the lock"}},
       .run = run_fetch},
      {.name = "check",
       .summary = "compiles the plan offline and shows every mistake at once",
       .text =
           "A pure function of migration.yaml, migration.lock and the built-in procedures: no "
           "server is asked. Each "
           "diagnostic has a code (plan explain CODE), a place, and mostly a remedy. Exit code 1 "
           "when there is an error, 4 when something could not be checked for want of a "
           "measurement. The last compilation of a large plan is kept in .plan/compiled.cache and "
           "used as long as nothing that it read has changed.",
       .example = "plan check --format sarif > check.sarif",
       .options = {kPlanFile,
                   {"--format", "FORMAT", "text", "`text`, `json` or `sarif`"},
                   {"--dump", "WHAT", "", "also print `graph`: one step a line"},
                   {"--reviewed", "FILE", "",
                    "a diff or a saved plan: is it a review of this plan and this lock?"},
                   kNoCache},
       .run = run_check},
      {.name = "diff",
       .summary = "looks at the live servers and shows what would change",
       .text =
           "Read-only. Shows every step by stage and wave with its effect, how it is undone, "
           "bytes, time, and the expected "
           "hold of each account. What is alike is shown once; --account, --path and --all show "
           "more, "
           "and json has everything (docs/formats/diff.md). With -o the reviewed plan is saved: "
           "one self-contained file "
           "that `plan apply` runs "
           "exactly or refuses. Exit code 2 when there are differences, or steps that could not be "
           "looked at.",
       .example = "plan diff -o reviewed.plan --format markdown > review.md",
       .options = {kPlanFile,
                   {"--format", "FORMAT", "text", "`text`, `markdown`, `json` or `html`"},
                   {"-o,--output", "FILE", "",
                    "save the reviewed plan; in a folder, under its digest: FOLDER/DIGEST.plan"},
                   kShownAccount,
                   kShownPath,
                   kShownAll,
                   kUntested,
                   kNoCache},
       .run = run_diff},
      {.name = "show",
       .summary = "shows a saved plan, anywhere, with no server and no other file",
       .text =
           "Reads a file written by `plan diff -o`, checks its digest, and shows what it would do.",
       .example = "plan show reviewed.plan",
       .options = {{"file", "FILE", "", "a saved plan", true},
                   {"--format", "FORMAT", "text", "`text`, `markdown`, `json` or `html`"},
                   kShownAccount,
                   kShownPath,
                   kShownAll},
       .run = run_show},
      {.name = "apply",
       .summary = "shows the diff, asks, and executes; goes on after a crash",
       .text =
           "With migration.yaml it compiles, shows the diff and asks. With a file saved by "
           "`plan diff -o` it runs exactly "
           "that, or says what has drifted. Every effect is in the journal before it is made; "
           "the same command goes on "
           "after a crash, Ctrl-C or a failure. Ctrl-C first finishes or undoes the accounts "
           "that are held. Exit code 2 when it waits for an approval or nobody said yes, 3 when it "
           "was stopped and can go on. --events and --metrics are for programs that look on "
           "(docs/formats/events.md, docs/formats/metrics.md).",
       .example = "plan apply migration.yaml --metrics 127.0.0.1:9464",
       .options = {{"file", "FILE", "migration.yaml", "a plan, or a saved plan"},
                   kPlanOption,
                   kYes,
                   {"--format", "FORMAT", "text", "`text`, or `json` for one event a line"},
                   {"--take-over", "", "",
                    "take the lease from a run whose machine is gone for good"},
                   {"--wait-for-approval", "", "",
                    "wait for `plan approve` instead of ending with exit code 2"},
                   kEvents,
                   kMetrics,
                   kUntested,
                   kNoCache},
       .run = run_apply},
      {.name = "status",
       .summary = "where every account, wave and step stands",
       .text =
           "Reads the journal only, so it works from another terminal while apply runs. Exit code "
           "2 when the run waits for an approval, 3 when it was stopped or interrupted and can go "
           "on, 1 when it failed.",
       .example = "plan status --format json",
       .options = {kPlanOption, kFormat},
       .run = run_status},
      {.name = "watch",
       .summary = "shows a run while it goes: waves, accounts, holds, rates, time left",
       .text = "From another terminal than apply's: reads the journal and the last events, changes "
               "nothing, and ends with the run. On a terminal it redraws one picture; elsewhere it "
               "writes a line when something has happened, every ten seconds at most. --format "
               "json is the document of `plan status`, one a line. Exit code as `plan status`.",
       .example = "plan watch",
       .options = {kPlanOption,
                   {"--interval", "SECONDS", "1", "between two looks"},
                   {"--once", "", "", "show one picture and end"},
                   kFormat},
       .run = run_watch},
      {.name = "trace",
       .summary = "everything that was done to one account, in order",
       .text = "Each step with its time, what came of it, and the place in the plan or procedure "
               "behind it, as it was when the step ran. Reads the journal only.",
       .example = "plan trace alice@example.org",
       .options = {{"account", "ACCOUNT", "", "primary address", true}, kPlanOption, kFormat},
       .run = run_trace},
      {.name = "verify",
       .summary = "compares source and target and grades each account",
       .text =
           "Grades: perfect (no difference), good (only differences on the documented list), "
           "investigate (a flag, date or "
           "mailbox differs, or an item was refused), poor (content missing or extra), not "
           "checked (a part without "
           "evidence). What is worse than good is listed by name, with the server's reason where "
           "it refused something. Read-only. Exit code 2 when an account is investigate or poor, 4 "
           "when "
           "one is not checked.",
       .example = "plan verify --account alice@example.org",
       .options = {kPlanFile,
                   {"--account", "ACCOUNT", "", "only this account", false, true},
                   kFormat},
       .run = run_verify},
      {.name = "rollback",
       .summary = "undoes, newest first",
       .text =
           "Gives one account, a wave or everything since a rollback point back to the source, "
           "from the prior states in the "
           "journal. What came to the target meanwhile is carried back first. Before it asks it "
           "shows what goes back, how each step is undone and what is lost by that, and how "
           "long each account will be held; an account whose mail cannot all go back is left where "
           "it is, with the "
           "reason. A point behind which a step cannot be undone is refused with that step: "
           "after finalize there is no way back.",
       .example = "plan rollback --account alice@example.org",
       .options = {kPlanOption,
                   {"--account", "ACCOUNT", "", "one account"},
                   {"--wave", "WAVE", "", "all accounts of a wave"},
                   {"--to", "POINT", "", "everything after this rollback point"},
                   kYes,
                   kFormat,
                   kEvents,
                   kMetrics,
                   {"--take-over", "", "",
                    "take the lease from a run whose machine is gone for good"}},
       .run = run_rollback},
      {.name = "approve",
       .summary = "lets a wave, an account or the last stage go on",
       .text = "Waves with `hold: approval`, accounts graded `investigate`, and the last stage "
               "(`plan approve finalize`) wait for this. A name that the run does not have is "
               "refused.",
       .example = "plan approve rest",
       .options = {{"subject", "WAVE|ACCOUNT|finalize", "", "what may go on", true},
                   kPlanOption,
                   kFormat},
       .run = run_approve},
      {.name = "pause",
       .summary = "lets a running apply finish what is held, then wait",
       .text = "No new account is begun until `plan resume`.",
       .example = "plan pause",
       .options = {kPlanOption, kFormat},
       .run = run_pause},
      {.name = "resume",
       .summary = "lets a paused apply go on",
       .text = "The opposite of `plan pause`.",
       .example = "plan resume",
       .options = {kPlanOption, kFormat},
       .run = run_resume},
      {.name = "throttle",
       .summary = "bounds what a running migration takes of a host",
       .text =
           "Takes effect in a running apply within a second, and stays for later runs: plan status "
           "shows it. 0 takes a bound away. The rate is that of all accounts that are copied "
           "together; what an account needs while it is held is never slowed.",
       .example = "plan throttle --host source --connections 4 --rate 20MiB",
       .options = {kPlanOption,
                   {.name = "--host",
                    .value_name = "HOST",
                    .summary = "`source` or `target`",
                    .is_required = true,
                    .is_one_of_its_words = true},
                   {"--connections", "N", "", "steps at a time", false, false,
                    NumberRange{0, 9999}},
                   {"--rate", "SIZE", "", "messages copied a second, 256KiB or more"},
                   kFormat},
       .run = run_throttle},
      {.name = "rehearse",
       .summary = "runs the whole plan against stand-ins",
       .text = "Starts the embedded target in this process and runs every step: what is read-only "
               "runs against the live source, "
               "which is opened read-only; every other step on source, proxies and DNS goes into "
               "books that refuse an order "
               "that would lose or loop mail. No write reaches a live system. With --rollback the "
               "last stage is left out; when everybody has moved, everybody goes back and moves a "
               "second time, then each account gets a message at the target and goes back; what "
               "would be carried is shown, and the books must say that all is as it was.",
       .example = "plan rehearse --rollback",
       .options = {kPlanFile,
                   kFormat,
                   {"--rollback", "", "", "rehearse the way back too"},
                   {"--keep", "", "", "keep the folder of the embedded target"},
                   kNoCache},
       .run = run_rehearse},
      {.name = "explain",
       .summary = "explains a diagnostic, an error or a step",
       .text = "CODE is what stands in brackets behind a message. STEP is an id as `plan graph` "
               "and `plan trace` show it: what "
               "the step does, how it is undone, where it stands and why; of steps that are drawn "
               "once (`account/{}/hold`) which they are. KIND is the kind of a step "
               "(`postfix.hold`). A procedure (std/dovecot-postfix) is shown as it is written.",
       .example = "plan explain unknown-key",
       .options = {{"what", "CODE|STEP|KIND|PROCEDURE", "", "what to explain", true},
                   kPlanOption,
                   kFormat},
       .run = run_explain},
      {.name = "graph",
       .summary = "draws the steps, or the ways of the mail",
       .text =
           "For Graphviz or Mermaid. Accounts that are alike are drawn once unless --all is given. "
           "With --mail the model behind the mail-flow proof is drawn: at each phase boundary the "
           "way of a message to an account, an alias and an address that nobody has, from each "
           "port 25 and each submission, with the rule that decides each hop.",
       .example = "plan graph | dot -Tsvg > steps.svg",
       .options = {kPlanFile,
                   {"--format", "FORMAT", "dot", "`dot`, `mermaid`, `text` or `json`"},
                   {"--mail", "", "", "draw where mail goes instead of the steps"},
                   {"--all", "", "", "draw every account; with --mail every class of account"},
                   kNoCache},
       .run = run_graph},
      {.name = "lower",
       .summary = "writes the server's part of a plan as lines for stalwart-cli",
       .text =
           "One JSON object a line (NDJSON), for `stalwart-cli apply --file`: domains, routes, "
           "expressions, and for the stage waves closed accounts, but no key and no list: those "
           "flip mail. Objects are upserts by "
           "what identifies them, so the lines may be applied again. Secrets are never written; "
           "they and the steps on other machines are listed on stderr. stalwart-cli runs the "
           "destroys of a file before its other lines: where the order matters the stage has "
           "parts, each a file of its own. A plan of stalwart-cli can be used as a module: "
           "`use ./server.ndjson`.",
       .example = "plan lower --ndjson --stage prepare > server.ndjson",
       .options = {kPlanFile,
                   {"--ndjson", "", "", "the form of the lines; there is no other", true},
                   {"--stage", "STAGE", "prepare", "`prepare`, `cutover`, `waves` or `finalize`"},
                   {"--part", "NUMBER", "1", "the part of the stage, from 1"},
                   {"--output", "FILE", "-", "where to write; `-` is stdout"}},
       .run = run_lower},
      {.name = "fmt",
       .summary = "writes a plan or module in one style, or in the other language",
       .text =
           "Indentation, quotes and blanks in one style; comments and empty lines stay, nothing "
           "is lost, and doing it twice "
           "changes nothing. With --to the same plan is written to stdout as YAML or in the "
           "plan language (docs/language.md). "
           "A file that would lose something is left as it is. Exit code 2 with --check when "
           "the file is not formatted.",
       .example = "plan fmt --to dsl migration.yaml > migration.plan",
       .options = {{"file", "FILE", "migration.yaml", "a plan or a module"},
                   {"--check", "", "", "change nothing, only say whether it is formatted"},
                   {"--to", "LANGUAGE", "", "`yaml` or `dsl`, the plan language"},
                   {"--accounts", "FILE", "",
                    "move the plan's list of accounts into this new csv file, which a long one is "
                    "read faster from"},
                   {"--output", "FILE", "", "where to write instead; `-` is stdout"},
                   kFormat},
       .run = run_fmt},
      {.name = "lsp",
       .summary = "serves an editor: diagnostics, completion, hover, definition, formatting",
       .text =
           "Speaks the Language Server Protocol over stdin and stdout, for both languages. An "
           "editor starts it; "
           "diagnostics are those of plan check, with the lock beside the plan; those of a module "
           "are found by the migration.yaml or migration.plan of its folder. Types, properties and "
           "actions of the target are offered from the schema of the last plan fetch. The "
           "definition of a name in a module of std/ is shown in a copy under ~/.cache/plan.",
       .example = "plan lsp    # vim.lsp.start({name = 'plan', cmd = {'plan', 'lsp'}})",
       .options = {},
       .run = run_lsp},
      {.name = "schema",
       .summary = "writes a JSON Schema of migration.yaml, for editors",
       .text = "Any editor with a YAML language server completes and checks with it; plan lsp does "
               "more.",
       .example = "plan schema --output migration.schema.json",
       .options = {{"--output", "FILE", "-", "where to write; `-` is stdout"}, kFormat},
       .run = run_schema},
      {.name = "test",
       .summary = "runs the tests that an operator wrote for a plan",
       .text =
           "A file beside the plan says what is expected of it, each test with a `lock` and "
           "measurements (`facts`, docs/formats/facts.md) of its own, and with another `plan` "
           "where "
           "that is said; what stands in `facts` has to be right line by line. Expected are "
           "`error: CODE`, `warning: CODE`, `no: CODE`, `no: errors`, `step: ID`, `no_step: ID` "
           "(`{}` in an ID is any name; an ID that no step of the plan or of std can have is "
           "refused), "
           "`order: [\"ID\", \"ID\"]` (`{}` in both is the same name; an ID with `{}` in it stands "
           "in "
           "quotes in a list), `accounts: N`, `route: {from: "
           "source:25, to: ADDRESS, when: PHASE, "
           "ends: target}`. `no` and `accounts` do not hold of a plan that does not compile, "
           "unless "
           "`error` expects why. A route says where a message ends when the migration stands at a "
           "phase "
           "(before, prepared, cutover, created, copied, held, keys, moved, rollback, finalized) "
           "or "
           "when a step is done; `from` is a port 25, a submission, a queue or a server itself, "
           "`ends` a "
           "word or a list of them (target, source, source queue, target queue, outside, public "
           "mx, "
           "refused, deferred, bounced, discarded, loop, undecided): exactly all ends of the "
           "message, one for each "
           "copy, "
           "so a list of two accounts has two; `account` whose move it is when ADDRESS is "
           "nobody's or a list's and the phase is one of a move (others are where the steps that "
           "have to be done by then have put "
           "them), `bounce: true` a message without a sender. Offline. Exit code 1 when one "
           "does not hold.",
       .example = "plan test migration.test.yaml",
       .options = {{"file", "FILE", "migration.test.yaml", "the tests"}, kFormat},
       .run = run_test},
      {.name = "report",
       .summary = "writes the report of the run: one self-contained HTML file",
       .text = "Reads the journal only.",
       .example = "plan report --output report.html",
       .options = {kPlanOption,
                   {"--output", "FILE", "-", "where to write; `-` is stdout"},
                   {"--format", "FORMAT", "html", "`html`, `text` or `json`"}},
       .run = run_report},
      {.name = "version",
       .summary = "says which version this is, and which servers it was tried with",
       .text = "Versions of servers that are not listed need --untested-version. With --evidence: "
               "what was killed how often to prove that a move loses nothing, of which commit; "
               "written by the run that proved it (docs/evidence.md).",
       .example = "plan version --evidence",
       .options = {kFormat,
                   {"--evidence", "", "", "show the certificate: points, faults, runs, counts"}},
       .run = run_version},
      {.name = "proxy run",
       .summary = "runs the migration proxy",
       .text = "Takes the public ports and routes each login to the server that holds the account. "
               "Runs until SIGTERM, then says "
               "goodbye to every session. See docs/formats/proxy.md for the configuration.",
       .example = "plan proxy run --config /etc/plan-proxy/proxy.toml",
       .options = {{"--config", "FILE", "proxy.toml", "configuration"}},
       .run = run_proxy_run},
      {.name = "proxy check",
       .summary = "checks a proxy's configuration without starting it",
       .text = "All problems at once, with their lines; certificates, keys, token and map are "
               "opened too.",
       .example = "plan proxy check --config proxy.toml",
       .options = {{"--config", "FILE", "proxy.toml", "configuration"}, kFormat},
       .run = run_proxy_check},
      {.name = "proxy status",
       .summary = "asks a running proxy where it stands",
       .text = "Sessions, holds, generations. The token is read from the file that the "
               "configuration names.",
       .example = "plan proxy status --config proxy.toml",
       .options = {{"--config", "FILE", "proxy.toml", "configuration"},
                   {"request", "REQUEST", "status", "`status`, `sessions` or `map`"},
                   kFormat},
       .run = run_proxy_control},
      {.name = "archive import",
       .summary = "reads an account into an archive",
       .text =
           "From the plan's source, whose account --account names: mail, scripts, and calendars "
           "and "
           "contacts where the plan says how they are read. The file is an archive as Vandelay "
           "writes them, with plan's own tables beside. A file that is there is refused unless "
           "--update asks for one more pass over it, which also goes on where a pass was cut off. "
           "With --from another archive is taken over instead of the account: it is checked and "
           "written once more, without what is its program's own; no server is asked. Nothing at "
           "the source is changed. What is not carried is listed with its number. Exit code 2 when "
           "something could not be read or is not carried.",
       .example = "plan archive import alice.sqlite --account alice@example.org",
       .options = {{"file", "FILE", "", "the archive to write", true},
                   {"--account", "ACCOUNT", "", "an account of the plan's source"},
                   {"--from", "ARCHIVE", "", "another archive to take over"},
                   {"--update", "", "", "bring an archive that is there up to date"},
                   {"--allow-source-change", "", "",
                    "also when the archive was filled from another server or login"},
                   kPlanOption,
                   kFormat},
       .run = run_archive_import},
      {.name = "archive export",
       .summary = "brings an archive onto an account of the target, or into a file",
       .text =
           "With --account onto an account that the plan's target has already, after a question: "
           "what is there with the same mailbox, bytes and date is kept and not brought twice, so "
           "an export of Vandelay that ended half-way is gone on with; then both are compared and "
           "graded. Only what an export brought is changed or removed by a later one, and nothing "
           "once the account has moved. With --output into one whole file that Vandelay reads. "
           "Neither has a hold: accounts in use are moved by `plan apply`. What is not carried "
           "(identities, files, calendars that plan did not read itself) stays in the archive and "
           "is listed with its number. Exit code 2 when something is refused, differs or is not "
           "carried, or nobody said yes.",
       .example = "plan archive export alice.sqlite --account alice@example.org",
       .options = {{"file", "FILE", "", "an archive", true},
                   {"--account", "ACCOUNT", "", "an account of the plan's target"},
                   {"--output", "FILE", "", "a file that is not there yet"},
                   kPlanOption,
                   kYes,
                   kFormat},
       .run = run_archive_export},
      {.name = "archive inspect",
       .summary = "says what is in an account's archive",
       .text = "Opens the file read-only.",
       .example = "plan archive inspect .plan/archives/alice@example.org.sqlite",
       .options = {{"file", "FILE", "", "an archive", true}, kFormat},
       .run = run_archive_inspect},
      {.name = "archive verify",
       .summary = "checks an archive against itself",
       .text = "Structure, references, and the digest of every blob. Exit code 1 when something is "
               "wrong.",
       .example = "plan archive verify alice.sqlite",
       .options = {{"file", "FILE", "", "an archive", true}, kFormat},
       .run = run_archive_verify},
      {.name = "archive diff",
       .summary = "compares two archives",
       .text = "Exit code 2 when they differ.",
       .example = "plan archive diff before.sqlite after.sqlite",
       .options = {{"first", "FILE", "", "an archive", true},
                   {"second", "FILE", "", "another", true},
                   kFormat},
       .run = run_archive_diff},
      {.name = "archive compact",
       .summary = "drops what nothing in an archive refers to",
       .text =
           "Blobs without a message go, and the file gives their space back. Nothing else changes.",
       .example = "plan archive compact alice.sqlite",
       .options = {{"file", "FILE", "", "an archive", true}, kFormat},
       .run = run_archive_compact},
  };
}

std::vector<CommandSpec> server_commands() {
  return {
      {.name = "admin describe",
       .summary = "shows a type of the target's schema as a person wants to read it",
       .text =
           "From the schema in the cache of the last `plan fetch`; offline. Without TYPE it lists "
           "the types that have objects at the target.",
       .example = "plan admin describe Domain",
       .options = {{"type", "TYPE", "", "Domain, Account, MtaRoute, ..."}, kPlanOption, kFormat},
       .run = run_admin_describe},
      {.name = "admin get",
       .summary = "reads objects of the target",
       .text = "Secrets are shown as the server masks them.",
       .example = "plan admin get Domain",
       .options = {{"type", "TYPE", "", "Domain, Account, MtaRoute, ...", true},
                   kPlanOption,
                   kFormat},
       .run = run_admin_get},
      {.name = "target run",
       .summary = "runs the embedded target that rehearsals use",
       .text =
           "A stand-in for a Stalwart server, for rehearsals, examples and tests, with the usual "
           "ports of HTTPS, SMTP, submission, IMAP, POP3 and ManageSieve. It says so "
           "in its greetings; it is no mail "
           "server to keep mail in.",
       .example = "plan target run --folder target --address 10.9.0.1 --hostname new.test "
                  "--certificate t.crt --key t.key "
                  "--admin admin --admin-password-file secret",
       .options = {{"--folder", "FOLDER", "", "where its data is", true},
                   {"--address", "ADDRESS", "127.0.0.1", "what it binds"},
                   {"--hostname", "NAME", "localhost", "its name"},
                   {"--certificate", "FILE", "", "PEM chain", true},
                   {"--key", "FILE", "", "PEM key", true},
                   {"--admin", "NAME", "admin", "the administrator"},
                   {"--admin-password-file", "FILE", "", "first line is the password", true}},
       .run = run_target_run},
      {.name = "docs",
       .summary = "writes the pages that are made from the code",
       .text =
           "man pages, shell completion, command reference, the catalogue of diagnostics, the "
           "grammar, types and functions of the plan language, the built-in modules, the kinds of "
           "steps.",
       .example = "plan docs man --output docs/man",
       .options = {{"what", "WHAT", "",
                    "`man`, `bash`, `markdown`, `diagnostics`, `language`, "
                    "`modules` or `steps`",
                    true},
                   {"--output", "PATH", "-", "a file, or a folder for `man`"}},
       .run = run_docs},
  };
}

const std::vector<CommandSpec>& table() {
  static const std::vector<CommandSpec> kCommands = [] {
    std::vector<CommandSpec> commands;
    for (auto part : {move_commands(), dump_commands(), server_commands()})
      std::move(part.begin(), part.end(), std::back_inserter(commands));
    return commands;
  }();
  return kCommands;
}

}  // namespace

std::span<const CommandSpec> all_commands() { return table(); }

std::string_view summary_of_group(std::string_view group) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kGroups = {{
      {"admin", "looks at the objects of the target"},
      {"archive", "works with the archives of accounts"},
      {"dump", "works with database dumps of a server"},
      {"proxy", "runs, checks and asks the migration proxy"},
      {"target", "runs the embedded target"},
  }};
  for (const auto& [name, summary] : kGroups) {
    if (name == group) return summary;
  }
  return "more commands";
}

}  // namespace plan::command
