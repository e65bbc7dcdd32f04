#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::proxy {

enum class ControlOp : std::uint8_t {
  status,
  names,
  map,
  sessions,
  hold,
  prepare,
  unprepare,
  commit,
  abort,
  confirm,
  kick,
  drain,
  probe,
  acquire,
  take_over
};

/// One request of the control protocol, read and bounded (docs/formats/proxy.md). Members that an
/// op does not use are empty.
struct ControlRequest {
  ControlOp op = ControlOp::status;
  std::vector<std::string> names = {};  ///< normalised, each usable, no name twice
  std::uint64_t generation = 0;
  std::int64_t bound_ms = 0;  ///< 0: the configured one
  std::string destination = {};
  std::string lease = {};
  std::string protocol = {};
  std::string login = {};
  std::string password = {};
  std::string after = {};
  std::size_t count = 0;
};

/// Errors: request-malformed. Pure.
[[nodiscard]] Result<ControlRequest> read_control_request(std::string_view json);

/// The head of an HTTP request to the control address.
struct ControlHttpHead {
  bool is_post = false;
  std::string path = {};
  std::string bearer = {};
  std::size_t content_length = 0;
  bool is_kept_alive = true;
};
/// `head` without its empty line. Nothing when it is no HTTP/1.1 request that we take. Pure.
[[nodiscard]] std::optional<ControlHttpHead> read_http_head(std::string_view head);

[[nodiscard]] std::string_view to_string(ControlOp op);

}  // namespace plan::proxy
