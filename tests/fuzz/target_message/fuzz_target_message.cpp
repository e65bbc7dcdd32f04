// links: rehearsal
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/rehearsal/email_view.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/sieve_check.h"
#include "runtime/rehearsal/sieve_run.h"

/// A message that the embedded target takes in, and (up to the first NUL, when there is one) a
/// script that runs over it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::rehearsal;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t end = all.find('\0');
  const std::string_view script = end == std::string_view::npos ? "keep;" : all.substr(0, end);
  const std::string_view bytes = end == std::string_view::npos ? all : all.substr(end + 1);

  const MessageView view = view_message(bytes);
  PLAN_CHECK(view.header.size() + view.body.size() <= bytes.size(), "a view borrows");
  static_cast<void>(is_message(view));
  static_cast<void>(identity_of(view));
  std::size_t looked_at = 0;
  for (const HeaderField& field : view.fields) {
    if (++looked_at > 50) break;
    static_cast<void>(decode_text(field.value));
    static_cast<void>(parse_addresses(field.value));
    static_cast<void>(parse_message_ids(field.value));
    if (const auto at = parse_mail_date(field.value)) static_cast<void>(show_mail_date(*at));
    if (const auto at = parse_rfc3339(field.value)) static_cast<void>(show_rfc3339(*at));
    if (const auto at = parse_imap_date(field.value)) static_cast<void>(show_imap_date(*at));
  }
  const auto parts = parts_of(bytes);
  PLAN_CHECK(!parts.empty() && parts.size() <= 1001, "parts are bounded");
  for (const Part& part : parts) {
    PLAN_CHECK(part.depth <= 21, "levels are bounded");
    PLAN_CHECK(decode_content(part).size() <= 3 * bytes.size() + 16, "content does not explode");
  }
  const MailAccount account;
  Email email;
  email.size = bytes.size();
  static_cast<void>(show_email(account, email, bytes, plan::ir::Value::map()));

  if (sieve_complaint(script)) return 0;
  const SieveOutcome outcome =
      run_sieve(script, view, bytes.size(), {.from = "a@b.test", .to = "c@d.test"});
  PLAN_CHECK(outcome.folders.size() + outcome.redirects.size() <= script.size(),
             "a script does at most what it says");
  return 0;
}
