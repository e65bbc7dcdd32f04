// Prevents: values that the target takes although nobody can use them: the selector of a key with a
// blank in it, which no DNS name has, and a second factor that is no `otpauth://` text, which locks
// the account (reference/stalwart-admin.md 0a, 5.3, 5.6).
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
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
  report_member(view, write, "set.selector", Kind::schema_value,
                fmt::format("calls a DKIM key `{}`, which is no name of DNS",
                            printable(selector.as_string(), 80)),
                sink)
      .label("nobody finds the key: every signature is worth nothing")
      .help("a selector has letters, digits, `-` and dots between them");
}

void look_at_factor(const GraphView& view, const TargetWrite& write, std::string_view number,
                    const ir::Value& credential, Sink& sink) {
  const ir::Value& factor = credential["otpAuth"];
  if (!factor.is_string() || factor.as_string().starts_with("otpauth://totp/")) return;
  report_member(view, write, fmt::format("set.credentials.{}.otpAuth", number), Kind::schema_value,
                "gives an account a second factor that is no `otpauth://totp/` text", sink)
      .label("the target takes it, and nobody can log in any more")
      .help("leave `otpAuth` out: the user sets up a new one after the move");
}

/// Text of all conditions that decide about a route: those that steps write, and the target's own.
std::string conditions_of_routes(const GraphView& view) {
  std::string text;
  const auto take = [&](const ir::Value& route) {
    for (const auto& [number, arm] : route["match"].members()) text += arm["if"].string_or("");
    for (const ir::Value& arm : route["match"].items()) text += arm["if"].string_or("");
  };
  take(setting(view.migration(), "target.MtaOutboundStrategy.route"));
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "MtaOutboundStrategy") take(write.set["route"]);
  }
  return text;
}

/// Keys are compared as they are written.
void look_at_lookup_key(const GraphView& view, const TargetWrite& write,
                        const std::string& conditions, Sink& sink) {
  const std::string_view key = write.match["key"].string_or("");
  const std::string_view set = write.match["namespace"].string_or("");
  if (lower_ascii(key) == key ||
      conditions.find(fmt::format("('{}', to_lowercase(", set)) == std::string::npos)
    return;
  report_member(view, write, "match.key", Kind::schema_value,
                fmt::format("puts `{}` into the set `{}`, which is asked for small letters only",
                            printable(key, 120), printable(set, 60)),
                sink)
      .label("the target keeps the key as it is written, and no address is ever equal to it")
      .help(fmt::format("write `{}`", printable(lower_ascii(key), 120)));
}

}  // namespace

void unusable_value(const GraphView& view, Sink& sink) {
  const std::string conditions = conditions_of_routes(view);
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "MemoryLookupKey" || write.object == "MemoryLookupKeyValue")
      look_at_lookup_key(view, write, conditions, sink);
    if (write.object == "DkimSignature") look_at_key(view, write, sink);
    if (write.object != "Account") continue;
    const ir::Value& credentials = write.set["credentials"];
    for (const auto& [number, credential] : credentials.members())
      look_at_factor(view, write, number, credential, sink);
    for (std::size_t i = 0; i < credentials.items().size(); ++i)
      look_at_factor(view, write, std::to_string(i), credentials.item(i), sink);
  }
}

}  // namespace plan::check::rules
