#pragma once
#include <string>
#include <unordered_set>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// The keys of one mapping while it is read. Linear look-up in small mappings, by hash in large
/// ones, so that a hostile file costs linear time.
class KeySet {
 public:
  /// Appends the entry; false: the mapping has the key, and `duplicate-key` was reported.
  bool add(Node& mapping, Entry entry, Sink& sink);

 private:
  [[nodiscard]] bool has(const Node& mapping, const std::string& key);

  std::unordered_set<std::string> keys_;  // only of large mappings
};

}  // namespace plan::syntax
