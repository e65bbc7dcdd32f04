#include "runtime/rehearsal/delivery.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/local_delivery.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/mta_eval.h"
#include "runtime/rehearsal/smtp_client.h"

namespace plan::rehearsal {
namespace {

constexpr int kWorkers = 4;
// Minutes between attempts when the schedule says Default (split-delivery.md 7).
constexpr std::array<std::int64_t, 7> kRetryMinutes = {2, 5, 10, 15, 30, 60, 120};
constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kDayMs = 86'400'000;

std::string domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string{} : lower_ascii(address.substr(at + 1));
}

MtaFacts facts_of(const World& world, const QueuedMessage& message,
                  const QueuedRecipient& recipient) {
  MtaFacts out;
  out["rcpt"] = recipient.address;
  out["rcpt_domain"] = domain_of(recipient.address);
  out["sender"] = message.return_path;
  out["sender_domain"] = domain_of(message.return_path);
  out["retry_num"] = recipient.retries;
  out["notify_num"] = recipient.notifications;
  out["last_error"] = recipient.last_error;
  out["queue_name"] = recipient.queue_name;
  out["queue_age"] = world.clock.wall_ms() - message.created_at_ms;
  out["received_from_ip"] = message.received_from_ip;
  out["received_via_port"] = static_cast<int>(message.received_via_port);
  out["source"] = message.source;
  out["size"] = message.size;
  out["priority"] = 0;
  return out;
}

double speed_of(const World& world) {
  return world.options.schedule_speed > 0 ? world.options.schedule_speed : 1.0;
}

std::int64_t scaled(const World& world, std::int64_t ms) {
  return static_cast<std::int64_t>(static_cast<double>(ms) / speed_of(world));
}

const ir::Value* object_by_name(const World& world, std::string_view type, std::string_view name) {
  for (const auto& [id, object] : world.live->all(type))
    if (object["name"].string_or("") == name) return &object;
  return nullptr;
}

std::int64_t retry_delay(const World& world, const QueuedMessage& message,
                         const QueuedRecipient& recipient) {
  const std::string schedule(
      evaluate_live(world, "x:MtaOutboundStrategy", "schedule", facts_of(world, message, recipient))
          .string_or(""));
  const ir::Value* object = object_by_name(world, "x:MtaDeliverySchedule", schedule);
  const auto attempt = static_cast<std::size_t>(std::max<std::int64_t>(0, recipient.retries - 1));
  if (object != nullptr && (*object)["retry"]["@type"].string_or("") == "Custom") {
    const ir::Value& intervals = (*object)["retry"]["intervals"];
    const std::size_t at = std::min(attempt, intervals.size() - 1);
    return scaled(
        world, intervals[std::to_string(at)]["duration"].integer_or(kRetryMinutes[0] * kMinuteMs));
  }
  return scaled(world, kRetryMinutes[std::min(attempt, kRetryMinutes.size() - 1)] * kMinuteMs);
}

void schedule(const World& world, const QueuedMessage& message, QueuedRecipient& recipient) {
  const std::string name(
      evaluate_live(world, "x:MtaOutboundStrategy", "schedule", facts_of(world, message, recipient))
          .string_or(""));
  recipient.retry_at_ms = message.created_at_ms;
  recipient.notify_at_ms = message.created_at_ms + kDayMs;
  recipient.expires_at_ms = message.created_at_ms + scaled(world, 3 * kDayMs);
  recipient.queue_name = name.empty() ? "remote" : name;
  const ir::Value* object = object_by_name(world, "x:MtaDeliverySchedule", name);
  if (object == nullptr) return;
  const ir::Value& expiry = (*object)["expiry"];
  if (expiry["@type"].string_or("") == "Attempts") {
    recipient.expires_at_ms = 0;
    recipient.attempts_max = expiry["maxAttempts"].integer_or(5);
  } else {
    recipient.expires_at_ms =
        message.created_at_ms + scaled(world, expiry["expire"].integer_or(3 * kDayMs));
  }
  const auto queue = parse_id((*object)["queueId"].string_or("!"));
  for (const auto& [id, each] : world.live->all("x:MtaVirtualQueue"))
    if (queue && id == *queue) recipient.queue_name = each["name"].string_or(name);
}

// Into the queue; the lock is held and the caller commits.
QueuedMessage& add_to_queue(World& world, AcceptedMessage accepted) {
  QueuedMessage message;
  message.id = world.registry.next_id("x:QueuedMessage");
  message.created_at_ms = world.clock.wall_ms();
  message.blob = world.mail.put_blob(accepted.bytes);
  world.mail.refer(message.blob);
  message.size = accepted.bytes.size();
  message.return_path = std::move(accepted.return_path);
  message.source = std::move(accepted.source);
  message.received_from_ip = std::move(accepted.received_from_ip);
  message.received_via_port = accepted.received_via_port;
  message.is_authenticated = accepted.is_authenticated;
  for (std::string& address : accepted.recipients) {
    QueuedRecipient recipient;
    recipient.address = std::move(address);
    message.recipients.push_back(std::move(recipient));
  }
  for (QueuedRecipient& recipient : message.recipients) schedule(world, message, recipient);
  return world.queue->add(std::move(message));
}

std::string enhanced_of(const std::string& said) {
  const auto parts = split(said, ' ');
  return parts.size() > 1 && parts[1].size() >= 5 && parts[1][1] == '.' ? std::string(parts[1])
                                                                        : "5.0.0";
}

// RFC 3464, with what the sender needs to know.
void bounce(World& world, const QueuedMessage& message,
            const std::vector<std::pair<std::string, std::string>>& failed) {
  if (message.return_path.empty()) return;  // the bounce of a bounce is discarded
  const std::string from =
      "MAILER-DAEMON@" +
      (world.default_domain().empty() ? world.hostname() : world.default_domain());
  const std::string boundary =
      "=_rehearsal_" + encode_id(world.registry.next_id("x:QueuedMessage"));
  std::string text = "Your message could not be delivered to the following recipients:\r\n\r\n";
  std::string report = "Reporting-MTA: dns;" + world.hostname() +
                       "\r\nArrival-Date: " + show_mail_date(message.created_at_ms / 1000) +
                       "\r\n\r\n";
  for (const auto& [address, said] : failed) {
    text += "<" + address + "> (" + said + ")\r\n";
    report += "Final-Recipient: rfc822;" + address +
              "\r\nAction: failed\r\nStatus: " + enhanced_of(said) + "\r\nDiagnostic-Code: smtp;" +
              said + "\r\n\r\n";
  }
  AcceptedMessage out;
  out.recipients = {message.return_path};
  out.source = "dsn";
  out.received_from_ip = "127.0.0.1";
  out.bytes = "From: \"Mail Delivery Subsystem\" <" + from + ">\r\nTo: " + message.return_path +
              "\r\nAuto-Submitted: auto-generated\r\nSubject: Failed to deliver message\r\nDate: " +
              show_mail_date(world.now_seconds()) + "\r\nMessage-ID: <" + boundary + "@" +
              world.hostname() +
              ">\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; "
              "report-type=delivery-status; boundary=\"" +
              boundary + "\"\r\n\r\n--" + boundary +
              "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text + "\r\n--" + boundary +
              "\r\nContent-Type: message/delivery-status\r\n\r\n" + report + "--" + boundary +
              "\r\nContent-Type: message/rfc822\r\n\r\n" +
              world.mail.blob(message.blob).value_or("") + "\r\n--" + boundary + "--\r\n";
  static_cast<void>(add_to_queue(world, std::move(out)));
}

// Where a recipient goes now: asked anew at each attempt.
struct Route {
  bool is_local = false;
  RelayTarget target = {};
  std::string failure = {};  ///< no way to it for now
};

Route route_of(const World& world, const QueuedMessage& message, const QueuedRecipient& recipient) {
  const std::string name(
      evaluate_live(world, "x:MtaOutboundStrategy", "route", facts_of(world, message, recipient))
          .string_or(""));
  const ir::Value* object = object_by_name(world, "x:MtaRoute", name);
  const std::string_view kind =
      object != nullptr ? (*object)["@type"].string_or("") : (name == "local" ? "Local" : "Mx");
  Route route;
  route.target.hostname = world.hostname();
  if (kind == "Local") {
    route.is_local = true;
    return route;
  }
  if (kind == "Relay") {
    route.target.address = (*object)["address"].string_or("");
    route.target.port = static_cast<std::uint16_t>((*object)["port"].integer_or(25));
    route.target.is_lmtp = (*object)["protocol"].string_or("smtp") == "lmtp";
    route.target.is_tls_implicit = (*object)["implicitTls"].bool_or(false);
    route.target.are_invalid_certificates_allowed = (*object)["allowInvalidCerts"].bool_or(false);
    if ((*object)["authUsername"].is_string() &&
        (*object)["authSecret"]["@type"].string_or("") == "Value") {
      route.target.user = (*object)["authUsername"].string_or("");
      route.target.password = (*object)["authSecret"]["secret"].string_or("");
    }
    return route;
  }
  // Public MX: the rehearsal has one for all of the world, or none.
  const std::string& mx = world.options.outside_mx;
  const std::size_t colon = mx.rfind(':');
  if (colon == std::string::npos) {
    route.failure = "DNS record not found for " + domain_of(recipient.address);
    return route;
  }
  unsigned port = 25;
  std::from_chars(mx.data() + colon + 1, mx.data() + mx.size(), port);
  route.target.address = mx.substr(0, colon);
  route.target.port = static_cast<std::uint16_t>(port);
  const std::string strategy(
      evaluate_live(world, "x:MtaOutboundStrategy", "tls", facts_of(world, message, recipient))
          .string_or(""));
  const ir::Value* tls = object_by_name(world, "x:MtaTlsStrategy", strategy);
  route.target.are_invalid_certificates_allowed =
      tls != nullptr && (*tls)["allowInvalidCerts"].bool_or(false);
  route.target.may_be_loopback =
      true;  // named by whoever started the rehearsal, not by configuration
  return route;
}

ir::Value dns_error(const std::string& message, const std::string& domain) {
  return ir::Value::map({{"errorType", "dnsError"},
                         {"errorMessage", message},
                         {"errorCommand", {}},
                         {"responseHostname", domain},
                         {"responseCode", {}},
                         {"responseEnhanced", {}},
                         {"responseMessage", {}}});
}

}  // namespace

std::string enqueue(World& world, AcceptedMessage message) {
  const std::lock_guard lock(world.mutex);
  const std::uint64_t id = add_to_queue(world, std::move(message)).id;
  world.commit();
  std::array<char, 20> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), id, 16);
  return error == std::errc{} ? std::string(text.data(), end) : std::string{};
}

std::uint64_t queue_from_delivery(World& world, AcceptedMessage message) {
  return add_to_queue(world, std::move(message)).id;
}

struct DeliveryThread::State {
  explicit State(World& target_world) : world(target_world) {
    for (int i = 0; i < kWorkers; ++i) threads.emplace_back([this] { work(); });
  }

  ~State() {
    {
      const std::lock_guard lock(world.mutex);
      is_stopping = true;
    }
    world.changed.notify_all();
    for (std::thread& thread : threads) thread.join();
  }

  // The next message with a recipient that is due; how long until there is one otherwise.
  QueuedMessage* due(std::int64_t now, std::int64_t& wait_ms) {
    wait_ms = 5000;
    if (world.is_queue_paused) return nullptr;
    for (auto& [id, message] : world.queue->all()) {
      if (message.is_busy) continue;
      for (const QueuedRecipient& recipient : message.recipients) {
        if (recipient.state != RecipientState::scheduled &&
            recipient.state != RecipientState::temporary)
          continue;
        if (recipient.retry_at_ms <= now) return &message;
        wait_ms = std::min(wait_ms, recipient.retry_at_ms - now);
      }
    }
    return nullptr;
  }

  void work() {
    std::unique_lock lock(world.mutex);
    while (!is_stopping) {
      std::int64_t wait_ms = 0;
      QueuedMessage* message = due(world.clock.wall_ms(), wait_ms);
      if (message == nullptr) {
        world.changed.wait_for(lock, std::chrono::milliseconds(std::max<std::int64_t>(wait_ms, 1)));
        continue;
      }
      message->is_busy = true;
      attempt(lock, message->id);
    }
  }

  void attempt(std::unique_lock<std::mutex>& lock, std::uint64_t id) {
    QueuedMessage* message = world.queue->find(id);
    const std::int64_t now = world.clock.wall_ms();
    struct Remote {
      RelayTarget target;
      std::vector<std::string> recipients;
    };
    std::map<std::string, Remote> remotes;
    for (QueuedRecipient& recipient : message->recipients) {
      if ((recipient.state != RecipientState::scheduled &&
           recipient.state != RecipientState::temporary) ||
          recipient.retry_at_ms > now)
        continue;
      const Route route = route_of(world, *message, recipient);
      if (!route.failure.empty()) {
        RelayResult result;
        result.error = dns_error(route.failure, domain_of(recipient.address));
        result.last_error = "dns";
        result.said = route.failure;
        settle(*message, recipient, result);
      } else if (route.is_local) {
        settle(*message, recipient, deliver_locally(world, *message, recipient.address));
      } else {
        Remote& remote = remotes[route.target.address + ":" + std::to_string(route.target.port)];
        remote.target = route.target;
        remote.recipients.push_back(recipient.address);
      }
    }
    std::vector<Relayed> sessions;
    if (!remotes.empty()) {
      const std::string bytes = world.mail.blob(message->blob).value_or("");
      const std::string sender = message->return_path;
      world.commit();  // what was delivered here stays delivered, whatever happens over there
      std::map<std::string, RelayResult> results;
      lock.unlock();
      for (const auto& [name, remote] : remotes) {
        Relayed relayed = relay(remote.target, sender, remote.recipients, bytes);
        for (std::size_t i = 0; i < relayed.results.size(); ++i)
          results[remote.recipients[i]] = relayed.results[i];
        sessions.push_back(std::move(relayed));
      }
      lock.lock();
      message = world.queue->find(id);  // null: destroyed meanwhile
      if (message != nullptr)
        for (QueuedRecipient& recipient : message->recipients)
          if (const auto found = results.find(recipient.address); found != results.end())
            settle(*message, recipient, found->second);
    }
    if (message != nullptr) {
      finish(*message);
      world.commit();
    }
    if (sessions.empty()) return;
    lock.unlock();
    for (Relayed& relayed : sessions) quit(relayed);
    lock.lock();
  }

  void settle(const QueuedMessage& message, QueuedRecipient& recipient, const RelayResult& result) {
    ++recipient.retries;
    if (result.outcome == RelayOutcome::delivered) {
      recipient.state = RecipientState::done;
      return;
    }
    recipient.error = result.error;
    recipient.last_error = result.last_error;
    const std::int64_t now = world.clock.wall_ms();
    const bool is_expired =
        (recipient.expires_at_ms > 0 && now >= recipient.expires_at_ms) ||
        (recipient.attempts_max > 0 && recipient.retries >= recipient.attempts_max);
    if (result.outcome == RelayOutcome::permanent || is_expired) {
      recipient.state = RecipientState::failed;
      failed.emplace_back(message.id, std::pair(recipient.address, result.said));
      return;
    }
    recipient.state = RecipientState::temporary;
    recipient.retry_at_ms = now + retry_delay(world, message, recipient);
  }

  // After an attempt: bounce what failed, forget what is done.
  void finish(QueuedMessage& message) {
    std::vector<std::pair<std::string, std::string>> mine;
    for (const auto& [id, pair] : failed)
      if (id == message.id) mine.push_back(pair);
    std::erase_if(failed, [&message](const auto& each) { return each.first == message.id; });
    if (!mine.empty()) bounce(world, message, mine);
    std::erase_if(message.recipients, [](const QueuedRecipient& each) {
      return each.state == RecipientState::done || each.state == RecipientState::failed;
    });
    if (message.recipients.empty()) {
      world.mail.release(message.blob);
      world.queue->remove(message.id);
      return;
    }
    message.is_busy = false;
    world.queue->save(message);
  }

  World& world;
  bool is_stopping = false;  // guarded by the World's lock, as is `failed`
  std::vector<std::pair<std::uint64_t, std::pair<std::string, std::string>>> failed;
  std::vector<std::thread> threads;
};

DeliveryThread::DeliveryThread(World& world) : state_(std::make_unique<State>(world)) {}

DeliveryThread::~DeliveryThread() = default;

}  // namespace plan::rehearsal
