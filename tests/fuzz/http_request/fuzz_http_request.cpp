// links: net
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/net/http_server.h"

/// The head of a request to one of our servers.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::net;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = parse_request_head(text)) {
    PLAN_CHECK(!request->method.empty(), "a request has a method");
    PLAN_CHECK(request->path.find_first_of(" ?\r\n") == std::string::npos, "a path is one word");
    for (const auto& [name, value] : request->headers) {
      PLAN_CHECK(request->has_header(name) && request->header(name) == value,
                 "a header is there once");
      PLAN_CHECK(value.find_first_of("\r\n") == std::string::npos, "a header is one line");
    }
    static_cast<void>(percent_decode(request->path));
  }
  if (const auto decoded = percent_decode(text))
    PLAN_CHECK(decoded->size() <= text.size(), "decoding makes nothing longer");
  return 0;
}
