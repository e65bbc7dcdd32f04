#pragma once
#include <string>

#include "compiler/source/result.h"
#include "runtime/secret/secret.h"

namespace plan::secret {

/// Reads a file that only its owner may read (mode & 077 is 0); one trailing line end is cut. The
/// check is made on the open file, so that it cannot be exchanged in between. Errors:
/// secret-missing, secret-unreadable, secret-exposed, secret-too-large.
[[nodiscard]] Result<Secret> read_private_file(const std::string& path);

}  // namespace plan::secret
