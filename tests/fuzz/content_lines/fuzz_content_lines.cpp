// links: rehearsal
// vCard and iCalendar texts as a client of the embedded target may upload them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/rehearsal/content_lines.h"
#include "runtime/rehearsal/entry_query.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::rehearsal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const ContentLine& line : content_lines(text)) {
    PLAN_CHECK(!line.name.empty(), "a line has a name");
    static_cast<void>(split_value(line.value, ';'));
    static_cast<void>(duration_seconds(line.value));
  }
  if (const auto card = card_of_vcard(text))
    PLAN_CHECK((*card)["@type"].is_string(), "a card says what it is");
  if (const auto events = events_of_icalendar(text))
    PLAN_CHECK(events->size() > 0, "a list of events has one");
  return 0;
}
