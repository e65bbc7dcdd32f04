#include "tests/support/fake_mail_target.h"

#include <fmt/format.h>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/http_client.h"

namespace plan::test {
namespace {

using ir::Value;

constexpr const char* kSession =
    R"({"capabilities":{"urn:ietf:params:jmap:core":{"maxObjectsInGet":7,"maxObjectsInSet":5,"maxCallsInRequest":4,)"
    R"("maxSizeRequest":1000000,"maxSizeUpload":50000000,"maxConcurrentUpload":4,"maxConcurrentRequests":4},)"
    R"("urn:ietf:params:jmap:mail":{},"urn:ietf:params:jmap:sieve":{},"urn:ietf:params:jmap:blob":{},"urn:ietf:params:jmap:quota":{}},"accounts":{},)"
    R"("primaryAccounts":{},"username":"admin","apiUrl":"/jmap/","uploadUrl":"/jmap/upload/{accountId}/",)"
    R"("downloadUrl":"/jmap/download/{accountId}/{blobId}/{name}","state":"1"})";

/// For those who come together: then somebody who was to come did not.
constexpr std::chrono::seconds kPatience{30};

std::set<std::string> members(const Value& map) {
  std::set<std::string> names;
  if (!map.is_map()) return names;
  for (const auto& [name, value] : map.as_map())
    if (value.bool_or(false)) names.insert(name);
  return names;
}

Value true_map(const std::set<std::string>& names) {
  Value map = Value::map();
  for (const std::string& name : names) map.set(name, true);
  return map;
}

Value set_error(const char* type) { return Value::map({{"type", type}}); }

}  // namespace

FakeMailTarget::FakeMailTarget() {
  mailboxes["a"] = {.name = "Inbox", .role = "inbox", .is_subscribed = true};
  mailboxes["b"] = {.name = "Deleted Items", .role = "trash", .is_subscribed = true};
  mailboxes["c"] = {.name = "Junk Mail", .role = "junk", .is_subscribed = true};
  mailboxes["d"] = {.name = "Drafts", .role = "drafts", .is_subscribed = true};
  mailboxes["e"] = {.name = "Sent Items", .role = "sent", .is_subscribed = true};
  server_ = std::make_unique<FakeHttpServer>(
      [this](const FakeRequest& request) { return answer(request); });
}

std::shared_ptr<net::jmap::Client> FakeMailTarget::client() {
  net::HttpOptions options;
  options.url = server_->url();
  options.user = "admin";
  options.password = secret::Secret("pw");
  options.concurrent_max = 8;
  auto http = net::make_http_client(std::move(options));
  if (!http) return nullptr;
  return std::make_shared<net::jmap::Client>(std::shared_ptr<net::HttpClient>(std::move(*http)));
}

std::string FakeMailTarget::path_of(const std::string& mailbox_id) const {
  std::string path;
  for (auto at = mailboxes.find(mailbox_id); at != mailboxes.end();
       at = mailboxes.find(at->second.parent_id))
    path = "/" + at->second.name + path;
  return path;
}

std::multiset<std::string> FakeMailTarget::content() const {
  std::multiset<std::string> all;
  for (const auto& [id, email] : emails) {
    std::string line;
    for (const std::string& mailbox : email.mailbox_ids) line += path_of(mailbox) + " ";
    for (const std::string& keyword : email.keywords) line += keyword + " ";
    all.insert(line + email.received_at + " " + blobs.at(email.blob_id));
  }
  return all;
}

std::string FakeMailTarget::add_email(const std::string& mailbox_id, const std::string& body) {
  const std::string id = fmt::format("m{}", ++next_id_);
  emails[id] = {.blob_id = put_blob(body),
                .mailbox_ids = {mailbox_id},
                .received_at = "2025-01-01T00:00:00Z"};
  ++changes_;
  return id;
}

std::string FakeMailTarget::put_blob(const std::string& bytes) {
  const std::string id = "B" + ir::sha256(bytes).hex().substr(0, 40);
  blobs[id] = bytes;
  return id;
}

FakeAnswer FakeMailTarget::answer(const FakeRequest& request) {
  const std::lock_guard lock(mutex);
  ++requests;
  FakeAnswer made;
  made.headers = {{"Content-Type", "application/json"}};
  if (request.target == "/.well-known/jmap" || request.target == "/jmap/session") {
    made.body = kSession;
    return made;
  }
  if (request.target.starts_with("/jmap/upload/acc/")) {
    if (message_bytes_max != 0 && request.body.size() > message_bytes_max) {
      made.status = 400;
      made.body =
          R"({"type":"urn:ietf:params:jmap:error:limit","limit":"maxSizeUpload","status":400})";
      return made;
    }
    made.body =
        ir::write_json(Value::map({{"accountId", "acc"},
                                   {"blobId", put_blob(request.body)},
                                   {"size", static_cast<std::int64_t>(request.body.size())}}));
    return made;
  }
  if (request.target.starts_with("/jmap/download/acc/")) {
    ++downloads_;
    download_has_come_.notify_all();
    made.before_sending = [this] {
      std::unique_lock waiting(mutex);
      if (!download_has_come_.wait_for(waiting, kPatience,
                                       [this] { return downloads_ >= downloads_together; }))
        has_waited_in_vain = true;
    };
    const std::string rest = request.target.substr(19);
    const auto blob = blobs.find(rest.substr(0, rest.find('/')));
    const bool is_there = blob != blobs.end() && !unreadable_blobs.contains(blob->first);
    made.status = is_there ? 200 : 404;
    if (is_there) made.body = blob->second;
    return made;
  }
  auto body = ir::parse_json(request.body);
  if (!body || !(*body)["methodCalls"].is_list()) {
    made.status = 400;
    return made;
  }
  ir::List responses;
  const Value& calls = (*body)["methodCalls"];
  for (std::size_t index = 0; index < calls.size(); ++index) {
    const std::string method(calls.item(index).item(0).string_or(""));
    const Value& arguments = calls.item(index).item(1);
    const bool is_writing = method == "Email/import" || method.ends_with("/set");
    Fault fault = Fault::none;
    const bool asks_state =
        method == "Email/get" && arguments["ids"].is_list() && arguments["ids"].size() == 0;
    if (asks_state && is_later_ && --states_until_late == 0) run_what_is_late();
    if (is_writing) {
      // What was on its way runs first.
      run_what_is_late();
      if (!faults.empty()) {
        fault = faults.front();
        faults.pop_front();
      }
    }
    if (fault == Fault::run_late || fault == Fault::run_later)
      late_.emplace_back(method, arguments);
    is_later_ = is_later_ || fault == Fault::run_later;
    if (fault == Fault::run_late || fault == Fault::run_later || fault == Fault::lose_request)
      return {.fault = FakeAnswer::Fault::drop};
    Value result = run(method, arguments);
    if (fault == Fault::lose_reply) return {.fault = FakeAnswer::Fault::drop};
    const bool is_error = result["type"].is_string();
    responses.push_back(Value::list(
        {Value(is_error ? "error" : method), std::move(result), calls.item(index).item(2)}));
  }
  made.body = ir::write_json(
      Value::map({{"methodResponses", Value(std::move(responses))}, {"sessionState", "1"}}));
  return made;
}

void FakeMailTarget::run_what_is_late() {
  for (const auto& [method, arguments] : late_) (void)run(method, arguments);
  late_.clear();
}

Value FakeMailTarget::run(const std::string& method, const Value& arguments) {
  if (arguments["accountId"].string_or("") != "acc") return set_error("accountNotFound");
  if (const auto expected = arguments["ifInState"].string_or("");
      !expected.empty() && expected != state())
    return set_error("stateMismatch");
  if (method == "Mailbox/set") return set_mailboxes(arguments);
  if (method == "Email/set") return set_emails(arguments);
  if (method == "SieveScript/set") return set_scripts(arguments);
  if (method == "Email/import") return import(arguments);
  ir::List list;
  if (method == "Mailbox/get") {
    for (const auto& [id, mailbox] : mailboxes)
      list.push_back(Value::map(
          {{"id", id},
           {"name", mailbox.name},
           {"parentId", mailbox.parent_id.empty() ? Value(nullptr) : Value(mailbox.parent_id)},
           {"role", mailbox.role.empty() ? Value(nullptr) : Value(mailbox.role)},
           {"isSubscribed", mailbox.is_subscribed}}));
  } else if (method == "SieveScript/get") {
    for (const auto& [id, script] : scripts)
      list.push_back(Value::map({{"id", id},
                                 {"name", script.name},
                                 {"blobId", script.blob_id},
                                 {"isActive", script.is_active}}));
  } else if (method == "Email/changes") {
    const auto known = snapshots_.find(std::string(arguments["sinceState"].string_or("")));
    if (known == snapshots_.end()) return set_error("cannotCalculateChanges");
    ir::List created, updated, destroyed;
    for (const auto& [id, email] : emails) {
      const auto before = known->second.find(id);
      if (before == known->second.end())
        created.emplace_back(id);
      else if (!(before->second == email))
        updated.emplace_back(id);
    }
    for (const auto& [id, email] : known->second)
      if (emails.count(id) == 0) destroyed.emplace_back(id);
    snapshots_[state()] = emails;
    return Value::map({{"accountId", "acc"},
                       {"newState", state()},
                       {"hasMoreChanges", false},
                       {"created", Value(std::move(created))},
                       {"updated", Value(std::move(updated))},
                       {"destroyed", Value(std::move(destroyed))}});
  } else if (method == "Quota/get" && tells_quota) {
    if (quota_bytes > 0)
      list.push_back(Value::map({{"id", "a"},
                                 {"resourceType", "octets"},
                                 {"scope", "account"},
                                 {"used", static_cast<std::int64_t>(used_bytes())},
                                 {"hardLimit", static_cast<std::int64_t>(quota_bytes)}}));
  } else if (method == "Email/query") {
    ++listings;
    const std::string mailbox(arguments["filter"]["inMailbox"].string_or(""));
    ir::List all;
    for (const auto& [id, email] : emails)
      if (mailbox.empty() || email.mailbox_ids.count(mailbox) > 0) all.emplace_back(id);
    const auto total = static_cast<std::int64_t>(all.size());
    const auto begin = std::min<std::size_t>(
        static_cast<std::size_t>(arguments["position"].integer_or(0)), all.size());
    const auto end = std::min<std::size_t>(begin + 6, all.size());  // small pages
    return Value::map({{"ids", Value(ir::List(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                              all.begin() + static_cast<std::ptrdiff_t>(end)))},
                       {"total", total},
                       {"queryState", state()}});
  } else if (method == "Email/get" || method == "Blob/get") {
    if (method == "Email/get" && arguments["ids"].size() == 0) snapshots_[state()] = emails;
    if (method == "Email/get") emails_read += arguments["ids"].size();
    if (method == "Blob/get" && !has_digests) return set_error("unknownMethod");
    ir::List missing;
    const Value& ids = arguments["ids"];
    for (std::size_t index = 0; index < ids.size(); ++index) {
      const std::string id(ids.item(index).string_or(""));
      if (method == "Blob/get") {
        const auto blob = blobs.find(id);
        if (blob == blobs.end()) continue;
        const ir::Sha256 digest = ir::sha256(blob->second);
        list.push_back(Value::map(
            {{"id", id},
             {"digest:sha-256",
              ir::to_base64({reinterpret_cast<const char*>(digest.bytes.data()), 32})}}));
        continue;
      }
      const auto email = emails.find(id);
      if (email == emails.end()) {
        missing.emplace_back(id);
        continue;
      }
      list.push_back(Value::map(
          {{"id", id},
           {"blobId", email->second.blob_id},
           {"mailboxIds", true_map(email->second.mailbox_ids)},
           {"keywords", true_map(email->second.keywords)},
           {"receivedAt", email->second.received_at},
           {"size", static_cast<std::int64_t>(blobs.at(email->second.blob_id).size())}}));
    }
    return Value::map({{"accountId", "acc"},
                       {"state", state()},
                       {"list", Value(std::move(list))},
                       {"notFound", Value(std::move(missing))}});
  } else {
    return set_error("unknownMethod");
  }
  return Value::map({{"accountId", "acc"},
                     {"state", state()},
                     {"list", Value(std::move(list))},
                     {"notFound", Value::list()}});
}

Value FakeMailTarget::import(const Value& arguments) {
  ++imports;
  const std::string before = state();
  Value created = Value::map(), refused = Value::map();
  for (const auto& [key, entry] : arguments["emails"].as_map()) {
    const std::string blob(entry["blobId"].string_or(""));
    const auto mailbox_ids = members(entry["mailboxIds"]);
    if (blobs.count(blob) == 0) {
      refused.set(key, set_error("blobNotFound"));
    } else if (refused_blobs.count(blobs.at(blob)) > 0) {
      refused.set(key, set_error("invalidEmail"));
    } else if (mailbox_ids.empty() || mailboxes.count(*mailbox_ids.begin()) == 0) {
      refused.set(key, set_error("invalidProperties"));
    } else if (quota_bytes > 0 && used_bytes() + blobs.at(blob).size() > quota_bytes) {
      // As the real server says it.
      refused.set(key, Value::map({{"type", "overQuota"},
                                   {"description", "You have exceeded your disk quota."}}));
    } else {
      const std::string id = fmt::format("m{}", ++next_id_);
      emails[id] = {.blob_id = blob,
                    .mailbox_ids = mailbox_ids,
                    .keywords = members(entry["keywords"]),
                    .received_at = std::string(entry["receivedAt"].string_or(""))};
      ++changes_;
      created.set(key, Value::map({{"id", id}, {"blobId", blob}}));
    }
  }
  return Value::map(
      {{"oldState", before}, {"newState", state()}, {"created", created}, {"notCreated", refused}});
}

std::size_t FakeMailTarget::used_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, email] : emails) bytes += blobs.at(email.blob_id).size();
  return bytes;
}

Value FakeMailTarget::set_mailboxes(const Value& arguments) {
  Value created = Value::map(), not_created = Value::map(), updated = Value::map(),
        not_destroyed = Value::map();
  ir::List destroyed;
  if (arguments["create"].is_map())
    for (const auto& [key, object] : arguments["create"].as_map()) {
      const std::string name(object["name"].string_or("")),
          parent(object["parentId"].string_or(""));
      std::string existing;
      for (const auto& [id, mailbox] : mailboxes)
        if (mailbox.parent_id == parent && equals_ignoring_case(mailbox.name, name)) existing = id;
      if (!existing.empty()) {
        not_created.set(key, Value::map({{"type", "alreadyExists"}, {"existingId", existing}}));
      } else if (name.empty() || name.size() > 254 ||
                 (!parent.empty() && mailboxes.count(parent) == 0)) {
        not_created.set(key, set_error("invalidProperties"));
      } else if (mailboxes_max > 0 && mailboxes.size() >= mailboxes_max) {
        // As the real server says it.
        not_created.set(key, Value::map({{"type", "overQuota"},
                                         {"description",
                                          "There are too many mailboxes, please delete some before "
                                          "adding a new one."}}));
      } else {
        const std::string id = fmt::format("x{}", ++next_id_);
        mailboxes[id] = {.name = name,
                         .parent_id = parent,
                         .role = std::string(object["role"].string_or("")),
                         .is_subscribed = object["isSubscribed"].bool_or(false)};
        ++changes_;
        created.set(key, Value::map({{"id", id}}));
      }
    }
  if (arguments["update"].is_map())
    for (const auto& [id, patch] : arguments["update"].as_map()) {
      mailboxes.at(id).is_subscribed =
          patch["isSubscribed"].bool_or(mailboxes.at(id).is_subscribed);
      updated.set(id, nullptr);
    }
  const Value& destroy = arguments["destroy"];
  for (std::size_t index = 0; destroy.is_list() && index < destroy.size(); ++index) {
    const std::string id(destroy.item(index).string_or(""));
    bool is_used = false;
    for (const auto& [email_id, email] : emails)
      is_used = is_used || email.mailbox_ids.count(id) > 0;
    for (const auto& [other, mailbox] : mailboxes) is_used = is_used || mailbox.parent_id == id;
    if (mailboxes.count(id) == 0) {
      not_destroyed.set(id, set_error("notFound"));
    } else if (is_used) {
      not_destroyed.set(id, set_error("mailboxHasEmail"));
    } else {
      mailboxes.erase(id);
      ++changes_;
      destroyed.emplace_back(id);
    }
  }
  return Value::map({{"created", created},
                     {"notCreated", not_created},
                     {"updated", updated},
                     {"destroyed", Value(std::move(destroyed))},
                     {"notDestroyed", not_destroyed},
                     {"newState", state()}});
}

Value FakeMailTarget::set_emails(const Value& arguments) {
  Value updated = Value::map(), not_updated = Value::map(), not_destroyed = Value::map();
  ir::List destroyed;
  if (arguments["update"].is_map())
    for (const auto& [id, patch] : arguments["update"].as_map()) {
      const auto email = emails.find(id);
      if (email == emails.end()) {
        not_updated.set(id, set_error("notFound"));
        continue;
      }
      if (patch["keywords"].is_map()) email->second.keywords = members(patch["keywords"]);
      if (patch["mailboxIds"].is_map()) email->second.mailbox_ids = members(patch["mailboxIds"]);
      ++changes_;
      updated.set(id, nullptr);
    }
  const Value& destroy = arguments["destroy"];
  for (std::size_t index = 0; destroy.is_list() && index < destroy.size(); ++index) {
    const std::string id(destroy.item(index).string_or(""));
    if (emails.erase(id) > 0) {
      ++changes_;
      destroyed.emplace_back(id);
    } else {
      not_destroyed.set(id, set_error("notFound"));
    }
  }
  return Value::map({{"updated", updated},
                     {"notUpdated", not_updated},
                     {"destroyed", Value(std::move(destroyed))},
                     {"notDestroyed", not_destroyed},
                     {"newState", state()}});
}

Value FakeMailTarget::set_scripts(const Value& arguments) {
  Value created = Value::map(), not_created = Value::map(), updated = Value::map(),
        not_destroyed = Value::map();
  ir::List destroyed;
  if (arguments["create"].is_map())
    for (const auto& [key, object] : arguments["create"].as_map()) {
      const std::string name(object["name"].string_or(""));
      bool is_taken = name == "vacation";
      for (const auto& [id, script] : scripts) is_taken = is_taken || script.name == name;
      if (is_taken) {
        not_created.set(key, set_error(name == "vacation" ? "forbidden" : "alreadyExists"));
        continue;
      }
      const std::string id = fmt::format("s{}", ++next_id_);
      scripts[id] = {.name = name, .blob_id = std::string(object["blobId"].string_or(""))};
      created.set(key, Value::map({{"id", id}}));
    }
  if (arguments["update"].is_map())
    for (const auto& [id, patch] : arguments["update"].as_map()) {
      scripts.at(id).blob_id = std::string(patch["blobId"].string_or(""));
      updated.set(id, nullptr);
    }
  const Value& destroy = arguments["destroy"];
  for (std::size_t index = 0; destroy.is_list() && index < destroy.size(); ++index) {
    const std::string id(destroy.item(index).string_or(""));
    const auto script = scripts.find(id);
    if (script == scripts.end() || script->second.is_active) {
      not_destroyed.set(id, set_error(script == scripts.end() ? "notFound" : "scriptIsActive"));
    } else {
      scripts.erase(script);
      destroyed.emplace_back(id);
    }
  }
  const std::string activate(arguments["onSuccessActivateScript"].string_or(""));
  if (!activate.empty() || arguments["onSuccessDeactivateScript"].bool_or(false))
    for (auto& [id, script] : scripts) script.is_active = id == activate;
  return Value::map({{"created", created},
                     {"notCreated", not_created},
                     {"updated", updated},
                     {"destroyed", Value(std::move(destroyed))},
                     {"notDestroyed", not_destroyed},
                     {"newState", "0"}});
}

}  // namespace plan::test
