// links: schema
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/ir/json.h"
#include "compiler/schema/check_value.h"
#include "compiler/source/check.h"

/// A schema document of a hostile server: whatever loads must answer every question about itself,
/// and what it completes must be a fixed point.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);  // NOLINT
  const auto schema = plan::schema::Schema::read(text);
  if (!schema) return 0;
  (void)schema->facts_digest();
  std::size_t looked_at = 0;
  for (const plan::schema::ObjectType& object : schema->objects()) {
    if (++looked_at > 20) break;
    (void)schema->resolved(object.name);
    const plan::ir::Value empty = plan::ir::Value::map();
    (void)plan::schema::check_value(*schema, object.name, empty);
    const plan::ir::Value complete = plan::schema::complete_value(*schema, object.name, empty);
    const plan::ir::Value again = plan::schema::canonical_value(*schema, object.name, complete);
    PLAN_CHECK(plan::schema::canonical_value(*schema, object.name, again) == again,
               "canonical twice is canonical");
  }
  return 0;
}
