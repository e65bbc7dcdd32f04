// What the parts of the model are called.
#include <algorithm>

#include <fmt/format.h>

#include "compiler/flow/model.h"

namespace plan::flow {

std::string_view to_string(Entry entry) {
  switch (entry) {
    case Entry::target_25:
      return "target:25";
    case Entry::target_submission:
      return "target submission";
    case Entry::source_25:
      return "source:25";
    case Entry::source_submission:
      return "source submission";
    case Entry::target_local:
      return "target itself";
    case Entry::source_local:
      return "source itself";
    case Entry::target_queue:
      return "queue of the target";
    case Entry::source_queue:
      return "queue of the source";
  }
  return "";
}

std::optional<Entry> entry_by_name(std::string_view name) {
  const auto* found = std::find_if(kEntries.begin(), kEntries.end(),
                                   [&](Entry entry) { return to_string(entry) == name; });
  return found == kEntries.end() ? std::nullopt : std::optional(*found);
}

const std::vector<FateWords>& all_fates() {
  static const std::vector<FateWords> kFates = {
      {Fate::target_mailbox, "mailbox on the target", "target"},
      {Fate::source_mailbox, "mailbox on the source", "source"},
      {Fate::source_queue, "queue of the source", "source queue"},
      {Fate::target_queue, "queue of the target", "target queue"},
      {Fate::outside, "outside", "outside"},
      {Fate::refused, "refused at RCPT", "refused"},
      {Fate::deferred, "deferred at RCPT", "deferred"},
      {Fate::bounced, "bounced", "bounced"},
      {Fate::discarded, "discarded", "discarded"},
      {Fate::loop, "loop", "loop"},
      {Fate::public_mx, "public MX", "public mx"},
      {Fate::undecided, "undecided", "undecided"},
  };
  return kFates;
}

std::string_view to_string(Fate fate) { return all_fates()[static_cast<std::size_t>(fate)].spoken; }

std::string to_text(const Hop& hop) {
  return hop.rule.empty() ? hop.text : fmt::format("{} ({})", hop.text, hop.rule);
}

}  // namespace plan::flow
