#pragma once
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/text.h"
#include "tests/support/fake_backend.h"

namespace plan::test {

/// How an old Stalwart takes mail, routes it and keeps it in its queue: accepted, tried at once by
/// the routing of that moment, tried again two minutes after a refusal. Time is the test's. Not
/// thread-safe by itself.
class OldMail {
 public:
  struct Recipient {
    std::string address = {};
    std::string refusal = {};  ///< empty: not tried yet
    int tries = 0;
    std::int64_t next_try = 0;
  };
  struct Message {
    std::uint64_t id = 0;
    std::string sender = {};
    std::vector<Recipient> recipients = {};
    std::int64_t created = 0;
    std::string text = {};
  };
  static constexpr std::int64_t kFirstRetry = 120;

  /// Which route an address takes now, and what comes of it: "" delivered there, else the refusal.
  std::function<std::string(const std::string& address)> route = {};
  std::function<std::string(const std::string& route)> refusal = {};
  std::int64_t now = 1'795'000'000;
  bool is_running = true;
  /// Deliveries that have begun do not end by themselves: the test ends them.
  bool is_slow = false;
  std::set<std::uint64_t> is_stuck = {};  ///< messages whose delivery does not end by itself
  std::vector<Message> queue = {};
  std::map<std::string, std::vector<std::string>> delivered = {};  ///< texts, by route and address
  std::set<std::string> unknown = {};                              ///< recipients that are refused

  std::uint64_t accept(const std::string& sender, const std::vector<std::string>& recipients,
                       const std::string& text) {
    Message message{.id = next_id_++, .sender = sender, .created = now, .text = text};
    for (const std::string& address : recipients)
      message.recipients.push_back({.address = address, .next_try = now});
    queue.push_back(std::move(message));
    if (!is_slow) run();
    return next_id_ - 1;
  }

  /// Tries what is due.
  void run() {
    if (!is_running) return;
    for (Message& message : queue) {
      if (is_stuck.contains(message.id)) continue;
      std::erase_if(message.recipients, [&](Recipient& recipient) {
        if (recipient.next_try > now) return false;
        const std::string address = lower_ascii(recipient.address);
        const std::string way = route(address);
        recipient.refusal = refusal(way);
        if (recipient.refusal.empty()) {
          delivered[way + ":" + address].push_back(message.text);
          return true;
        }
        ++recipient.tries;
        recipient.next_try = now + kFirstRetry;
        return false;
      });
    }
    std::erase_if(queue, [](const Message& message) { return message.recipients.empty(); });
  }

  [[nodiscard]] ir::Value listed(const Message& message) const {
    ir::Value recipients = ir::Value::list();
    for (const Recipient& one : message.recipients) {
      ir::Value status = one.refusal.empty() ? ir::Value("scheduled")
                                             : ir::Value::map({{"temp_fail", one.refusal}});
      recipients.push_back(ir::Value::map({{"address", one.address},
                                           {"queue", "local"},
                                           {"status", std::move(status)},
                                           {"retry_num", one.tries},
                                           {"next_retry", date(one.next_try)},
                                           {"next_notify", date(message.created + 86'400)},
                                           {"expires", date(message.created + 259'200)}}));
    }
    return ir::Value::map({{"id", static_cast<std::int64_t>(message.id)},
                           {"return_path", message.sender},
                           {"recipients", std::move(recipients)},
                           {"created", date(message.created)},
                           {"size", static_cast<std::int64_t>(message.text.size())},
                           {"blob_hash", "hash" + std::to_string(message.id)}});
  }

  /// "2026-11-23T09:51:53Z"
  static std::string date(std::int64_t seconds);

 private:
  std::uint64_t next_id_ = 342'144'883'414'270'221;
};

inline std::string OldMail::date(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

/// The port 25 of it. `take` is called from the connections' threads.
inline FakeBackend::Handler old_smtp(
    const std::function<std::optional<std::uint64_t>(const std::string& sender,
                                                     const std::vector<std::string>& recipients,
                                                     const std::string& text)>& take) {
  return [take](net::SocketStream& stream, net::LineReader& reader, FakeBackend&) {
    const auto deadline = [] { return net::Deadline::after(std::chrono::seconds(20)); };
    const auto address_in = [](const std::string& line) {
      const std::size_t begin = line.find('<');
      const std::size_t end = line.find('>');
      return begin == std::string::npos || end == std::string::npos
                 ? std::string()
                 : line.substr(begin + 1, end - begin - 1);
    };
    if (!say(stream, "220 old.source.test Stalwart ESMTP at your service\r\n")) return;
    std::string sender;
    std::vector<std::string> recipients;
    while (true) {
      auto line = reader.line(deadline());
      if (!line) return;
      const std::string word = lower_ascii(line->substr(0, 4));
      if (word == "ehlo") {
        say(stream, "250-old.source.test you had me at EHLO\r\n250 8BITMIME\r\n");
      } else if (word == "mail") {
        sender = address_in(*line);
        recipients.clear();
        say(stream, "250 2.1.0 OK\r\n");
      } else if (word == "rcpt") {
        recipients.push_back(address_in(*line));
        say(stream, "250 2.1.5 OK\r\n");
      } else if (word == "data") {
        say(stream, "354 Start mail input; end with <CRLF>.<CRLF>\r\n");
        std::string text;
        while (true) {
          auto part = reader.line(deadline());
          if (!part) return;
          if (*part == ".") break;
          text += *part + "\r\n";
        }
        const auto id = take(sender, recipients, text);
        if (id) {
          std::array<char, 32> hex{};
          std::snprintf(hex.data(), hex.size(), "%llx", static_cast<unsigned long long>(*id));
          say(stream, std::string("250 2.0.0 Message queued with id ") + hex.data() + ".\r\n");
        } else {
          say(stream, "550 5.1.2 Mailbox does not exist.\r\n");
        }
      } else if (word == "quit") {
        say(stream, "221 2.0.0 Bye.\r\n");
        return;
      } else {
        say(stream, "500 5.5.1 Invalid command.\r\n");
      }
    }
  };
}

}  // namespace plan::test
