#include "runtime/server/stalwart15/old_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/net/imap/date.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/server/stalwart15/limits.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Value;

Error no_message(std::string_view what) {
  return Error(errors::old_call_failed,
               fmt::format("GET /api/queue/messages gives a message without {}", what))
      .with_blame(Blame::source);
}

std::int64_t seconds_of(const Value& date) {
  const auto read = net::imap::parse_rfc3339(date.string_or(""));
  return read ? read->unix_seconds : 0;
}

/// Lower case, without what follows the first `+` of the local part.
std::string without_tag(std::string_view address) {
  std::string plain = lower_ascii(address);
  const std::size_t at = std::min(plain.rfind('@'), plain.size());
  const std::size_t plus = plain.find('+');
  if (plus != std::string::npos && plus > 0 && plus < at) plain.erase(plus, at - plus);
  return plain;
}

bool names_recipient(const OldRecipient& recipient, const std::vector<std::string>& addresses) {
  if (!recipient.is_open) return false;
  const std::string whole = lower_ascii(recipient.address);
  const std::string plain = without_tag(recipient.address);
  return std::any_of(addresses.begin(), addresses.end(), [&](const std::string& address) {
    return address == whole || address == plain;
  });
}

}  // namespace

Result<OldMessage> read_queued(const Value& object) {
  OldMessage message;
  if (!object["id"].is_integer() || object["id"].as_integer() < 0) return no_message("an id");
  message.id = static_cast<std::uint64_t>(object["id"].as_integer());
  message.created_seconds = seconds_of(object["created"]);
  if (message.created_seconds == 0) return no_message("a time");
  message.size_bytes =
      static_cast<std::uint64_t>(std::max<std::int64_t>(object["size"].integer_or(0), 0));
  message.sender = object["return_path"].string_or("");
  message.blob_hash = object["blob_hash"].string_or("");
  if (!object["recipients"].is_list()) return no_message("recipients");
  for (const Value& one : object["recipients"].items()) {
    OldRecipient recipient;
    recipient.address = one["address"].string_or("");
    const Value& status = one["status"];
    const Value& refusal = status["temp_fail"];
    // A word that is not known means that it is not done with.
    recipient.is_open = status["completed"].is_null() && status["perm_fail"].is_null();
    recipient.was_refused = !refusal.is_null();
    recipient.reason = printable(refusal.string_or(""), 300);
    recipient.next_try_seconds = seconds_of(one["next_retry"]);
    message.recipients.push_back(std::move(recipient));
  }
  return message;
}

bool names_account(const OldMessage& message, const std::vector<std::string>& addresses) {
  return std::any_of(
      message.recipients.begin(), message.recipients.end(),
      [&](const OldRecipient& recipient) { return names_recipient(recipient, addresses); });
}

bool is_drained(const std::vector<OldMessage>& messages, const std::vector<std::string>& addresses,
                std::int64_t until_seconds) {
  return std::none_of(messages.begin(), messages.end(), [&](const OldMessage& message) {
    return std::any_of(message.recipients.begin(), message.recipients.end(),
                       [&](const OldRecipient& recipient) {
                         return recipient.next_try_seconds <= until_seconds &&
                                names_recipient(recipient, addresses);
                       });
  });
}

std::uint64_t queue_id_in(std::string_view reply) {
  constexpr std::string_view kMark = "queued with id ";
  const std::size_t at = reply.find(kMark);
  if (at == std::string_view::npos) return 0;
  const std::string_view digits = reply.substr(at + kMark.size());
  std::uint64_t id = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
  return id;
}

Result<std::shared_ptr<const OldQueue::Snapshot>> OldQueue::read() {
  return listing_.get([this] { return list(); });
}

Result<OldQueue::Snapshot> OldQueue::list() {
  Snapshot snapshot;
  std::uint64_t from = 0;
  while (true) {
    PLAN_TRY(page, server_.queue_page(from, kQueuePageSize));
    snapshot.is_running = page.is_running;
    for (const Value& object : page.messages) {
      PLAN_TRY(message, read_queued(object));
      // Else the next page would be this one again.
      if (message.id < from) return no_message("an id in its order");
      from = message.id + 1;
      snapshot.messages.push_back(std::move(message));
    }
    if (page.messages.size() < kQueuePageSize) break;
    if (snapshot.messages.size() >= kQueuedMessagesMax) {
      return Error(errors::old_call_failed,
                   fmt::format("the old server's queue has more than {} messages",
                               show_count(kQueuedMessagesMax)))
          .with_blame(Blame::source);
    }
  }
  return snapshot;
}

Result<bool> OldQueue::contains(const OldMessage& message, std::string_view text) {
  PLAN_TRY(begin, server_.message_text(message.blob_hash, kProbeBytesMax));
  return begin.find(text) != std::string::npos;
}

}  // namespace plan::server::stalwart15
