#include "runtime/archive/schema.h"

namespace plan::archive {

// clang-format off
const std::string_view kArchiveSchema = R"SQL(
CREATE TABLE IF NOT EXISTS sources (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('jmap', 'imap', 'caldav', 'carddav', 'webdav', 'managesieve', 'maildir', 'exchange_ews', 'exchange_graph', 'takeout')),
  session_url TEXT NOT NULL,
  account_id TEXT NOT NULL,
  account_name TEXT,
  username TEXT NOT NULL,
  UNIQUE (kind, session_url, account_id));
CREATE TABLE IF NOT EXISTS blobs (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS blobs_hash_idx ON blobs (hash);
CREATE TABLE IF NOT EXISTS sync_id_jmap (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  type_name TEXT NOT NULL,
  jmap_id TEXT NOT NULL,
  local_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, type_name, jmap_id),
  UNIQUE (source_id, type_name, local_id));
CREATE INDEX IF NOT EXISTS sync_id_jmap_local_idx ON sync_id_jmap (type_name, local_id);
CREATE TABLE IF NOT EXISTS sync_state_jmap (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  type_name TEXT NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (source_id, type_name));
CREATE TABLE IF NOT EXISTS sync_id_imap (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  type_name TEXT NOT NULL CHECK (type_name IN ('mailbox', 'email')),
  folder TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  local_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, type_name, folder, uidvalidity, uid),
  UNIQUE (source_id, type_name, local_id));
CREATE INDEX IF NOT EXISTS sync_id_imap_folder_idx ON sync_id_imap (source_id, type_name, folder);
CREATE TABLE IF NOT EXISTS imap_folder_state (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  folder TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL,
  uidnext INTEGER NOT NULL,
  last_seen TEXT NOT NULL,
  PRIMARY KEY (source_id, folder));
CREATE TABLE IF NOT EXISTS sync_id_dav (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  type_name TEXT NOT NULL CHECK (type_name IN ('calendar', 'calendarevent', 'addressbook', 'contactcard', 'filenode')),
  collection_href TEXT NOT NULL,
  item_href TEXT NOT NULL,
  etag TEXT NOT NULL DEFAULT '',
  local_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, type_name, item_href),
  UNIQUE (source_id, type_name, local_id));
CREATE INDEX IF NOT EXISTS sync_id_dav_collection_idx ON sync_id_dav (source_id, type_name, collection_href);
CREATE TABLE IF NOT EXISTS sync_id_managesieve (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  local_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, name),
  UNIQUE (source_id, local_id));
CREATE TABLE IF NOT EXISTS sync_id_maildir (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  type_name TEXT NOT NULL CHECK (type_name IN ('mailbox', 'email')),
  folder TEXT NOT NULL,
  unique_id TEXT NOT NULL,
  local_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, type_name, folder, unique_id),
  UNIQUE (source_id, type_name, local_id));
CREATE INDEX IF NOT EXISTS sync_id_maildir_folder_idx ON sync_id_maildir (source_id, type_name, folder);
CREATE TABLE IF NOT EXISTS sync_id_exchange_ews (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  type_name TEXT NOT NULL CHECK (type_name IN ('mailbox', 'calendar', 'addressbook', 'email', 'calendarevent', 'contactcard')),
  folder_id TEXT NOT NULL DEFAULT '',
  item_id TEXT NOT NULL,
  change_key TEXT NOT NULL DEFAULT '',
  sync_state TEXT NOT NULL DEFAULT '',
  local_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, type_name, item_id),
  UNIQUE (source_id, type_name, local_id));
CREATE INDEX IF NOT EXISTS sync_id_exchange_ews_folder_idx ON sync_id_exchange_ews (source_id, type_name, folder_id);
CREATE TABLE IF NOT EXISTS sync_id_exchange_graph (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  type_name TEXT NOT NULL CHECK (type_name IN ('mailbox', 'email', 'calendar', 'calendarevent', 'addressbook', 'contactcard', 'filenode')),
  graph_id TEXT NOT NULL,
  local_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, type_name, graph_id),
  UNIQUE (source_id, type_name, local_id));
CREATE INDEX IF NOT EXISTS sync_id_exchange_graph_type_idx ON sync_id_exchange_graph (source_id, type_name);
CREATE TABLE IF NOT EXISTS mailboxes (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  parent_id INTEGER REFERENCES mailboxes(id) ON DELETE RESTRICT,
  role TEXT,
  sort_order INTEGER NOT NULL DEFAULT 0,
  is_subscribed INTEGER NOT NULL DEFAULT 1,
  UNIQUE (parent_id, name));
CREATE TABLE IF NOT EXISTS emails (
  id INTEGER PRIMARY KEY,
  blob_id INTEGER NOT NULL REFERENCES blobs(id),
  received_at TEXT NOT NULL,
  mailbox_ids TEXT NOT NULL CHECK (json_valid(mailbox_ids)),
  keywords TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(keywords)),
  message_match TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(message_match)));
CREATE INDEX IF NOT EXISTS emails_blob_idx ON emails (blob_id);
CREATE TABLE IF NOT EXISTS identities (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL DEFAULT '',
  email TEXT NOT NULL,
  reply_to TEXT CHECK (reply_to IS NULL OR json_valid(reply_to)),
  bcc TEXT CHECK (bcc IS NULL OR json_valid(bcc)),
  text_signature TEXT NOT NULL DEFAULT '',
  html_signature TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS sieve_scripts (
  id INTEGER PRIMARY KEY,
  name TEXT,
  is_active INTEGER NOT NULL DEFAULT 0,
  blob_id INTEGER NOT NULL REFERENCES blobs(id),
  UNIQUE (name));
CREATE UNIQUE INDEX IF NOT EXISTS sieve_scripts_one_active_idx ON sieve_scripts (is_active) WHERE is_active = 1;
CREATE TABLE IF NOT EXISTS address_books (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  description TEXT,
  sort_order INTEGER NOT NULL DEFAULT 0,
  is_default INTEGER NOT NULL DEFAULT 0,
  is_subscribed INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS contact_cards (
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  address_book_ids TEXT NOT NULL CHECK (json_valid(address_book_ids)),
  data TEXT NOT NULL CHECK (json_valid(data)));
CREATE TABLE IF NOT EXISTS calendars (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  description TEXT,
  color TEXT,
  sort_order INTEGER NOT NULL DEFAULT 0,
  is_subscribed INTEGER NOT NULL DEFAULT 1,
  is_visible INTEGER NOT NULL DEFAULT 1,
  is_default INTEGER NOT NULL DEFAULT 0,
  include_in_availability TEXT NOT NULL DEFAULT 'all' CHECK (include_in_availability IN ('all', 'attending', 'none')),
  default_alerts_with_time TEXT CHECK (default_alerts_with_time IS NULL OR json_valid(default_alerts_with_time)),
  default_alerts_without_time TEXT CHECK (default_alerts_without_time IS NULL OR json_valid(default_alerts_without_time)),
  time_zone TEXT);
CREATE TABLE IF NOT EXISTS calendar_events (
  id INTEGER PRIMARY KEY,
  calendar_ids TEXT NOT NULL CHECK (json_valid(calendar_ids)),
  is_draft INTEGER NOT NULL DEFAULT 0,
  use_default_alerts INTEGER NOT NULL DEFAULT 0,
  data TEXT NOT NULL CHECK (json_valid(data)),
  data_type TEXT NOT NULL DEFAULT 'Event' CHECK (data_type IN ('Event', 'Task', 'Note', 'Group')));
CREATE TABLE IF NOT EXISTS participant_identities (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL DEFAULT '',
  calendar_address TEXT NOT NULL,
  is_default INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS file_nodes (
  id INTEGER PRIMARY KEY,
  parent_id INTEGER REFERENCES file_nodes(id) ON DELETE RESTRICT,
  node_type TEXT NOT NULL CHECK (node_type IN ('file', 'directory', 'symlink')),
  blob_id INTEGER REFERENCES blobs(id),
  target TEXT CHECK (target IS NULL OR json_valid(target)),
  name TEXT NOT NULL,
  media_type TEXT,
  created TEXT NOT NULL,
  modified TEXT,
  is_subscribed INTEGER NOT NULL DEFAULT 1,
  role TEXT,
  UNIQUE (parent_id, name));
CREATE INDEX IF NOT EXISTS file_nodes_parent_idx ON file_nodes (parent_id);
CREATE INDEX IF NOT EXISTS file_nodes_blob_idx ON file_nodes (blob_id);
CREATE TABLE IF NOT EXISTS sync_id_takeout (
  source_id INTEGER NOT NULL REFERENCES sources(id) ON DELETE CASCADE,
  type_name TEXT NOT NULL CHECK (type_name IN ('mailbox', 'email', 'addressbook', 'contactcard', 'calendar', 'calendarevent')),
  source_obj_id TEXT NOT NULL,
  local_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, type_name, source_obj_id),
  UNIQUE (source_id, type_name, local_id));
CREATE INDEX IF NOT EXISTS sync_id_takeout_type_idx ON sync_id_takeout (source_id, type_name);
)SQL";

const std::string_view kProvenanceSchema = R"SQL(
-- A mailbox of the source as the last complete pass saw it.
CREATE TABLE IF NOT EXISTS plan_mailbox (
  wire_name TEXT PRIMARY KEY,
  mailbox_id INTEGER NOT NULL,        -- mailboxes.id
  separator TEXT NOT NULL,
  is_selectable INTEGER NOT NULL,
  role TEXT,                          -- by SPECIAL-USE or name, also when another mailbox has it
  uidvalidity INTEGER NOT NULL DEFAULT 0,
  uidnext INTEGER NOT NULL DEFAULT 0,
  modseq INTEGER NOT NULL DEFAULT 0,  -- 0: not known, the next pass compares everything
  problem TEXT);
-- A message of the source, and what became of it on the target. Ids are never used again.
CREATE TABLE IF NOT EXISTS plan_item (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  wire_name TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  email_id INTEGER,                   -- emails.id; null: gone at the source, or not readable
  sha256 BLOB,
  bytes INTEGER NOT NULL DEFAULT 0,
  received_at TEXT NOT NULL DEFAULT '',
  keywords TEXT NOT NULL DEFAULT '[]',
  is_gone INTEGER NOT NULL DEFAULT 0,
  state INTEGER NOT NULL DEFAULT 0,   -- ItemState
  target_id TEXT,
  target_mailbox TEXT,
  target_keywords TEXT,
  is_proved INTEGER NOT NULL DEFAULT 0,
  problem TEXT,
  UNIQUE (wire_name, uidvalidity, uid));
CREATE INDEX IF NOT EXISTS plan_item_state_idx ON plan_item (state, is_gone);
CREATE INDEX IF NOT EXISTS plan_item_target_idx ON plan_item (target_id);
-- For the hold, whose statements may cost what changed and not what is there (item_state.h).
CREATE INDEX IF NOT EXISTS plan_item_unsettled_idx ON plan_item (id) WHERE is_gone = 1 OR state <> 2 OR is_proved = 0
  OR problem IS NOT NULL OR target_keywords IS NOT keywords;
CREATE INDEX IF NOT EXISTS plan_item_place_idx ON plan_item (wire_name, target_mailbox);
CREATE INDEX IF NOT EXISTS plan_item_unread_idx ON plan_item (wire_name, uidvalidity) WHERE email_id IS NULL;
CREATE INDEX IF NOT EXISTS plan_item_present_idx ON plan_item (wire_name, uidvalidity, is_gone);
CREATE TABLE IF NOT EXISTS plan_target_mailbox (
  wire_name TEXT PRIMARY KEY,
  target_id TEXT,                     -- null: about to be created
  name TEXT NOT NULL,
  parent_id TEXT,
  is_ours INTEGER NOT NULL);          -- made by plan: an undo destroys it
CREATE TABLE IF NOT EXISTS plan_target_script (
  name TEXT PRIMARY KEY,
  target_id TEXT,
  sha256 BLOB,
  is_ours INTEGER NOT NULL,
  problem TEXT);
-- A message that is on its way back to the source: here from before the append until a pass over the source has found it.
CREATE TABLE IF NOT EXISTS plan_carried (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  wire_name TEXT NOT NULL,
  target_id TEXT NOT NULL,
  target_mailbox TEXT NOT NULL,
  target_keywords TEXT NOT NULL,
  sha256 BLOB NOT NULL,               -- of the bytes that were appended
  received_at TEXT NOT NULL,
  uidvalidity INTEGER,                -- null: no answer yet
  uid INTEGER);
-- What a carry-back decided where both sides had changed, and what it could not carry.
CREATE TABLE IF NOT EXISTS plan_carry_note (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  wall_ms INTEGER NOT NULL,
  place TEXT NOT NULL,
  rule TEXT NOT NULL);
-- A calendar (kind 0) or an address book (1) of the source, and the folder at the target that stands for it.
CREATE TABLE IF NOT EXISTS plan_dav_collection (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind INTEGER NOT NULL,
  href TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  color TEXT NOT NULL DEFAULT '',
  is_gone INTEGER NOT NULL DEFAULT 0,
  target_id TEXT,
  is_wanted INTEGER NOT NULL DEFAULT 0,  -- a folder for it was asked for, and no answer is known
  is_ours INTEGER NOT NULL DEFAULT 0,    -- made by plan: an undo destroys it
  sync_token TEXT NOT NULL DEFAULT '');  -- of the state that was read last; none: the server gives none
-- An event or a card of the source with its text, and what became of it on the target.
CREATE TABLE IF NOT EXISTS plan_dav_item (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  collection_id INTEGER NOT NULL,
  href TEXT NOT NULL UNIQUE,
  etag TEXT NOT NULL DEFAULT '',
  text BLOB NOT NULL,
  sha256 BLOB NOT NULL,               -- of the text
  is_gone INTEGER NOT NULL DEFAULT 0,
  entry TEXT,                         -- the text as the target reads it (JSCalendar, JSContact)
  entry_sha256 BLOB,                  -- of the text that was read so
  target_id TEXT,
  pushed_sha256 BLOB,                 -- of the text whose entry is at the target
  target_digest BLOB,                 -- of the entry as plan left it there
  problem TEXT);
CREATE INDEX IF NOT EXISTS plan_dav_item_collection_idx ON plan_dav_item (collection_id);
-- The target's events (kind 0) and cards (1) as a whole reading found them; what came since is in the target's /changes.
CREATE TABLE IF NOT EXISTS plan_dav_entry (
  kind INTEGER NOT NULL,
  target_id TEXT NOT NULL,
  uid TEXT NOT NULL,
  folders TEXT NOT NULL,              -- JSON array of ids
  digest BLOB NOT NULL,
  PRIMARY KEY (kind, target_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plan_fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
)SQL";
// clang-format on

}  // namespace plan::archive
