// links: net
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/net/imap/date.h"
#include "runtime/net/imap/mailbox_name.h"
#include "runtime/net/imap/parser.h"

namespace {

/// Reads everything in pieces of `size`; what comes out must not depend on it.
std::size_t responses_in(std::string_view bytes, std::size_t size) {
  plan::net::imap::Limits limits{
      .line_bytes_max = 4096, .literal_bytes_max = 4096, .items_max = 500};
  plan::net::imap::ResponseParser parser(limits);
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < bytes.size(); begin += size) {
    parser.feed(bytes.substr(begin, size));
    while (true) {
      auto response = parser.next();
      if (!response) return count;
      if (!*response) break;
      ++count;
    }
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  PLAN_CHECK(responses_in(bytes, 1) == responses_in(bytes, size + 1),
             "the parser is indifferent to how bytes are cut");
  if (const auto name = plan::net::imap::decode_mailbox_name(bytes))
    (void)plan::net::imap::encode_mailbox_name(*name);
  if (const auto set = plan::net::imap::parse_uid_set(bytes)) (void)set->to_string();
  (void)plan::net::imap::parse_internal_date(bytes);
  if (const auto at = plan::net::imap::parse_rfc3339(bytes)) (void)at->imap();
  return 0;
}
