#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "compiler/source/result.h"

namespace plan::net {

/// True when the bytes begin like a gzip member (RFC 1952).
[[nodiscard]] bool is_gzip(std::string_view bytes);

/// Unpacks gzip members one after the other. Errors: answer-too-large when more than `bytes_max`
/// come out (a bomb stops there), protocol-violation when the bytes are damaged or end early.
[[nodiscard]] Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max);

}  // namespace plan::net
