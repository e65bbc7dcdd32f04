#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/net/dav/client.h"

namespace plan::archive {

/// A row of plan_dav_collection.
struct DavCollection {
  std::int64_t id = 0;
  net::dav::Kind kind = net::dav::Kind::calendar;
  std::string href = {};
  std::string name = {};
  std::string description = {};
  std::string color = {};
  bool is_gone = false;
  std::string target_id = {};  ///< empty: no folder stands for it yet
  bool is_wanted = false;
  bool is_ours = false;
};

/// A row of plan_dav_item, without its text.
struct DavItem {
  std::int64_t id = 0;
  std::int64_t collection_id = 0;
  std::string href = {};
  std::string etag = {};
  std::string sha256 = {};
  bool is_gone = false;
  std::optional<ir::Value> entry = {};  ///< as the target reads the text that is known now
  std::string target_id = {};           ///< empty: not at the target
  std::string pushed_sha256 = {};
  std::string target_digest = {};
  std::string problem = {};
  [[nodiscard]] std::string uid() const;
  /// "event "Dinner" in Work", for people; `collection` is the one it is in.
  [[nodiscard]] std::string where(const DavCollection& collection) const;
};

[[nodiscard]] Result<std::vector<DavCollection>> load_dav_collections(ArchiveFile& archive);
/// Those of one kind, by href.
[[nodiscard]] Result<std::vector<DavItem>> load_dav_items(ArchiveFile& archive,
                                                          net::dav::Kind kind);
[[nodiscard]] Outcome keep_dav_collection(ArchiveFile& archive, const DavCollection& collection);
/// Target id, digest and pushed digest, and the problem, of a row.
[[nodiscard]] Outcome keep_dav_item(ArchiveFile& archive, const DavItem& item);

}  // namespace plan::archive
