// Blob ids, Blob/upload, Blob/get, Blob/copy, Blob/lookup (RFC 9404).
#include <algorithm>
#include <array>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"

namespace plan::rehearsal {
namespace {

constexpr std::size_t kHashBytes = 32;

MethodResult get(JmapContext& context, std::uint64_t account, const ir::Value& arguments) {
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  for (const ir::Value& id : arguments["ids"].items()) {
    const auto found = find_blob(context.world, context.login, account, id.string_or(""));
    const auto bytes = found ? read_blob(context.world, *found) : std::nullopt;
    if (!bytes) {
      missing.push_back(id);
      continue;
    }
    const auto offset = static_cast<std::size_t>(std::clamp<std::int64_t>(
        arguments["offset"].integer_or(0), 0, static_cast<std::int64_t>(bytes->size())));
    const auto length = static_cast<std::size_t>(
        std::max<std::int64_t>(0, arguments["length"].integer_or(INT64_MAX)));
    const std::string part = bytes->substr(offset, length);
    ir::Value out = ir::Value::map();
    const ir::Value wanted = arguments["properties"].is_list() ? arguments["properties"]
                                                               : ir::Value::list({"data", "size"});
    for (const ir::Value& property : wanted.items()) {
      const std::string_view name = property.string_or("");
      const bool is_text = !first_invalid_utf8(part).has_value();
      if (name == "size")
        out.set("size", static_cast<std::int64_t>(bytes->size()));
      else if (name == "data:asBase64" || (name == "data" && !is_text))
        out.set("data:asBase64", ir::to_base64(part));
      else if (name == "data:asText" || name == "data") {
        if (is_text)
          out.set("data:asText", part);
        else
          out.set("isEncodingProblem", true);
      } else if (name == "digest:sha-256") {
        const ir::Sha256 digest = ir::sha256(part);
        out.set("digest:sha-256", ir::to_base64({reinterpret_cast<const char*>(digest.bytes.data()),
                                                 digest.bytes.size()}));
      }
    }
    out.set("id", id);
    list.push_back(std::move(out));
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

MethodResult upload(JmapContext& context, std::uint64_t account, const ir::Value& arguments) {
  const std::int64_t max = limit_of(context.world, "x:Jmap", "setMaxObjects", 500);
  if (static_cast<std::int64_t>(arguments["create"].size()) > max)
    return MethodResult::error("requestTooLarge",
                               "The number of ids requested by the client exceeds the maximum "
                               "number the server is willing to process in a single method call.");
  for (const auto& [name, body] : arguments["create"].members())
    for (const ir::Value& piece : body["data"].items())
      if (piece["data:asBase64"].is_string()) {
        bool is_valid = false;
        static_cast<void>(ir::from_base64(piece["data:asBase64"].string_or(""), &is_valid));
        if (!is_valid)
          return MethodResult::error("invalidArguments", "Failed to decode base64 data");
      }
  ir::Value created = ir::Value::map();
  ir::Value not_created = ir::Value::map();
  MailAccount& mail = context.world.account(account);
  for (const auto& [name, body] : arguments["create"].members()) {
    std::string bytes;
    bool is_missing = false;
    for (const ir::Value& piece : body["data"].items()) {
      if (piece["data:asText"].is_string()) {
        bytes += piece["data:asText"].string_or("");
      } else if (piece["data:asBase64"].is_string()) {
        bool is_valid = false;
        bytes += ir::from_base64(piece["data:asBase64"].string_or(""), &is_valid);
      } else {
        const auto found =
            find_blob(context.world, context.login, account, piece["blobId"].string_or(""));
        const auto part = found ? read_blob(context.world, *found) : std::nullopt;
        is_missing = is_missing || !part;
        const auto offset =
            static_cast<std::size_t>(std::max<std::int64_t>(0, piece["offset"].integer_or(0)));
        if (part && offset <= part->size())
          bytes += part->substr(offset, static_cast<std::size_t>(std::max<std::int64_t>(
                                            0, piece["length"].integer_or(INT64_MAX))));
      }
    }
    if (is_missing) {
      not_created.set(name, set_error("blobNotFound", "Blob not found."));
      continue;
    }
    const std::string hash = context.world.mail.put_blob(bytes);
    context.world.mail.upload(mail, hash, bytes.size());
    context.created_ids[name] = upload_blob_id(hash, account);
    created.set(name,
                ir::Value::map({{"id", upload_blob_id(hash, account)},
                                {"type", body["type"].is_string() ? body["type"] : ir::Value()},
                                {"size", static_cast<std::int64_t>(bytes.size())}}));
  }
  ir::Value out = ir::Value::map({{"accountId", encode_id(account)}});
  if (created.size() > 0) out.set("created", std::move(created));
  if (not_created.size() > 0) out.set("notCreated", std::move(not_created));
  return MethodResult::answer(std::move(out));
}

MethodResult copy(JmapContext& context, std::uint64_t account, const ir::Value& arguments) {
  const AccountAccess from = account_of(context, arguments, "fromAccountId");
  if (from.failed) return *from.failed;
  ir::Value copied = ir::Value::map();
  ir::Value failed = ir::Value::map();
  for (const ir::Value& id : arguments["blobIds"].items()) {
    const auto found = find_blob(context.world, context.login, from.id, id.string_or(""));
    const auto bytes = found ? read_blob(context.world, *found) : std::nullopt;
    const std::string text(id.string_or(""));
    if (!bytes) {
      failed.set(text, set_error("blobNotFound", "The blobId does not exist."));
      continue;
    }
    const std::string hash = context.world.mail.put_blob(*bytes);
    context.world.mail.upload(context.world.account(account), hash, bytes->size());
    copied.set(text, upload_blob_id(hash, account));
  }
  ir::Value out =
      ir::Value::map({{"fromAccountId", encode_id(from.id)}, {"accountId", encode_id(account)}});
  if (copied.size() > 0) out.set("copied", std::move(copied));
  if (failed.size() > 0) out.set("notCopied", std::move(failed));
  return MethodResult::answer(std::move(out));
}

MethodResult look_up(JmapContext& context, std::uint64_t account, const ir::Value& arguments) {
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  const MailAccount& mail = context.world.account(account);
  for (const ir::Value& id : arguments["ids"].items()) {
    const auto found = find_blob(context.world, context.login, account, id.string_or(""));
    if (!found) {
      missing.push_back(id);
      continue;
    }
    ir::Value matched = ir::Value::map();
    for (const auto& [document, email] : mail.emails) {
      if (email.blob != found->hash || id.string_or("")[0] != 'c') continue;
      ir::Value ids = ir::Value::list();
      for (const auto& [mailbox, uid] : email.mailboxes) ids.push_back(encode_id(mailbox));
      matched.set("Mailbox", std::move(ids));
      matched.set("Email", ir::Value::list({encode_id(email.id())}));
      matched.set("Thread", ir::Value::list({encode_id(email.thread)}));
    }
    list.push_back(ir::Value::map({{"id", id}, {"matchedIds", std::move(matched)}}));
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

}  // namespace

// The hash, the account and what the blob is: e uploaded, c a message or script, g a part of one.
std::string upload_blob_id(const std::string& hash, std::uint64_t account) {
  std::string bytes = hash;
  append_leb(bytes, account);
  return "e" + encode_bytes(bytes);
}

std::string email_blob_id(const std::string& hash, std::uint64_t account, std::uint32_t document) {
  std::string bytes = hash;
  append_leb(bytes, account);
  append_leb(bytes, document);
  return "c" + encode_bytes(bytes);
}

std::string part_blob_id(const std::string& hash, std::uint64_t account, std::uint64_t offset,
                         std::uint64_t size) {
  std::string bytes = hash;
  append_leb(bytes, account);
  append_leb(bytes, offset);
  append_leb(bytes, size);
  return "g" + encode_bytes(bytes);
}

std::optional<FoundBlob> find_blob(const World& world, const Login& login, std::uint64_t account,
                                   std::string_view blob_id) {
  if (blob_id.size() < 2) return std::nullopt;
  const auto bytes = decode_bytes(blob_id.substr(1));
  if (!bytes || bytes->size() <= kHashBytes) return std::nullopt;
  FoundBlob out;
  out.hash = bytes->substr(0, kHashBytes);
  std::string_view rest = std::string_view(*bytes).substr(kHashBytes);
  const auto owner = take_leb(rest);
  if (!owner) return std::nullopt;
  if (blob_id[0] == 'g') {
    const auto offset = take_leb(rest);
    const auto size = take_leb(rest);
    if (!offset || !size) return std::nullopt;
    out.offset = *offset;
    out.length = *size;
  } else if (blob_id[0] != 'e' && blob_id[0] != 'c') {
    return std::nullopt;
  }
  if (login.may("fetchAnyBlob") || login.is_administrator) return out;
  if (*owner != login.account && *owner != account) return std::nullopt;
  const auto holder = world.mail.all().find(*owner);
  if (holder == world.mail.all().end()) return std::nullopt;
  if (blob_id[0] == 'e')
    return holder->second.uploads.contains(out.hash) && *owner == login.account ? std::optional(out)
                                                                                : std::nullopt;
  return out;
}

std::optional<std::string> read_blob(const World& world, const FoundBlob& found) {
  auto bytes = world.mail.blob(found.hash);
  if (!bytes) return std::nullopt;
  if (found.offset > bytes->size()) return std::nullopt;
  if (found.length)
    return bytes->substr(static_cast<std::size_t>(found.offset),
                         static_cast<std::size_t>(*found.length));
  return bytes;
}

std::optional<MethodResult> blob_method(JmapContext& context, std::string_view name,
                                        const ir::Value& arguments) {
  if (name != "Blob/get" && name != "Blob/upload" && name != "Blob/copy" && name != "Blob/lookup")
    return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  if (name == "Blob/get") return get(context, access.id, arguments);
  if (name == "Blob/upload") return upload(context, access.id, arguments);
  if (name == "Blob/copy") return copy(context, access.id, arguments);
  return look_up(context, access.id, arguments);
}

}  // namespace plan::rehearsal
