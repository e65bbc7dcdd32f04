// links: ir
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/ir/plan_file.h"
#include "compiler/source/check.h"

/// A saved plan from anywhere. Its digest and its one spelling keep a fuzzer out, so the document
/// is tried as it would be spelled, under its right digest; what is read must be written with the
/// same bytes: nothing of it was left out, and nothing made up.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);  // NOLINT
  std::string digest;
  (void)plan::ir::read_saved_plan(text, &digest);
  const auto document = plan::ir::read_canonical(text);
  if (!document) return 0;
  const std::string body = plan::ir::canonical_json(*document) + "\n";
  const std::string with_digest = "plan-saved 1 " + plan::ir::sha256(body).hex() + "\n" + body;
  const auto plan = plan::ir::read_saved_plan(with_digest, &digest);
  if (!plan) return 0;
  std::string same;
  PLAN_CHECK(plan::ir::write_saved_plan(*plan, &same) == with_digest && same == digest,
             "one plan has one text");
  return 0;
}
