// Prevents: values that the target takes although nobody can use them: the selector of a key with a
// blank in it, which no DNS name has, and a second factor that is no `otpauth://` text, which locks
// the account (reference/stalwart-admin.md 0a, 5.3, 5.6).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

bool is_selector(std::string_view text) {
  return !text.empty() && text.front() != '.' && text.back() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

void look_at_key(const GraphView& view, const TargetWrite& write, Sink& sink) {
  const ir::Value& selector =
      write.set["selector"].is_null() ? write.match["selector"] : write.set["selector"];
  if (!selector.is_string() || is_selector(selector.as_string())) return;
  report_write(view, write, Kind::schema_value,
               fmt::format("calls a DKIM key `{}`, which is no name of DNS",
                           printable(selector.as_string(), 80)),
               sink)
      .label("nobody finds the key: every signature is worth nothing")
      .help("a selector has letters, digits, `-` and dots between them");
}

void look_at_factor(const GraphView& view, const TargetWrite& write, const ir::Value& credential,
                    Sink& sink) {
  const ir::Value& factor = credential["otpAuth"];
  if (!factor.is_string() || factor.as_string().starts_with("otpauth://totp/")) return;
  report_write(view, write, Kind::schema_value,
               "gives an account a second factor that is no `otpauth://totp/` text", sink)
      .label("the target takes it, and nobody can log in any more")
      .help("leave `otpAuth` out: the user sets up a new one after the move");
}

}  // namespace

void unusable_value(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "DkimSignature") look_at_key(view, write, sink);
    if (write.object != "Account") continue;
    const ir::Value& credentials = write.set["credentials"];
    for (const auto& [number, credential] : credentials.members())
      look_at_factor(view, write, credential, sink);
    for (const ir::Value& credential : credentials.items())
      look_at_factor(view, write, credential, sink);
  }
}

}  // namespace plan::check::rules
