// EmailSubmission/* (RFC 8621, 7), Principal/get (RFC 9670), ParticipantIdentity/get
// (draft-ietf-jmap-calendars).
#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/rehearsal/delivery.h"
#include "runtime/rehearsal/groupware.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/jmap_set.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/queue_store.h"
#include "runtime/rehearsal/recipient_rules.h"

namespace plan::rehearsal {
namespace {

constexpr std::uint16_t kJmapPort = 443;  // where the message came in

bool is_queued(const World& world, const Submission& submission) {
  return submission.queue_id != 0 && world.queue->find(submission.queue_id) != nullptr;
}

std::string undo_status(const World& world, const Submission& submission) {
  const std::string_view kept = submission.shown["undoStatus"].string_or("");
  if (!kept.empty()) return std::string(kept);
  return is_queued(world, submission) ? "pending" : "final";
}

MethodResult get(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  const ir::Value& ids = arguments["ids"];
  if (auto failed = too_many_ids(context.world, ids)) return *failed;
  const auto& all = account.groupware.submissions;
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  const auto add = [&](const Submission& each) {
    ir::Value out = each.shown;
    out.set("id", encode_id(each.id));
    out.set("undoStatus", undo_status(context.world, each));
    list.push_back(only_properties(out, arguments["properties"]));
  };
  if (ids.is_list()) {
    for (const ir::Value& id : ids.items()) {
      const auto number = read_id(context, id.string_or("!"));
      const auto found = number ? all.find(*number) : all.end();
      if (found == all.end())
        missing.push_back(id);
      else
        add(found->second);
    }
  } else {
    for (const auto& [number, each] : all) add(each);
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", state_of(account, ChangeKind::submission)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

class SubmissionSetter {
 public:
  SubmissionSetter(JmapContext& context, MailAccount& account, const ir::Value& arguments)
      : context_(context), account_(account), arguments_(arguments) {}

  MethodResult run() {
    const std::string old_state = state_of(account_, ChangeKind::submission);
    for (const auto& [name, body] : arguments_["create"].members())
      if (auto failed = create(name, body)) answer_.not_created.set(name, std::move(*failed));
    for (const auto& [id, patch] : arguments_["update"].members())
      if (auto failed = update(id, patch)) answer_.not_updated.set(id, std::move(*failed));
    for (const ir::Value& id : arguments_["destroy"].items())
      answer_.not_destroyed.set(std::string(id.string_or("")), set_error("notFound"));
    MethodResult result = answer_.finish(account_, ChangeKind::submission, old_state);
    // This type says no old state, and a new one only when something was sent.
    result.arguments.as_map().erase("oldState");
    if (!is_open_) result.arguments.as_map().erase("newState");
    after_success(result);
    return result;
  }

 private:
  void open() {
    if (!is_open_) context_.world.mail.open_change(account_);
    is_open_ = true;
  }

  const ir::Value* identity(const ir::Value& id) const {
    return account_.identities.find(id.string_or(""));
  }

  // Recipients without an envelope: To, Cc and Bcc of the message.
  std::vector<std::string> recipients_of(const std::string& bytes,
                                         const ir::Value& envelope) const {
    std::vector<std::string> out;
    for (const ir::Value& each : envelope["rcptTo"].items())
      out.emplace_back(each["email"].string_or(""));
    if (envelope.is_map()) return out;
    const MessageView view = view_message(bytes);
    for (const HeaderField& field : view.fields)
      if (equals_ignoring_case(field.name, "to") || equals_ignoring_case(field.name, "cc") ||
          equals_ignoring_case(field.name, "bcc"))
        for (const Address& each : parse_addresses(field.value)) out.push_back(each.email);
    return out;
  }

  std::optional<ir::Value> create(const std::string& name, const ir::Value& body) {
    const ir::Value* sender = identity(body["identityId"]);
    if (sender == nullptr)
      return set_error("invalidProperties", "Identity not found.", "identityId");
    std::string email_id(body["emailId"].string_or(""));
    if (email_id.starts_with('#')) {
      const auto made = context_.created_ids.find(email_id.substr(1));
      if (made != context_.created_ids.end()) email_id = made->second;
    }
    const auto number = parse_id(email_id);
    const auto email = number
                           ? account_.emails.find(static_cast<std::uint32_t>(*number & 0xffffffffU))
                           : account_.emails.end();
    if (email == account_.emails.end() || email->second.id() != *number)
      return set_error("invalidProperties", "Email not found.", "emailId");
    const std::string own((*sender)["email"].string_or(""));
    const ir::Value& envelope = body["envelope"];
    const std::string from =
        envelope.is_map() ? std::string(envelope["mailFrom"]["email"].string_or("")) : own;
    if (lower_ascii(from) != own)
      return set_error("forbiddenFrom", "Envelope mailFrom does not match identity email address.");
    const std::string bytes = context_.world.mail.blob(email->second.blob).value_or("");
    const std::vector<std::string> named = recipients_of(bytes, envelope);
    if (named.empty()) return set_error("noRecipients", "No recipients found.");
    AcceptedMessage message;
    ir::Value status = ir::Value::map();
    ir::Value shown_recipients = ir::Value::list();
    bool is_one_good = false;
    for (const std::string& each : named) {
      RecipientVerdict verdict = judge_recipient(context_.world, each, facts(from));
      is_one_good = is_one_good || verdict.refusal.empty();
      for (std::string& address : verdict.recipients)
        if (std::find(message.recipients.begin(), message.recipients.end(), address) ==
            message.recipients.end())
          message.recipients.push_back(std::move(address));
      status.set(each, ir::Value::map({{"delivered", verdict.refusal.empty() ? "unknown" : "no"},
                                       {"smtpReply", verdict.refusal.empty() ? "250 2.1.5 Queued"
                                                                             : verdict.refusal},
                                       {"displayed", "unknown"}}));
      shown_recipients.push_back(ir::Value::map({{"email", each}, {"parameters", {}}}));
    }
    if (!is_one_good) return set_error("invalidRecipients", "No valid recipients.");
    message.return_path = queue_form(from);
    message.bytes = bytes;
    message.source = "authenticated";
    message.received_from_ip = context_.peer_address;
    message.received_via_port = kJmapPort;
    message.is_authenticated = true;
    Submission made;
    made.queue_id = queue_from_delivery(context_.world, std::move(message));
    open();
    made.id = account_.groupware.next_submission++;
    const std::string send_at = show_rfc3339(context_.world.now_seconds());
    made.shown = ir::Value::map(
        {{"emailId", email_id},
         {"identityId", body["identityId"]},
         {"threadId", encode_id(email->second.thread)},
         {"envelope",
          ir::Value::map({{"mailFrom", ir::Value::map({{"email", from}, {"parameters", {}}})},
                          {"rcptTo", std::move(shown_recipients)}})},
         {"sendAt", send_at},
         {"deliveryStatus", std::move(status)},
         {"dsnBlobIds", ir::Value::list()},
         {"mdnBlobIds", ir::Value::list()}});
    save_submission(*context_.world.storage, account_.id, made);
    context_.world.mail.note(account_, ChangeKind::submission, ChangeAction::created, made.id);
    context_.created_ids[name] = encode_id(made.id);
    answer_.created.set(name, ir::Value::map({{"id", encode_id(made.id)},
                                              {"sendAt", send_at},
                                              {"undoStatus", undo_status(context_.world, made)}}));
    emails_[name] = email_id;
    account_.groupware.submissions[made.id] = std::move(made);
    return std::nullopt;
  }

  MtaFacts facts(const std::string& from) const {
    MtaFacts out;
    out["sender"] = from;
    out["sender_domain"] = mail_domain(from);
    out["authenticated_as"] = context_.login.name;
    out["remote_ip"] = context_.peer_address;
    out["local_port"] = static_cast<int>(kJmapPort);
    return out;
  }

  // Only `undoStatus: canceled`, while the message waits.
  std::optional<ir::Value> update(const std::string& id, const ir::Value& patch) {
    const auto number = parse_id(id);
    auto& all = account_.groupware.submissions;
    const auto found = number ? all.find(static_cast<std::uint32_t>(*number)) : all.end();
    if (found == all.end()) return set_error("notFound");
    for (const auto& [member, value] : patch.members())
      if (member != "undoStatus" || value.string_or("") != "canceled")
        return set_error("invalidProperties", "Field could not be set.", member);
    QueuedMessage* queued = context_.world.queue->find(found->second.queue_id);
    if (queued == nullptr || queued->is_busy)
      return set_error("cannotUnsend", "The requested message is no longer in the queue.");
    open();
    context_.world.mail.release(queued->blob);
    context_.world.queue->remove(queued->id);
    found->second.queue_id = 0;
    found->second.shown.set("undoStatus", "canceled");
    save_submission(*context_.world.storage, account_.id, found->second);
    context_.world.mail.note(account_, ChangeKind::submission, ChangeAction::updated, found->first);
    answer_.updated.set(id, {});
    return std::nullopt;
  }

  // onSuccessUpdateEmail and onSuccessDestroyEmail become one Email/set.
  void after_success(MethodResult& result) const {
    const auto email_of = [this](std::string_view key) -> std::string {
      if (!key.starts_with('#')) {
        const auto number = parse_id(key);
        const auto& all = account_.groupware.submissions;
        const auto found = number ? all.find(static_cast<std::uint32_t>(*number)) : all.end();
        return found == all.end() ? std::string{}
                                  : std::string(found->second.shown["emailId"].string_or(""));
      }
      const auto found = emails_.find(key.substr(1));
      return found == emails_.end() ? std::string{} : found->second;
    };
    ir::Value update = ir::Value::map();
    for (const auto& [key, patch] : arguments_["onSuccessUpdateEmail"].members())
      if (const std::string id = email_of(key); !id.empty()) update.set(id, patch);
    ir::Value destroy = ir::Value::list();
    for (const ir::Value& key : arguments_["onSuccessDestroyEmail"].items())
      if (const std::string id = email_of(key.string_or("")); !id.empty()) destroy.push_back(id);
    if (update.size() + destroy.size() == 0) return;
    result.then_method = "Email/set";
    result.then_arguments = ir::Value::map({{"accountId", encode_id(account_.id)}});
    if (update.size() > 0) result.then_arguments.set("update", std::move(update));
    if (destroy.size() > 0) result.then_arguments.set("destroy", std::move(destroy));
  }

  JmapContext& context_;
  MailAccount& account_;
  const ir::Value& arguments_;
  bool is_open_ = false;
  SetAnswer answer_;
  std::map<std::string, std::string, std::less<>> emails_ = {};  ///< by creation id
};

MethodResult principals(JmapContext& context, std::uint64_t account, const ir::Value& arguments) {
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  const auto add = [&](std::uint64_t id, const ir::Value& object) {
    const std::string address = address_of(context.world, object);
    list.push_back(only_properties(
        ir::Value::map({{"id", encode_id(id)},
                        {"type", object["@type"].string_or("") == "Group" ? "group" : "individual"},
                        {"name", address},
                        {"description", object["description"]},
                        {"email", address}}),
        arguments["properties"]));
  };
  if (arguments["ids"].is_list()) {
    for (const ir::Value& id : arguments["ids"].items()) {
      const auto number = parse_id(id.string_or("!"));
      const ir::Value* object =
          number ? context.world.registry.find("x:Account", *number) : nullptr;
      if (object == nullptr)
        missing.push_back(id);
      else
        add(*number, *object);
    }
  } else {
    for (const auto& [id, object] : context.world.registry.all("x:Account")) add(id, object);
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account)},
                                              {"state", "n"},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

MethodResult participants(JmapContext& context, std::uint64_t account, const ir::Value& arguments) {
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  const ir::Value* object = context.world.registry.find("x:Account", account);
  const auto addresses =
      object == nullptr ? std::vector<std::string>{} : addresses_of(context.world, *object);
  const ir::Value& ids = arguments["ids"];
  const auto is_wanted = [&ids](const std::string& id) {
    return !ids.is_list() ||
           std::find(ids.items().begin(), ids.items().end(), ir::Value(id)) != ids.items().end();
  };
  for (std::size_t i = 0; i < addresses.size(); ++i)
    if (const std::string id = encode_id(i); is_wanted(id))
      list.push_back(ir::Value::map({{"id", id},
                                     {"name", addresses[i]},
                                     {"calendarAddress", "mailto:" + addresses[i]},
                                     {"isDefault", i == 0}}));
  for (const ir::Value& id : ids.items())
    if (const auto number = parse_id(id.string_or("!")); !number || *number >= addresses.size())
      missing.push_back(id);
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

}  // namespace

std::optional<MethodResult> submission_method(JmapContext& context, std::string_view name,
                                              const ir::Value& arguments) {
  if (!name.starts_with("EmailSubmission/")) return std::nullopt;
  const std::string_view verb = name.substr(name.find('/') + 1);
  if (verb != "get" && verb != "set" && verb != "changes") return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  MailAccount& account = context.world.account(access.id);
  if (verb == "get") return get(context, account, arguments);
  if (verb == "changes") return changes_of(context, account, ChangeKind::submission, arguments);
  if (auto failed = too_many_objects(context.world, arguments)) return failed;
  if (auto failed = check_state(account, ChangeKind::submission, arguments)) return failed;
  for (const char* member : {"create", "update"})
    if (!arguments[member].is_null() && !arguments[member].is_map())
      return MethodResult::not_request();
  MethodResult result = SubmissionSetter(context, account, arguments).run();
  context.world.mail.save(account);
  return result;
}

std::optional<MethodResult> people_method(JmapContext& context, std::string_view name,
                                          const ir::Value& arguments) {
  if (name != "Principal/get" && name != "ParticipantIdentity/get") return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  return name == "Principal/get" ? principals(context, access.id, arguments)
                                 : participants(context, access.id, arguments);
}

}  // namespace plan::rehearsal
