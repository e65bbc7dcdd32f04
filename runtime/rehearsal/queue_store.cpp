#include "runtime/rehearsal/queue_store.h"

#include "compiler/ir/digest.h"
#include "runtime/rehearsal/ids.h"

namespace plan::rehearsal {
namespace {

std::string key_of(std::uint64_t id) { return "q/" + encode_id(id); }

}  // namespace

void QueueStore::load() {
  storage_->scan("q/", [this](std::string_view rest, const ir::Value& value) {
    QueuedMessage message;
    message.id = parse_id(rest).value_or(0);
    message.created_at_ms = value["created"].integer_or(0);
    bool is_valid = false;
    message.blob = ir::from_base64(value["blob"].string_or(""), &is_valid);
    message.size = static_cast<std::uint64_t>(value["size"].integer_or(0));
    message.return_path = value["from"].string_or("");
    message.source = value["source"].string_or("smtp");
    message.received_from_ip = value["ip"].string_or("");
    message.received_via_port = static_cast<std::uint16_t>(value["port"].integer_or(25));
    message.is_authenticated = value["authenticated"].bool_or(false);
    for (const ir::Value& each : value["recipients"].items()) {
      QueuedRecipient recipient;
      recipient.address = each["address"].string_or("");
      recipient.state = static_cast<RecipientState>(each["state"].integer_or(0));
      recipient.retry_at_ms = each["retry"].integer_or(0);
      recipient.notify_at_ms = each["notify"].integer_or(0);
      recipient.expires_at_ms = each["expires"].integer_or(0);
      recipient.attempts_max = each["attempts"].integer_or(0);
      recipient.retries = each["retries"].integer_or(0);
      recipient.notifications = each["notifications"].integer_or(0);
      recipient.queue_name = each["queue"].string_or("");
      recipient.last_error = each["last"].string_or("");
      recipient.error = each["error"];
      message.recipients.push_back(std::move(recipient));
    }
    messages_[message.id] = std::move(message);
  });
}

QueuedMessage& QueueStore::add(QueuedMessage message) {
  QueuedMessage& stored = messages_[message.id] = std::move(message);
  save(stored);
  return stored;
}

void QueueStore::save(const QueuedMessage& message) {
  ir::Value recipients = ir::Value::list();
  for (const QueuedRecipient& each : message.recipients)
    recipients.push_back(ir::Value::map({{"address", each.address},
                                         {"state", static_cast<int>(each.state)},
                                         {"retry", each.retry_at_ms},
                                         {"notify", each.notify_at_ms},
                                         {"expires", each.expires_at_ms},
                                         {"attempts", each.attempts_max},
                                         {"retries", each.retries},
                                         {"notifications", each.notifications},
                                         {"queue", each.queue_name},
                                         {"last", each.last_error},
                                         {"error", each.error}}));
  storage_->put(key_of(message.id),
                ir::Value::map({{"created", message.created_at_ms},
                                {"blob", ir::to_base64(message.blob)},
                                {"size", message.size},
                                {"from", message.return_path},
                                {"source", message.source},
                                {"ip", message.received_from_ip},
                                {"port", static_cast<int>(message.received_via_port)},
                                {"authenticated", message.is_authenticated},
                                {"recipients", std::move(recipients)}}));
}

void QueueStore::remove(std::uint64_t id) {
  messages_.erase(id);
  storage_->remove(key_of(id));
}

QueuedMessage* QueueStore::find(std::uint64_t id) {
  const auto found = messages_.find(id);
  return found == messages_.end() ? nullptr : &found->second;
}

}  // namespace plan::rehearsal
