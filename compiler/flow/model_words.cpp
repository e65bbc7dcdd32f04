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

std::string_view to_string(Fate fate) {
  switch (fate) {
    case Fate::target_mailbox:
      return "mailbox on the target";
    case Fate::source_mailbox:
      return "mailbox on the source";
    case Fate::source_queue:
      return "queue of the source";
    case Fate::target_queue:
      return "queue of the target";
    case Fate::outside:
      return "outside";
    case Fate::refused:
      return "refused at RCPT";
    case Fate::deferred:
      return "deferred at RCPT";
    case Fate::bounced:
      return "bounced";
    case Fate::discarded:
      return "discarded";
    case Fate::loop:
      return "loop";
    case Fate::public_mx:
      return "public MX";
    case Fate::undecided:
      return "undecided";
  }
  return "";
}

std::string to_text(const Hop& hop) {
  return hop.rule.empty() ? hop.text : fmt::format("{} ({})", hop.text, hop.rule);
}

}  // namespace plan::flow
