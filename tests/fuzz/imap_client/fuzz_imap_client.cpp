// links: net
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/net/imap/client.h"
#include "tests/fuzz/canned_stream.h"

/// An IMAP server that says anything at any time. The first byte chooses which commands the client
/// gives, the second how the answers are cut; tags are p1, p2, ... as the client counts them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan;
  using namespace plan::net;
  if (size < 2) return 0;
  const unsigned wanted = data[0];
  const std::string_view said(reinterpret_cast<const char*>(data) + 2, size - 2);
  imap::ClientOptions options;
  options.limits = {.line_bytes_max = 65'536,
                    .literal_bytes_max = 65'536,
                    .items_max = 5000,
                    .mailboxes_max = 100};
  auto opened = imap::Client::over(
      std::make_unique<fuzz::CannedStream>(said, std::size_t{1} + data[1]), options);
  if (!opened) return 0;
  imap::Client& client = **opened;
  if ((wanted & 1U) != 0 &&
      !client.authenticate_plain("a@example.org", "master", secret::Secret("x")))
    return 0;
  if ((wanted & 2U) != 0) static_cast<void>(client.enable_qresync());
  if ((wanted & 4U) != 0) {
    if (const auto listed = client.list())
      PLAN_CHECK(listed->size() <= options.limits.mailboxes_max, "the list is bounded");
    static_cast<void>(client.namespaces());
    static_cast<void>(client.status("INBOX"));
  }
  if ((wanted & 8U) != 0) {
    imap::SelectOptions select;
    if (client.is_qresync_enabled()) select.known_uid_validity = 7;
    static_cast<void>(client.select("INBOX", select));
  }
  if ((wanted & 16U) != 0) {
    std::size_t bytes = 0;
    static_cast<void>(client.fetch("1:*", "(UID FLAGS BODY.PEEK[])",
                                   [&bytes](imap::FetchedMessage&& message) -> Outcome {
                                     PLAN_CHECK(message.uid != 0, "a message has its UID");
                                     bytes += message.body.value_or("").size();
                                     return {};
                                   }));
    PLAN_CHECK(bytes <= said.size(), "no byte comes from nowhere");
  }
  if ((wanted & 32U) != 0) {
    if (const auto uids = client.search()) static_cast<void>(uids->to_string());
  }
  if ((wanted & 64U) != 0) {
    const auto answers =
        client.append_all("INBOX", {{.body = "a: b\r\n\r\n"}, {.body = "c: d\r\n\r\n"}});
    if (answers) PLAN_CHECK(answers->size() == 2, "each message has its answer");
    static_cast<void>(client.store("1", "+FLAGS.SILENT", {"\\Seen"}));
    static_cast<void>(client.expunge("1"));
  }
  client.logout();
  return 0;
}
