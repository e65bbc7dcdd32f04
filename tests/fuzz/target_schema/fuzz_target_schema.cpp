// links: rehearsal
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/rehearsal/schema_facts.h"

/// A schema document given to `plan target run --schema`: what loads can fill in every object.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan::rehearsal;
  const auto facts = SchemaFacts::parse({reinterpret_cast<const char*>(data), size});
  if (!facts) return 0;
  std::size_t looked_at = 0;
  for (const auto& [name, type] : (*facts)->types()) {
    if (++looked_at > 20) break;
    PLAN_CHECK((*facts)->type(name) == &type, "a type is found by its name");
    static_cast<void>((*facts)->target_of(name));
    static_cast<void>((*facts)->refers_to(type, "x:Domain"));
    if (type.shape == nullptr) continue;
    static_cast<void>((*facts)->blank(*type.shape, "", 0));
    for (const Variant& variant : type.shape->variants)
      static_cast<void>((*facts)->blank(*type.shape, variant.name, 0));
  }
  return 0;
}
