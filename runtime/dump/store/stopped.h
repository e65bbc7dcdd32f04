#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/store/store_address.h"

namespace plan::dump {

struct StoppedOptions {
  /// Ports on this machine on which the server would answer.
  std::vector<std::uint16_t> ports = {};
};

/// Nobody works on the store: no process of this machine has a file of it open, its locks are free,
/// no other session is in the database (which covers every node of a cluster), and nothing listens
/// on the ports named. Looks only. Error: store-in-use, with who it is.
[[nodiscard]] Outcome check_stopped(const StoreAddress& address,
                                    const StoppedOptions& options = {});

}  // namespace plan::dump
