#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::proxy {

/// What the bytes of a map file say (docs/formats/proxy.md). Its first line names format, version
/// and the proxy's instance; every further line is one record, with a digest chained over all lines
/// before it, so that a damaged, lost or moved line is noticed. Only the last line may be torn:
/// that is a record whose write was never acknowledged.
struct MapImage {
  std::string instance = {};  ///< 32 hex digits, made when the map was created
  std::vector<ir::Value> records = {};
  std::size_t valid_bytes = 0;  ///< up to here the file is good; a torn tail behind it is cut off
  std::string chain = {};       ///< digest that the next record continues
};

/// Errors: map-corrupt.
[[nodiscard]] Result<MapImage> read_map_image(std::string_view bytes);
/// The bytes of a map with these records.
[[nodiscard]] std::string write_map_image(const std::string& instance,
                                          const std::vector<ir::Value>& records);

/// The map file: append, sync, and only then acknowledge. One process at a time (a lock file beside
/// it). After a failed sync nothing more is written: what the disk holds is not known then, so the
/// proxy must be started anew.
class MapLog {
 public:
  /// Opens or creates; cuts a torn tail. `image` gets what was read. Errors: map-unreadable,
  /// map-corrupt, map-locked, map-missing.
  [[nodiscard]] static Result<std::unique_ptr<MapLog>> open(const std::string& path,
                                                            bool is_created, MapImage& image);
  ~MapLog();
  MapLog(const MapLog&) = delete;
  MapLog& operator=(const MapLog&) = delete;

  /// Durable when it returns. Errors: map-unreadable (effect none: nothing of the record is in the
  /// file; unknown: the sync failed).
  [[nodiscard]] Outcome append(const ir::Value& record);
  /// Replaces the whole file (written beside, synced, renamed). Errors as append; the old file
  /// stays good.
  [[nodiscard]] Outcome rewrite(const std::vector<ir::Value>& records);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const std::string& instance() const { return instance_; }
  [[nodiscard]] bool is_poisoned() const { return is_poisoned_; }

 private:
  MapLog() = default;

  std::string path_;
  std::string instance_;
  std::string chain_;
  int file_ = -1;
  int lock_ = -1;
  std::size_t bytes_ = 0;
  bool is_poisoned_ = false;
};

}  // namespace plan::proxy
