#pragma once
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/record.h"

namespace plan::dump {

/// Writes blobs as the files of a server's file-system blob store. A file that is there with the
/// same size is taken for the same blob, as the server does; reading back compares the content. One
/// thread at a time.
class BlobFolder {
 public:
  BlobFolder(std::string folder, unsigned depth) : folder_(std::move(folder)), depth_(depth) {}
  /// `record.value` as it is stored.
  [[nodiscard]] Outcome put(const Record& record);
  /// Everything put is on the disk when it returns.
  [[nodiscard]] Outcome sync();

 private:
  std::string folder_;
  unsigned depth_;
  std::vector<std::string> unsynced_;
};

/// Error: target-not-empty.
[[nodiscard]] Outcome check_blob_folder_empty(const std::string& folder);

}  // namespace plan::dump
