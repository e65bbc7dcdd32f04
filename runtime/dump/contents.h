#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::dump {

/// What `plan dump list` shows.
struct ListOptions {
  /// `records` (of one subspace), `accounts`, `objects` (counts by account and collection),
  /// `messages`, `registry` (0.16: objects by type).
  std::string what = "accounts";
  std::string subspace = {};  ///< for `records`: letter or name
  std::string account = {};   ///< only this one's: id, name or address
  std::uint64_t limit = 1000;
  std::string after = {};  ///< for `records`: hexadecimal key to begin behind
};
constexpr std::uint64_t kListedMax = 100'000;

/// {what, items: [...], total, is_cut}. Records: {key, value_bytes}; accounts: {id, name, type,
/// addresses}; messages: {account, document, received_at, has_attachment, blob, header_bytes,
/// header_bytes_before_blob}.
/// Errors: not-in-dump, dump-unknown-account, unknown-subspace, those of the files.
[[nodiscard]] Result<ir::Value> list_contents(const std::string& dump, const ListOptions& options);

/// Where bytes go, piece by piece.
using Sink = std::function<Outcome(std::string_view)>;

/// The value of one record, by its key in hexadecimal. Blobs as decoded. Error: not-in-dump.
[[nodiscard]] Result<ir::Value> get_record(const std::string& dump, std::string_view subspace,
                                           std::string_view key_hex, const Sink& sink);

/// The bytes of a message as its owner would download them: the header lines of its metadata record
/// and the rest of its blob, which is compared with its hash on the way
/// (reference/stalwart-store.md 8.3). `message` is a document number, or the id that JMAP shows.
/// {account, document, bytes, blob, sha256, header_bytes_before_blob}. Errors: not-in-dump,
/// dump-damaged when the blob is not what its hash says: what was written must not be used then.
[[nodiscard]] Result<ir::Value> get_message(const std::string& dump, std::string_view account,
                                            std::string_view message, const Sink& sink);

}  // namespace plan::dump
