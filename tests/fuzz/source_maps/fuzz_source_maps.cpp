// links: server
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/server/postfix/alias_table.h"
#include "runtime/server/postfix/transport_map.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::server::postfix;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  MapEntries entries = parse_map(text);
  for (const auto& [key, value] : entries)
    PLAN_CHECK(!key.empty() && !value.empty(), "an entry has two sides");
  std::erase_if(entries, [](const auto& entry) {
    return !is_map_key(entry.first) ||
           entry.second.find_first_of("\r\n\t\v\f") != std::string::npos;
  });
  PLAN_CHECK(parse_map(map_text(entries)) == entries, "what is written reads back");
  AliasTable table;
  table.add(text, "legacy.test");
  static_cast<void>(roles_of(table, {"a@legacy.test", "b@x.test"}));
  return 0;
}
