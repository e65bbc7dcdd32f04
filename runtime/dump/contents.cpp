#include "runtime/dump/contents.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/dump/archive_value.h"
#include "runtime/dump/blake3.h"
#include "runtime/dump/directory.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/input_dump.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/key_shape.h"
#include "runtime/dump/known_account.h"

namespace plan::dump {
namespace {

using ir::Value;

constexpr std::size_t kMessageKeyBytes = 10;
constexpr std::string_view kIdAlphabet = "abcdefghijklmnopqrstuvwxyz792013";

Result<std::unique_ptr<FrameReader>> open_letter(const std::string& dump, char letter) {
  const std::string path = dump + "/" + file_name_of(letter);
  if (!std::filesystem::exists(path))
    return Error(errors::not_in_dump, fmt::format("{} has no subspace {}", dump, letter));
  PLAN_TRY(reader, FrameReader::open(path, {.is_ahead = true}));
  if (reader->header()->letter != letter)
    return Error(errors::dump_damaged, fmt::format("{} holds another subspace", path));
  return std::move(reader);
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (error != std::errc() || end != text.data() + i + 2) return std::nullopt;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

/// Document number of a message: decimal, or the lower half of the number that a JMAP id is.
std::optional<std::uint32_t> document_of(std::string_view message) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(message.data(), message.data() + message.size(), number);
  if (!message.empty() && error == std::errc() && end == message.data() + message.size())
    return number <= UINT32_MAX ? std::optional(static_cast<std::uint32_t>(number)) : std::nullopt;
  number = 0;
  for (const char c : message) {
    const std::size_t digit = kIdAlphabet.find(c);
    if (digit == std::string_view::npos || number >> 59U != 0) return std::nullopt;
    number = number << 5U | digit;
  }
  if (message.empty()) return std::nullopt;
  return static_cast<std::uint32_t>(number);
}

/// The items of a list up to its limit; the rest is counted.
struct Listed {
  Value items = Value::list();
  std::uint64_t total = 0;
  std::uint64_t limit = 0;
  [[nodiscard]] bool is_room() const { return items.size() < limit; }
  void add(Value item) {
    ++total;
    if (is_room()) items.push_back(std::move(item));
  }
  [[nodiscard]] Value finish(std::string_view what) {
    const bool is_cut = total > items.size();
    return Value::map(
        {{"what", what}, {"items", std::move(items)}, {"total", total}, {"is_cut", is_cut}});
  }
};

Result<std::optional<MessageMetadata>> metadata_of(std::string_view value) {
  const auto archive = ArchiveValue::parse(value);
  if (!archive || (archive->is_hashed && !archive->is_hash_right))
    return Error(errors::dump_damaged, "the metadata of a message is not what its hash says");
  PLAN_TRY(content, archive->content(kArchiveContentMax));
  return MessageMetadata::parse(content);
}

Result<Value> list_records(const std::string& dump, const ListOptions& options) {
  PLAN_TRY(schema, schema_of_dump(dump));
  PLAN_TRY(selection, select_subspaces(options.subspace, schema));
  if (selection.subspaces.size() != 1)
    return Error(errors::unknown_subspace,
                 fmt::format("`{}` is a family; name one subspace of it by its letter",
                             printable(options.subspace, 40)));
  const auto after = from_hex(options.after);
  if (!after) return Error(errors::bad_id, "the key to begin behind is not hexadecimal");
  const Subspace& subspace = *selection.subspaces[0];
  std::optional<std::uint32_t> account;
  if (!options.account.empty()) {
    PLAN_TRY(id, known_account(dump, options.account));
    account = id;
  }
  PLAN_TRY(reader, open_letter(dump, subspace.letter));
  Listed listed{.limit = options.limit};
  while (true) {
    PLAN_TRY(is_there, reader->next());
    if (!is_there) break;
    if (!options.after.empty() && reader->key() <= *after) continue;
    if (account && (!key_shape_fault(subspace, reader->key()).empty() ||
                    account_of(subspace, reader->key()) != account))
      continue;
    if (listed.is_room())
      listed.add(
          Value::map({{"key", ir::to_hex(reader->key())}, {"value_bytes", reader->value_bytes()}}));
    else
      ++listed.total;
  }
  return listed.finish("records");
}

Value texts(const std::vector<std::string>& lines) {
  Value list = Value::list();
  for (const std::string& line : lines) list.push_back(printable(line, 320));
  return list;
}

Result<Value> list_accounts(const std::string& dump, const ListOptions& options) {
  PLAN_TRY(directory, Directory::read(dump));
  if (directory.empty()) return Error(errors::not_in_dump, dump + " has no directory (subspace d)");
  std::optional<std::uint32_t> only;
  if (!options.account.empty()) {
    PLAN_TRY(id, directory.find_account(options.account));
    only = id;
  }
  Listed listed{.limit = options.limit};
  for (const auto& [id, account] : directory.accounts()) {
    if (only && id != *only) continue;
    listed.add(Value::map({{"id", std::int64_t{id}},
                           {"name", printable(account.name, 320)},
                           {"type", account.type},
                           {"addresses", texts(account.addresses)}}));
  }
  return listed.finish("accounts");
}

Result<Value> list_objects(const std::string& dump, const ListOptions& options,
                           std::optional<std::uint32_t> account) {
  constexpr std::string_view kCollections[] = {
      "email",     "mailbox",  "thread", "identity",     "submission", "sieve", "push",
      "principal", "calendar", "event",  "address-book", "card",       "file",  "notification"};
  PLAN_TRY(reader, open_letter(dump, 'p'));
  Listed listed{.limit = options.limit};
  std::optional<ObjectKey> group;
  std::uint64_t count = 0, bytes = 0;
  const auto finish_group = [&] {
    if (group && count > 0)
      listed.add(Value::map({{"account", std::int64_t{group->account}},
                             {"collection", group->collection < std::size(kCollections)
                                                ? Value(kCollections[group->collection])
                                                : Value(std::int64_t{group->collection})},
                             {"objects", count},
                             {"value_bytes", bytes}}));
    count = bytes = 0;
  };
  while (true) {
    PLAN_TRY(is_there, reader->next());
    if (!is_there) break;
    const auto object = object_key(reader->key());
    if (!object || (account && object->account != *account)) continue;
    if (!group || group->account != object->account || group->collection != object->collection) {
      finish_group();
      group = object;
    }
    if (reader->key().size() == kMessageKeyBytes && object->field == kMainField) ++count;
    bytes += reader->value_bytes();
  }
  finish_group();
  return listed.finish("objects");
}

Result<Value> list_messages(const std::string& dump, const ListOptions& options,
                            std::optional<std::uint32_t> account) {
  PLAN_TRY(reader, open_letter(dump, 'p'));
  Listed listed{.limit = options.limit};
  while (true) {
    PLAN_TRY(is_there, reader->next());
    if (!is_there) break;
    const auto object = object_key(reader->key());
    if (!object || reader->key().size() != kMessageKeyBytes || object->collection != kEmail ||
        object->field != kMetadataField || (account && object->account != *account))
      continue;
    if (!listed.is_room()) {
      ++listed.total;
      continue;
    }
    PLAN_TRY(value, reader->value());
    Value item = Value::map(
        {{"account", std::int64_t{object->account}}, {"document", std::int64_t{object->document}}});
    const auto metadata = metadata_of(value);
    if (metadata && *metadata) {
      item.set("received_at", (*metadata)->received_at);
      item.set("has_attachment", (*metadata)->has_attachment);
      item.set("blob", ir::to_hex((*metadata)->blob_hash));
      item.set("header_bytes", std::uint64_t{(*metadata)->header_lines.size()});
      item.set("header_bytes_before_blob",
               static_cast<std::int64_t>((*metadata)->header_lines.size()) -
                   static_cast<std::int64_t>((*metadata)->body_byte));
    } else {
      item.set("fault", metadata ? std::string("its metadata has a layout that is not known")
                                 : metadata.error().message());
    }
    listed.add(std::move(item));
  }
  return listed.finish("messages");
}

Result<Value> list_registry(const std::string& dump, const ListOptions& options) {
  std::map<std::pair<char, std::uint16_t>, std::uint64_t> counts;
  for (const char letter : {'d', 's', 'h', 'r'}) {
    if (!std::filesystem::exists(dump + "/" + file_name_of(letter))) continue;
    PLAN_TRY(reader, open_letter(dump, letter));
    if (reader->header()->schema != kSchema16)
      return Error(errors::not_in_dump, "only 0.16 keeps a registry of objects");
    while (true) {
      PLAN_TRY(is_there, reader->next());
      if (!is_there) break;
      if (reader->key().size() == 10) ++counts[{letter, big_u16(reader->key())}];
    }
  }
  Listed listed{.limit = options.limit};
  for (const auto& [what, count] : counts)
    listed.add(Value::map({{"letter", std::string(1, what.first)},
                           {"type", fmt::format("{:04x}", what.second)},
                           {"objects", count}}));
  return listed.finish("registry");
}

}  // namespace

Result<Value> list_contents(const std::string& dump, const ListOptions& asked) {
  ListOptions options = asked;
  options.limit = std::min(options.limit, kListedMax);
  if (options.what == "records") return list_records(dump, options);
  if (options.what == "accounts") return list_accounts(dump, options);
  if (options.what == "registry") return list_registry(dump, options);
  std::optional<std::uint32_t> account;
  if (!options.account.empty()) {
    PLAN_TRY(id, known_account(dump, options.account));
    account = id;
  }
  if (options.what == "objects") return list_objects(dump, options, account);
  if (options.what == "messages") return list_messages(dump, options, account);
  return Error(
      errors::not_in_dump,
      fmt::format("`{}` is nothing to list: accounts, objects, messages, records, registry",
                  printable(options.what, 40)));
}

Result<Value> get_record(const std::string& dump, std::string_view subspace,
                         std::string_view key_hex, const Sink& sink) {
  PLAN_TRY(schema, schema_of_dump(dump));
  PLAN_TRY(selection, select_subspaces(subspace, schema));
  const auto key = from_hex(key_hex);
  if (selection.subspaces.size() != 1)
    return Error(errors::unknown_subspace,
                 fmt::format("`{}` is a family; name one subspace of it by its letter",
                             printable(subspace, 40)));
  if (!key)
    return Error(errors::bad_id,
                 fmt::format("`{}` is no key in hexadecimal", printable(key_hex, 60)));
  PLAN_TRY(reader, open_letter(dump, selection.subspaces[0]->letter));
  while (true) {
    PLAN_TRY(is_there, reader->next());
    if (!is_there) break;
    if (reader->key() != *key) continue;
    ir::Sha256Stream digest;
    const std::uint64_t bytes = reader->value_bytes();
    while (true) {
      PLAN_TRY(piece, reader->value_piece());
      if (piece.empty()) break;
      digest.update(piece);
      PLAN_TRY_VOID(sink(piece));
    }
    return Value::map({{"letter", std::string(1, selection.subspaces[0]->letter)},
                       {"key", key_hex},
                       {"value_bytes", bytes},
                       {"sha256", digest.finish().hex()}});
  }
  return Error(errors::not_in_dump,
               fmt::format("subspace {} has no key {}", selection.subspaces[0]->letter,
                           printable(key_hex, 100)));
}

Result<Value> get_message(const std::string& dump, std::string_view account,
                          std::string_view message, const Sink& sink) {
  PLAN_TRY(directory, Directory::read(dump));
  PLAN_TRY(owner, directory.find_account(account));
  const auto document = document_of(message);
  if (!document)
    return Error(errors::bad_id, fmt::format("`{}` is no id of a message", printable(message, 60)));
  std::string key;
  append_big(key, owner, 4);
  key += static_cast<char>(kEmail);
  key += static_cast<char>(kMetadataField);
  append_big(key, *document, 4);
  PLAN_TRY(properties, open_letter(dump, 'p'));
  std::optional<MessageMetadata> metadata;
  while (!metadata) {
    PLAN_TRY(is_there, properties->next());
    if (!is_there || properties->key() > key)
      return Error(errors::not_in_dump,
                   fmt::format("account {} has no message {}", owner, *document));
    if (properties->key() != key) continue;
    PLAN_TRY(value, properties->value());
    PLAN_TRY(found, metadata_of(value));
    if (!found)
      return Error(errors::dump_damaged, "the metadata of the message has a layout not known here");
    metadata = std::move(found);
  }
  PLAN_TRY(blobs, open_letter(dump, 't'));
  while (true) {
    PLAN_TRY(is_there, blobs->next());
    if (!is_there)
      return Error(errors::not_in_dump, fmt::format("blob {} of the message is not in this dump",
                                                    ir::to_hex(metadata->blob_hash)));
    if (blobs->key() == metadata->blob_hash) break;
  }
  if (metadata->body_byte > blobs->value_bytes())
    return Error(errors::dump_damaged, "the body of the message begins behind the end of its blob");
  ir::Sha256Stream digest;
  std::uint64_t bytes = metadata->header_lines.size();
  digest.update(metadata->header_lines);
  PLAN_TRY_VOID(sink(metadata->header_lines));
  Blake3 hash;
  std::uint64_t skipped = 0;
  while (true) {
    PLAN_TRY(piece, blobs->value_piece());
    if (piece.empty()) break;
    hash.update(piece);
    const std::uint64_t rest = metadata->body_byte - skipped;
    const std::string_view body = piece.substr(std::min<std::uint64_t>(rest, piece.size()));
    skipped += piece.size() - body.size();
    if (body.empty()) continue;
    digest.update(body);
    bytes += body.size();
    PLAN_TRY_VOID(sink(body));
  }
  if (hash.finish() != metadata->blob_hash)
    return Error(errors::dump_damaged,
                 fmt::format("blob {} is not what its hash says", ir::to_hex(metadata->blob_hash)));
  return Value::map(
      {{"account", std::int64_t{owner}},
       {"document", std::int64_t{*document}},
       {"bytes", bytes},
       {"sha256", digest.finish().hex()},
       {"blob", ir::to_hex(metadata->blob_hash)},
       {"header_bytes_before_blob", static_cast<std::int64_t>(metadata->header_lines.size()) -
                                        static_cast<std::int64_t>(metadata->body_byte)}});
}

}  // namespace plan::dump
