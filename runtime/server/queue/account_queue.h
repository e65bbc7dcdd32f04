#pragma once
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "compiler/source/result.h"

namespace plan::server::queue {

/// Mail of one account that waits on one server.
struct Waiting {
  std::size_t messages = 0;  ///< with an open recipient that is one of the addresses
  std::string reason =
      {};  ///< why the first of them waits, in the server's words; empty when it does not say
};

/// One server's queue, seen from one account. Thread-safe.
class AccountQueue {
 public:
  AccountQueue() = default;
  AccountQueue(const AccountQueue&) = delete;
  AccountQueue& operator=(const AccountQueue&) = delete;
  virtual ~AccountQueue() = default;

  /// `addresses` are all names of the account in lower case. Reads only.
  [[nodiscard]] virtual Result<Waiting> look(const std::vector<std::string>& addresses) = 0;
  /// Ids of those messages.
  [[nodiscard]] virtual Result<std::set<std::string>> ids(
      const std::vector<std::string>& addresses) = 0;
  /// Has all of that tried again now, where the server can be told so; where it cannot, it tries
  /// them at its own times. What is gone meanwhile does not matter.
  [[nodiscard]] virtual Outcome flush(const std::vector<std::string>& addresses) = 0;
};

}  // namespace plan::server::queue
