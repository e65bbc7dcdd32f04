-- The journal of one migration (design.md section 8): what was meant, what was done, what came of it. A row is written
-- before the effect it announces and after the effect it reports, each durably. Numbers of states and kinds are those of
-- journal.h and never change their meaning. Documents are canonical JSON (compiler/ir/json.h); secrets in them are
-- references, sealed where they are prior state.

-- Each graph that was ever executed, so that a step can be undone with the arguments it was done with.
CREATE TABLE graph (
  digest   TEXT NOT NULL PRIMARY KEY,  -- SHA-256 of the document, hex
  document BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One session of plan apply or plan rollback; going on after a crash is the same run.
CREATE TABLE run (
  number            INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id            TEXT NOT NULL UNIQUE,
  plan_name         TEXT NOT NULL,
  graph_digest      TEXT NOT NULL REFERENCES graph (digest),
  saved_plan_digest TEXT NOT NULL,     -- empty: from the plan itself
  is_rollback       INTEGER NOT NULL,
  state             INTEGER NOT NULL,  -- RunState
  started_ms        INTEGER NOT NULL,  -- milliseconds since 1970 UTC, as all times here
  ended_ms          INTEGER,
  boot_id           TEXT NOT NULL,
  process_id        INTEGER NOT NULL,
  message           TEXT NOT NULL
) STRICT;

-- Where each step stands, over all runs. No row: never begun.
CREATE TABLE step (
  step          TEXT NOT NULL PRIMARY KEY,  -- readable id
  state         INTEGER NOT NULL,           -- StepState
  digest        TEXT NOT NULL,              -- of kind and arguments, hex
  graph_digest  TEXT NOT NULL,
  account       TEXT NOT NULL,              -- empty: of no account
  attempts      INTEGER NOT NULL,
  effect_key    TEXT NOT NULL,
  was_satisfied INTEGER NOT NULL,
  prior         TEXT,                       -- of the first attempt since the step was last undone
  outputs       TEXT,
  notes         TEXT,
  error_code    TEXT,
  error_message TEXT,
  error_effect  TEXT,
  error_blame   TEXT,
  started_ms    INTEGER NOT NULL,
  ended_ms      INTEGER NOT NULL,
  sequence      INTEGER NOT NULL            -- history row of the last outcome
) STRICT, WITHOUT ROWID;

-- Deadlines outlive the process. Another boot id means expired; on the same boot hold_uptime says how long it is, and the
-- wall time, which may jump, is for people and for journals that have no uptime.
CREATE TABLE hold (
  number       INTEGER PRIMARY KEY AUTOINCREMENT,
  account      TEXT NOT NULL,
  begun_ms     INTEGER NOT NULL,
  boot_id      TEXT NOT NULL,
  bound_ms     INTEGER NOT NULL,
  is_rollback  INTEGER NOT NULL,
  ended_ms     INTEGER,
  is_committed INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX hold_open ON hold (account) WHERE ended_ms IS NULL;

-- The machine's monotonic clock at the begin of each account's latest hold. Made too where an earlier plan began the journal.
CREATE TABLE hold_uptime (
  account TEXT NOT NULL PRIMARY KEY,
  up_ms   INTEGER
) STRICT, WITHOUT ROWID;

-- The latest grade of each account (JSON); it outlives the undo of the step that graded. Made too where an earlier plan
-- began the journal.
CREATE TABLE account_grade (
  account TEXT NOT NULL PRIMARY KEY,
  grade   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Everything in the order in which it became durable, for people.
CREATE TABLE history (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  wall_ms  INTEGER NOT NULL,
  run_id   TEXT NOT NULL,
  step     TEXT NOT NULL,
  account  TEXT NOT NULL,
  what     TEXT NOT NULL,
  attempt  INTEGER NOT NULL,
  text     TEXT NOT NULL
) STRICT;
CREATE INDEX history_of_account ON history (account, sequence);

-- Where the steps of a graph come from: a JSON list of "file:line:column", first of the shapes (in the procedure), then of
-- the rows (in the plan), each in their order. Made too where an earlier plan began the journal.
CREATE TABLE place (
  graph_digest TEXT NOT NULL PRIMARY KEY,
  places       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What other processes ask for or grant.
CREATE TABLE request (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  kind       INTEGER NOT NULL,  -- RequestKind
  subject    TEXT NOT NULL,
  parameters TEXT NOT NULL,
  wall_ms    INTEGER NOT NULL,
  used_ms    INTEGER            -- an approval that a move has used up
) STRICT;
