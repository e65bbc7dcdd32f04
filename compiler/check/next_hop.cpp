#include "compiler/check/next_hop.h"

#include <charconv>

namespace plan::check {

NextHop next_hop_of(std::string_view text) {
  NextHop hop;
  const std::size_t colon = text.find(':');
  hop.transport = text.substr(0, colon);
  std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return hop;
    hop.is_bracketed = true;
    hop.host = rest.substr(1, end - 1);
    rest = rest.substr(end + 1);
  } else {
    hop.host = rest.substr(0, rest.find(':'));
    rest = rest.substr(hop.host.size());
  }
  if (rest.starts_with(':')) {
    const char* end = rest.data() + rest.size();
    std::int64_t port = 0;
    const auto [last, error] = std::from_chars(rest.data() + 1, end, port);
    if (error == std::errc() && last == end && port > 0 && port <= 65'535) hop.port = port;
  }
  return hop;
}

}  // namespace plan::check
