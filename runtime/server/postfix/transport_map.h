#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/server/source/shared_write.h"

namespace plan::server::source {
class Source;
}

namespace plan::server::postfix {

/// Entries of a map by key.
using MapEntries = std::map<std::string, std::string>;

/// Reads the text that postmap(1) reads: `key value` lines, `#` comments, lines that begin with
/// blanks continue the one before; keys in lower case. A line without a value is skipped, as
/// postmap does.
[[nodiscard]] MapEntries parse_map(std::string_view text);
/// Sorted, with a line that says whose file it is.
[[nodiscard]] std::string map_text(const MapEntries& entries);
/// Whether this can be the key of an entry: no blanks, no control characters, no leading `#`.
[[nodiscard]] bool is_map_key(std::string_view key);
/// Where the text of a map ends up, by its type: "hash" -> ".db".
[[nodiscard]] std::string_view map_suffix(std::string_view type);

/// The transport map that belongs to plan: the one writer of it on this source. Changes of many
/// accounts go into one write and one reload, at most one a second. An entry is *live* when a
/// reload has followed the write: the digest of the text that was reloaded stands beside it
/// (`FILE.live`), so that a crash in between is seen. Thread-safe.
class TransportMap {
 public:
  TransportMap(source::Source& source, std::string path);

  struct State {
    MapEntries entries = {};
    bool exists = false;
    bool is_live = false;
  };
  [[nodiscard]] Result<State> look();
  /// The same, but not in the middle of another account's change: while the file is newer than the
  /// reload it looks again, until `until`. Not live then: no reload follows.
  [[nodiscard]] Result<State> look_settled(net::Deadline until);

  /// One entry as it shall be; nothing: removed.
  struct Change {
    std::string key = {};
    std::optional<std::string> value = {};
    /// When given, the change is refused (changed-since) unless the entry is one of these or
    /// `value` already.
    std::optional<std::vector<std::optional<std::string>>> only_over = {};
    /// The account's mail is held, and nobody waits for that. Such changes go one by one, each with
    /// the reload of a change for which clients wait, while one is expected: so accounts that move
    /// side by side do not make each other wait for the next reload.
    bool is_patient = false;
  };
  /// Writes, reloads, and returns the source's clock (seconds) at a moment after the reload. When
  /// nothing differs and the map is live nothing is written. Errors: changed-since, not-a-map-key,
  /// source-command-failed, those of Host; after one of the latter the map holds the old entry or
  /// the new one, and may not be live.
  [[nodiscard]] Result<std::int64_t> change(const Change& change);
  /// Makes the file if there is none, and its database; no reload.
  [[nodiscard]] Outcome create();
  /// "hash:/etc/postfix/plan_transport", as main.cf names it.
  [[nodiscard]] Result<std::string> reference();
  /// What Postfix's own lookup finds; empty when nothing.
  [[nodiscard]] Result<std::string> query(const std::string& key);

 private:
  struct Request {
    const Change* change = nullptr;
    net::Clock::Monotonic since = {};
    std::optional<Error> refusal = {};
    std::int64_t live_seconds = 0;
  };
  [[nodiscard]] Outcome write(std::vector<Request*>& requests);
  [[nodiscard]] std::vector<Request*> pick(const std::vector<Request*>& ready);
  [[nodiscard]] Result<std::string> type();
  /// Database, and with `is_reload` reload and stamp; the source's clock afterwards.
  [[nodiscard]] Result<std::int64_t> activate(bool is_reload);

  source::Source& source_;
  const std::string path_;
  std::mutex mutex_;
  std::optional<std::string> type_;
  /// Keys of accounts that are held now, and since when: the change that forwards them comes next.
  std::map<std::string, net::Clock::Monotonic> expected_;
  source::SharedWrite<Request> writes_;
};

}  // namespace plan::server::postfix
