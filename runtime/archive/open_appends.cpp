#include "runtime/archive/open_appends.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "runtime/step/errors.h"

namespace plan::archive {
namespace {

constexpr std::chrono::milliseconds kLookAgain{250};

Result<std::vector<std::string>> mailboxes_without_answer(store::Database& database) {
  std::vector<std::string> names;
  // An answer leaves its UIDVALIDITY, 0 from a server without UIDPLUS.
  PLAN_TRY(rows, database.prepare(
                     "SELECT DISTINCT wire_name FROM plan_carried WHERE uidvalidity IS NULL"));
  while (true) {
    PLAN_TRY(has_row, rows.step());
    if (!has_row) return names;
    names.emplace_back(rows.text(0));
  }
}

/// What changes when a message is added; nothing for a mailbox that is not there.
Result<std::string> standing(net::imap::Client& client, const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const auto status = client.status(name);
    if (!status && !client.is_broken()) {
      text += "-\n";
      continue;
    }
    if (!status) return Error(status.error());
    text += fmt::format("{} {} {}\n", status->uid_validity.value_or(0),
                        status->uid_next.value_or(0), status->messages.value_or(0));
  }
  return text;
}

}  // namespace

Outcome settle_open_appends(ArchiveFile& archive, const ImapSource& source,
                            const SettleOptions& options) {
  PLAN_TRY(names, mailboxes_without_answer(archive.database()));
  if (names.empty()) return {};
  PLAN_TRY(client, source.connect());
  net::Clock& clock = *options.clock;
  const net::Clock::Monotonic began = clock.now();
  PLAN_TRY(seen, standing(*client, names));
  net::Clock::Monotonic changed = clock.now();
  while (clock.now() - changed < options.quiet) {
    if (options.is_stop_requested && options.is_stop_requested())
      return Error(step::errors::stopped, "stopped while the source was still busy")
          .with_retry(Retry::safe);
    if (clock.now() - began > options.bound) break;
    clock.sleep_for(kLookAgain);
    PLAN_TRY(now, standing(*client, names));
    if (now == seen) continue;
    seen = std::move(now);
    changed = clock.now();
  }
  client->logout();
  return {};
}

}  // namespace plan::archive
