#include "runtime/server/postfix/postfix_queue.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/connect_once.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/server/source/source.h"

namespace plan::server::postfix {
namespace {

using source::errors::bad_queue_listing;

QueueName queue_by_name(std::string_view name) {
  if (name == "active") return QueueName::active;
  if (name == "incoming") return QueueName::incoming;
  if (name == "deferred") return QueueName::deferred;
  if (name == "hold") return QueueName::hold;
  if (name == "maildrop") return QueueName::maildrop;
  return QueueName::other;
}

/// Short ids are upper case hexadecimal, long ones letters and digits (enable_long_queue_ids).
bool is_queue_id(std::string_view id) {
  return !id.empty() && id.size() <= 32 && std::all_of(id.begin(), id.end(), [](char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z');
  });
}

/// What an SMTP client wrote into an address comes out as it went in, valid UTF-8 or not.
std::string as_utf8(std::string_view line) {
  std::string text(line);
  std::size_t from = 0;
  while (const auto bad = first_invalid_utf8(std::string_view(text).substr(from))) {
    text[from + *bad] = '?';
    from += *bad + 1;
  }
  return text;
}

Error bad_line(std::size_t number, std::string_view why, std::string_view line) {
  return Error(bad_queue_listing, fmt::format("line {} of the queue listing {}", number, why))
      .with_blame(Blame::source)
      .with_retry(Retry::safe)
      .with_detail(line.substr(0, 200));
}

}  // namespace

Result<QueueSnapshot> parse_queue(std::string_view listing) {
  QueueSnapshot queue;
  std::size_t number = 0;
  while (!listing.empty()) {
    ++number;
    const std::size_t end = listing.find('\n');
    const std::string_view line = listing.substr(0, end);
    if (end == std::string_view::npos) return bad_line(number, "is cut", line);
    listing.remove_prefix(end + 1);
    if (trim(line).empty()) continue;
    auto parsed =
        ir::parse_json(as_utf8(line), {.bytes_max = source::kQueueBytesMax, .depth_max = 8});
    if (!parsed) return bad_line(number, "is no JSON", line);
    const ir::Value& document = *parsed;
    QueueEntry entry;
    entry.id = document["queue_id"].string_or({});
    if (!is_queue_id(entry.id)) return bad_line(number, "has no queue id", line);
    if (!document["recipients"].is_list()) return bad_line(number, "has no recipients", line);
    entry.queue = queue_by_name(document["queue_name"].string_or({}));
    entry.arrival_seconds = document["arrival_time"].integer_or(0);
    entry.size_bytes = static_cast<std::uint64_t>(
        std::max<std::int64_t>(document["message_size"].integer_or(0), 0));
    entry.sender = document["sender"].string_or({});
    for (const ir::Value& recipient : document["recipients"].items()) {
      entry.recipients.push_back(
          {.address = std::string(recipient["address"].string_or({})),
           .delay_reason = std::string(recipient["delay_reason"].string_or({}))});
    }
    queue.push_back(std::move(entry));
  }
  return queue;
}

std::string plain_address(std::string_view address, std::string_view delimiters) {
  std::string plain = lower_ascii(address);
  const std::size_t at = plain.rfind('@');
  const std::size_t local_size = at == std::string::npos ? plain.size() : at;
  // An address that begins with a delimiter is all local part.
  for (std::size_t index = 1; index < local_size; ++index) {
    if (delimiters.find(plain[index]) != std::string_view::npos) {
      plain.erase(index, local_size - index);
      break;
    }
  }
  return plain;
}

bool names_account(const QueueEntry& entry, const std::vector<std::string>& addresses,
                   std::string_view delimiters) {
  return std::any_of(
      entry.recipients.begin(), entry.recipients.end(), [&](const QueueRecipient& recipient) {
        const std::string whole = lower_ascii(recipient.address);
        const std::string plain = plain_address(whole, delimiters);
        return std::any_of(addresses.begin(), addresses.end(), [&](const std::string& address) {
          return address == whole || address == plain;
        });
      });
}

std::vector<std::string> ids_naming(const QueueSnapshot& queue,
                                    const std::vector<std::string>& addresses,
                                    std::string_view delimiters) {
  std::vector<std::string> ids;
  for (const QueueEntry& entry : queue) {
    if (names_account(entry, addresses, delimiters)) ids.push_back(entry.id);
  }
  return ids;
}

bool is_drained(const QueueSnapshot& queue, const std::vector<std::string>& addresses,
                std::int64_t until_seconds, std::string_view delimiters) {
  return std::none_of(queue.begin(), queue.end(), [&](const QueueEntry& entry) {
    const bool is_moving = entry.queue == QueueName::active || entry.queue == QueueName::incoming;
    return is_moving && entry.arrival_seconds <= until_seconds &&
           names_account(entry, addresses, delimiters);
  });
}

std::vector<std::string> ids_put_off(const QueueSnapshot& queue,
                                     const std::vector<std::string>& addresses,
                                     std::int64_t until_seconds, std::string_view delimiters) {
  std::vector<std::string> ids;
  for (const QueueEntry& entry : queue) {
    if (ids.size() == source::kFlushByIdMax) break;
    if (entry.queue == QueueName::incoming && entry.arrival_seconds <= until_seconds &&
        names_account(entry, addresses, delimiters)) {
      ids.push_back(entry.id);
    }
  }
  return ids;
}

Result<std::shared_ptr<const QueueSnapshot>> Queue::read() {
  return listing_.get([this]() -> Result<QueueSnapshot> {
    net::CommandOptions options;
    options.output_bytes_max = source::kQueueBytesMax;
    // Of a Postfix that is down it waits for seconds, for each account of a look at the world.
    net::ConnectTurn turn(fmt::format("queue {}", source_.host(source::Place::postfix).name()));
    if (turn.refusal()) return Error(*turn.refusal());
    auto listing =
        source_.run(source::Place::postfix, source_.postfix("postqueue", {"-j"}), options)
            .while_doing("listing the source's queue");
    if (!listing) {
      turn.not_connected(listing.error());
      return std::move(listing).error();
    }
    turn.answered();
    return parse_queue(*listing);
  });
}

Outcome Queue::flush(const std::vector<std::string>& ids) {
  if (ids.empty()) return {};
  if (ids.size() > source::kFlushByIdMax) {
    PLAN_TRY_VOID(source_.run(source::Place::postfix, source_.postfix("postqueue", {"-f"}))
                      .while_doing("flushing the source's queue"));
    return {};
  }
  std::vector<std::string> command = {
      "sh", "-c", R"sh(p=$1 c=$2; shift 2; for id; do "$p" -c "$c" -i "$id"; done)sh", "sh"};
  const std::vector<std::string> postqueue = source_.postfix("postqueue", {});
  command.push_back(postqueue.front());
  command.push_back(postqueue.back());
  for (const std::string& id : ids) {
    if (!is_queue_id(id)) return bad_line(0, "was asked for an id that is none", id);
    command.push_back(id);
  }
  PLAN_TRY_VOID(source_.run(source::Place::postfix, command)
                    .while_doing("flushing messages of the source's queue"));
  return {};
}

Outcome Queue::remove(const std::vector<std::string>& ids) {
  if (ids.empty()) return {};
  std::string input;
  for (const std::string& id : ids) {
    if (!is_queue_id(id)) return bad_line(0, "was asked for an id that is none", id);
    input += id + "\n";
  }
  net::CommandOptions options;
  options.input = std::move(input);
  PLAN_TRY_VOID(
      source_.run(source::Place::postfix, source_.postfix("postsuper", {"-d", "-"}), options)
          .while_doing("removing probes from the source's queue"));
  return {};
}

Result<std::string> Queue::delimiters() {
  {
    const std::lock_guard lock(mutex_);
    if (delimiters_) return *delimiters_;
  }
  PLAN_TRY(text, source_.postconf_expanded("recipient_delimiter"));
  const std::lock_guard lock(mutex_);
  delimiters_ = text;
  return text;
}

Result<std::string> Queue::message(const std::string& id) {
  if (!is_queue_id(id)) return bad_line(0, "was asked for an id that is none", id);
  return source_.run(
      source::Place::postfix,
      {"sh", "-c", R"sh("$1" -c "$2" -hbq "$3" | head -c 65536)sh", "sh",
       source_.postfix("postcat", {}).front(), source_.block().postfix_directory, id});
}

}  // namespace plan::server::postfix
