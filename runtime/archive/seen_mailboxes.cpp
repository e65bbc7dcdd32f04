#include "runtime/archive/seen_mailboxes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/archive/limits.h"
#include "runtime/step/durable_write.h"

namespace plan::archive {
namespace {

/// ManageSieve is one more login and a list: about half of an IMAP login with its mailboxes.
constexpr double kScriptsFactor = 1.5;
constexpr std::uint64_t kScannedPerSecond = 20'000;
/// Events and cards that the target shows and plan compares.
constexpr double kEntriesPerMs = 5;

}  // namespace

void SeenMailboxes::put(const std::string& account, Figures figures) {
  const std::lock_guard lock(mutex_);
  by_account_[account] = figures;
}

void SeenMailboxes::predict(const step::StepContext& context, const std::string& account,
                            const Work& work, double call_ms, ir::Observation& seen) {
  const std::lock_guard lock(mutex_);
  const auto found = by_account_.find(account);
  if (found == by_account_.end()) return;
  const Figures& figures = found->second;
  if (!write_ms_)
    write_ms_ = step::durable_write_ms(std::string(context.state_directory), context.clock);
  // One look may have waited for its turn; all of them tell what a call takes.
  calls_ms_ += call_ms;
  ++calls_;
  const double call = calls_ms_ / calls_;
  const std::uint64_t scan = figures.has_qresync ? 0 : figures.messages * 1000 / kScannedPerSecond;
  const double rest = work.calls * call + work.writes * *write_ms_;
  const SeenMailboxes::Calendars& dav = figures.calendars;
  const double entries =
      dav.scan_ms + dav.calls * call + static_cast<double>(dav.entries) / kEntriesPerMs;
  seen.hold_ms =
      static_cast<std::uint64_t>(figures.scan_ms * kScriptsFactor + rest + entries + 0.5) + scan;
  seen.hold_basis = fmt::format(
      "{} mailboxes opened in {:.0f} ms, and the scripts, {} calls of the target of {:.0f} ms, {} "
      "writes to the archive of {:.1f} ms",
      figures.mailboxes, figures.scan_ms, work.calls, call, work.writes, *write_ms_);
  if (scan > 0)
    seen.hold_basis +=
        fmt::format(", {} messages compared without QRESYNC in {} ms", figures.messages, scan);
  if (dav.calls > 0)
    seen.hold_basis += fmt::format(
        ", {} calendars and address books listed in {:.0f} ms, {} calls of the target for their {} "
        "entries",
        dav.collections, dav.scan_ms, dav.calls, dav.entries);
}

Result<std::optional<SeenMailboxes::Calendars>> look_at_calendars(const DavSource& source,
                                                                  net::Clock& clock) {
  std::optional<SeenMailboxes::Calendars> look;
  // The first one wakes the server up; what its passes in the hold take is what the second does.
  for (const bool is_timed : {false, true}) {
    SeenMailboxes::Calendars seen;
    const auto begun = clock.now();
    PLAN_TRY(client, source.connect());
    PLAN_TRY(homes, client.homes(source.path).while_doing("looking for calendars and contacts"));
    if (!homes.is_there) return look;
    std::array<std::uint64_t, 2> entries = {};
    std::array<bool, 2> has_some = {};
    for (const net::dav::Collection& collection : homes.collections) {
      const auto kind = static_cast<std::size_t>(collection.kind);
      has_some.at(kind) = true;
      ++seen.collections;
      const auto listed = client.list(collection);
      if (listed) entries.at(kind) += listed->size();  // else the copy names it
    }
    seen.scan_ms = std::chrono::duration<double, std::milli>(clock.now() - begun).count();
    for (std::size_t kind = 0; kind < entries.size(); ++kind) {
      if (!has_some.at(kind)) continue;
      seen.entries += entries.at(kind);
      // Its folders, the ids, and the entries by pages.
      seen.calls += 2 + static_cast<int>((entries.at(kind) + kGetBatch - 1) / kGetBatch);
    }
    if (is_timed) look = seen;
  }
  return look;
}

Result<MailboxesLook> look_at_mailboxes(const ImapSource& source, net::Clock& clock) {
  MailboxesLook look;
  const auto begun = clock.now();
  PLAN_TRY(client, source.connect());
  PLAN_TRY(mailboxes, client->list());
  std::chrono::duration<double, std::milli> took = clock.now() - begun;
  std::uint64_t bytes = 0;
  bool has_sizes = true;
  for (const net::imap::MailboxInfo& mailbox : mailboxes) {
    if (!mailbox.is_selectable()) continue;
    const auto status = client->status(mailbox.wire_name);
    if (!status) {
      if (client->is_broken()) return status.error();
      look.remark = "a mailbox cannot be read: " + status.error().detail();
      continue;
    }
    ++look.figures.mailboxes;
    look.figures.messages += status->messages.value_or(0);
    bytes += status->size_bytes.value_or(0);
    has_sizes = has_sizes && status->size_bytes.has_value();
  }
  if (has_sizes) look.bytes = bytes;
  // STATUS adds up sizes, which the hold does not ask for; and its passes come behind others, when
  // the server has at hand what it read for the first one.
  for (const bool is_timed : {false, true}) {
    const auto opening = clock.now();
    for (const net::imap::MailboxInfo& mailbox : mailboxes) {
      if (!mailbox.is_selectable()) continue;
      const auto selected = client->select(mailbox.wire_name);
      if (!selected && client->is_broken()) return selected.error();
    }
    if (is_timed) took += clock.now() - opening;
  }
  look.figures.scan_ms = took.count();
  look.figures.has_qresync = client->has("QRESYNC");
  client->logout();
  return look;
}

}  // namespace plan::archive
