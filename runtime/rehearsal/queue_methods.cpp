// x:QueuedMessage/get, query, set (split-delivery.md 7).
#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/queue_store.h"
#include "runtime/rehearsal/registry_methods.h"

namespace plan::rehearsal {
namespace {

ir::Value time_of(std::int64_t ms) { return show_rfc3339(ms / 1000); }

ir::Value show_recipient(const QueuedRecipient& recipient) {
  ir::Value status = ir::Value::map();
  if (recipient.state == RecipientState::scheduled) {
    status.set("@type", "Scheduled");
  } else {
    for (const char* name : {"errorType", "errorMessage", "errorCommand", "responseHostname",
                             "responseCode", "responseEnhanced", "responseMessage"})
      status.set(name, recipient.error[name]);
    status.set("@type",
               recipient.state == RecipientState::failed ? "PermanentFailure" : "TemporaryFailure");
  }
  ir::Value expires =
      recipient.expires_at_ms > 0
          ? ir::Value::map({{"expiresAt", time_of(recipient.expires_at_ms)}, {"@type", "Ttl"}})
          : ir::Value::map({{"expiresAttempts", recipient.attempts_max}, {"@type", "Attempts"}});
  return ir::Value::map({{"retryCount", recipient.retries},
                         {"retryDue", time_of(recipient.retry_at_ms)},
                         {"notifyCount", recipient.notifications},
                         {"notifyDue", time_of(recipient.notify_at_ms)},
                         {"expires", std::move(expires)},
                         {"queueName", recipient.queue_name},
                         {"status", std::move(status)},
                         {"flags", ir::Value::map()},
                         {"orcpt", {}}});
}

ir::Value show(const QueuedMessage& message, const ir::Value& properties) {
  ir::Value recipients = ir::Value::map();
  std::int64_t retry = 0;
  std::int64_t notify = 0;
  for (const QueuedRecipient& each : message.recipients) {
    if (each.state == RecipientState::done) continue;
    recipients.set(each.address, show_recipient(each));
    if (retry == 0 || each.retry_at_ms < retry) retry = each.retry_at_ms;
    if (notify == 0 || each.notify_at_ms < notify) notify = each.notify_at_ms;
  }
  ir::Value all = ir::Value::map(
      {{"createdAt", time_of(message.created_at_ms)},
       {"nextRetry", retry == 0 ? ir::Value() : time_of(retry)},
       {"nextNotify", notify == 0 ? ir::Value() : time_of(notify)},
       {"blobId", email_blob_id(message.blob, kAdministratorId, 1)},
       {"returnPath", message.return_path},
       {"recipients", std::move(recipients)},
       {"receivedFromIp", message.received_from_ip},
       {"receivedViaPort", static_cast<int>(message.received_via_port)},
       {"flags",
        ir::Value::map({{message.is_authenticated ? "authenticated" : "unauthenticated", true}})},
       {"envId", {}},
       {"priority", 0},
       {"size", message.size},
       {"id", encode_id(message.id)}});
  if (!properties.is_list() || properties.size() == 0) return all;
  ir::Value out = ir::Value::map();
  for (const ir::Value& name : properties.items())
    if (const ir::Value* member = all.members().find(name.string_or("")))
      out.set(std::string(name.string_or("")), *member);
  out.set("id", encode_id(message.id));
  return out;
}

// When a message is looked at next.
std::int64_t due_of(const QueuedMessage& message) {
  std::int64_t due = 0;
  for (const QueuedRecipient& each : message.recipients)
    if (each.state != RecipientState::done && (due == 0 || each.retry_at_ms < due))
      due = each.retry_at_ms;
  return due;
}

constexpr std::array<std::string_view, 8> kConditions = {
    "text", "from", "returnPath", "to", "queueName", "due", "dueIsLessThan", "dueIsGreaterThan"};

std::optional<MethodResult> unsupported(const ir::Value& arguments) {
  for (const auto& [name, value] : arguments["filter"].members())
    if (std::find(kConditions.begin(), kConditions.end(), name) == kConditions.end() ||
        !value.is_string())
      return MethodResult::error("unsupportedFilter",
                                 "Filter on property " + name + " is not supported or invalid");
  const ir::Value& sort = arguments["sort"].item(0);
  if (sort.is_map() && sort["property"].string_or("") != "due")
    return MethodResult::error("unsupportedSort",
                               "Only sorting by 'due' is supported for queued messages");
  return std::nullopt;
}

bool matches(const QueuedMessage& message, const ir::Value& filter) {
  for (const auto& [name, value] : filter.members()) {
    const std::string wanted = lower_ascii(value.string_or(""));
    const bool in_from = lower_ascii(message.return_path).find(wanted) != std::string::npos;
    const auto any = [&message](const auto& fits) {
      return std::any_of(message.recipients.begin(), message.recipients.end(),
                         [&fits](const QueuedRecipient& each) {
                           return each.state != RecipientState::done && fits(each);
                         });
    };
    const bool in_to = any([&wanted](const QueuedRecipient& each) {
      return lower_ascii(each.address).find(wanted) != std::string::npos;
    });
    if (name == "text" && !in_from && !in_to) return false;
    if ((name == "returnPath" || name == "from") && !in_from) return false;
    if (name == "to" && !in_to) return false;
    if (name == "queueName" &&
        !any([&wanted](const QueuedRecipient& each) { return each.queue_name == wanted; }))
      return false;
    if (!name.starts_with("due")) continue;
    const std::int64_t at = parse_rfc3339(value.string_or("")).value_or(0) * 1000;
    const std::int64_t due = due_of(message);
    if (name == "dueIsLessThan" ? due >= at : name == "dueIsGreaterThan" ? due <= at : due != at)
      return false;
  }
  return true;
}

ir::Value patch_error(std::string_view description, const std::string& path) {
  return ir::Value::map({{"type", "invalidPatch"},
                         {"description", description},
                         {"properties", ir::Value::list({path})}});
}

// One member of an update: nextRetry, priority, and of recipients whether and when.
std::optional<ir::Value> patch(QueuedMessage& message, const std::string& path,
                               const ir::Value& value) {
  const auto retry_at = [&message](std::int64_t seconds, const std::string* address) {
    for (QueuedRecipient& recipient : message.recipients)
      if ((address == nullptr || recipient.address == *address) &&
          (recipient.state == RecipientState::scheduled ||
           recipient.state == RecipientState::temporary))
        recipient.retry_at_ms = seconds * 1000;
  };
  if (path == "priority") {
    return value.is_integer() ? std::nullopt : std::optional(patch_error("Invalid value", path));
  }
  if (path == "nextRetry") {
    const auto at = parse_rfc3339(value.string_or(""));
    if (!at) return patch_error("Invalid date value", path);
    retry_at(*at, nullptr);
    return std::nullopt;
  }
  if (!path.starts_with("recipients/"))
    return patch_error("Cannot modify server set property", path);
  const std::size_t slash = path.find('/', 11);
  const std::string address = path.substr(11, slash == std::string::npos ? slash : slash - 11);
  const auto found =
      std::find_if(message.recipients.begin(), message.recipients.end(),
                   [&address](const QueuedRecipient& each) { return each.address == address; });
  if (found == message.recipients.end()) return patch_error("Invalid key", path);
  if (slash == std::string::npos && value.is_null()) {
    message.recipients.erase(found);
    return std::nullopt;
  }
  const auto at = parse_rfc3339(value.string_or(""));
  if (slash == std::string::npos || path.substr(slash) != "/retryDue" || !at)
    return patch_error("Cannot modify server set property", path);
  retry_at(*at, &address);
  return std::nullopt;
}

}  // namespace

MethodResult queue_method(JmapContext& context, std::string_view verb, const std::string& account,
                          const ir::Value& arguments) {
  QueueStore& queue = *context.world.queue;
  if (verb == "query") {
    if (auto failed = unsupported(arguments)) return std::move(*failed);
    std::vector<std::uint64_t> found;
    for (const auto& [id, message] : queue.all())
      if (matches(message, arguments["filter"])) found.push_back(id);
    std::stable_sort(found.begin(), found.end(), [&queue](std::uint64_t left, std::uint64_t right) {
      return due_of(*queue.find(left)) < due_of(*queue.find(right));
    });
    // Without a sort the latest comes first.
    const ir::Value& sort = arguments["sort"].item(0);
    if (!sort.is_map() || !sort["isAscending"].bool_or(true))
      std::reverse(found.begin(), found.end());
    const std::int64_t total = static_cast<std::int64_t>(found.size());
    std::int64_t position = std::clamp<std::int64_t>(arguments["position"].integer_or(0), 0, total);
    if (arguments["anchor"].is_string()) {
      const auto anchor = parse_id(arguments["anchor"].string_or(""));
      const auto at = std::find(found.begin(), found.end(), anchor.value_or(0));
      position =
          at == found.end()
              ? total
              : std::clamp<std::int64_t>(
                    (at - found.begin()) + arguments["anchorOffset"].integer_or(0), 0, total);
    }
    const std::int64_t limit =
        std::clamp<std::int64_t>(arguments["limit"].integer_or(5000), 0, 5000);
    ir::Value ids = ir::Value::list();
    for (std::int64_t i = position; i < total && i - position < limit; ++i)
      ids.push_back(encode_id(found[static_cast<std::size_t>(i)]));
    ir::Value out = ir::Value::map({{"accountId", account},
                                    {"queryState", "n"},
                                    {"canCalculateChanges", true},
                                    {"position", position},
                                    {"ids", std::move(ids)}});
    if (arguments["calculateTotal"].bool_or(false)) out.set("total", total);
    if (arguments["limit"].is_integer() && limit < total) out.set("limit", limit);
    return MethodResult::answer(std::move(out));
  }
  if (verb == "get") {
    ir::Value list = ir::Value::list();
    ir::Value missing = ir::Value::list();
    if (arguments["ids"].is_list()) {
      for (const ir::Value& each : arguments["ids"].items()) {
        const auto id = parse_id(each.string_or("!"));
        const QueuedMessage* message = id ? queue.find(*id) : nullptr;
        if (message == nullptr)
          missing.push_back(each);
        else
          list.push_back(show(*message, arguments["properties"]));
      }
    } else {
      for (const auto& [id, message] : queue.all()) {
        if (list.size() >= 500) break;
        list.push_back(show(message, arguments["properties"]));
      }
    }
    return MethodResult::answer(ir::Value::map(
        {{"accountId", account}, {"list", std::move(list)}, {"notFound", std::move(missing)}}));
  }
  ir::Value updated = ir::Value::map();
  ir::Value destroyed = ir::Value::list();
  ir::Value not_created = ir::Value::map();
  ir::Value not_updated = ir::Value::map();
  ir::Value not_destroyed = ir::Value::map();
  for (const auto& [name, body] : arguments["create"].members())
    not_created.set(name, set_error("forbidden", "Queued messages cannot be created"));
  for (const auto& [text, changes] : arguments["update"].members()) {
    const auto id = parse_id(text);
    if (!id) continue;
    QueuedMessage* message = queue.find(*id);
    if (message == nullptr) {
      not_updated.set(encode_id(*id), set_error("notFound"));
      continue;
    }
    std::optional<ir::Value> failed;
    for (const auto& [path, value] : changes.members())
      if (!failed) failed = patch(*message, path, value);
    if (failed) {
      not_updated.set(encode_id(*id), std::move(*failed));
      continue;
    }
    if (message->recipients.empty()) {
      // Nobody is left to send it to.
      context.world.mail.release(message->blob);
      queue.remove(*id);
    } else {
      queue.save(*message);
    }
    updated.set(encode_id(*id), {});
  }
  for (const ir::Value& each : arguments["destroy"].items()) {
    const auto id = parse_id(each.string_or("!"));
    if (!id) continue;
    const QueuedMessage* message = queue.find(*id);
    if (message == nullptr) {
      not_destroyed.set(encode_id(*id), set_error("notFound"));
      continue;
    }
    context.world.mail.release(message->blob);
    queue.remove(*id);
    destroyed.push_back(encode_id(*id));
  }
  ir::Value out = ir::Value::map({{"accountId", account}});
  if (updated.size() > 0) out.set("updated", std::move(updated));
  if (destroyed.size() > 0) out.set("destroyed", std::move(destroyed));
  if (not_created.size() > 0) out.set("notCreated", std::move(not_created));
  if (not_updated.size() > 0) out.set("notUpdated", std::move(not_updated));
  if (not_destroyed.size() > 0) out.set("notDestroyed", std::move(not_destroyed));
  return MethodResult::answer(std::move(out));
}

}  // namespace plan::rehearsal
