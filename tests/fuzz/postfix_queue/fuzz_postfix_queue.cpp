// links: server
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/server/postfix/postfix_queue.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::server::postfix;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto queue = parse_queue(text);
  if (!queue) return 0;
  for (const QueueEntry& entry : *queue) {
    for (const QueueRecipient& recipient : entry.recipients) {
      const std::string plain = plain_address(recipient.address, "+");
      PLAN_CHECK(plain_address(plain, "+") == plain, "a plain address has no tag left");
      PLAN_CHECK(names_account(entry, {plain}), "a recipient names itself");
    }
  }
  static_cast<void>(is_drained(*queue, {"user01@legacy.test"}, 100));
  return 0;
}
