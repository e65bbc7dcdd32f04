// links: net
// Replies of an SMTP server, read from a stream that hands out small pieces; and the way of a
// message onto the wire.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/net/smtp/client.h"
#include "runtime/net/smtp/limits.h"

namespace {

class Pieces final : public plan::net::Stream {
 public:
  explicit Pieces(std::string_view text) : text_(text) {}
  plan::Result<std::size_t> read_some(char* data, std::size_t size, plan::net::Deadline) override {
    const std::size_t count = std::min({size, text_.size(), std::size_t{7}});
    std::copy_n(text_.begin(), count, data);
    text_.remove_prefix(count);
    return count;
  }
  plan::Outcome write_all(std::string_view, plan::net::Deadline) override { return {}; }
  void close() override {}

 private:
  std::string_view text_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::net;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Pieces stream(text);
  LineReader reader(stream, smtp::kReplyLineBytesMax);
  while (auto reply = smtp::read_reply(reader, Deadline::never())) {
    PLAN_CHECK(reply->code >= 200 && reply->code <= 599, "a reply has a code");
    PLAN_CHECK(!reply->lines.empty() && reply->lines.size() <= smtp::kReplyLinesMax,
               "a reply is bounded");
    static_cast<void>(reply->to_text());
  }
  const std::string wire = smtp::dot_stuffed(text);
  PLAN_CHECK(wire.ends_with(".\r\n"), "the data has an end");
  const std::size_t first_end = wire.starts_with(".\r\n") ? 0 : wire.find("\r\n.\r\n");
  PLAN_CHECK(first_end + (wire.starts_with(".\r\n") ? 3 : 5) == wire.size(), "and only one");
  return 0;
}
