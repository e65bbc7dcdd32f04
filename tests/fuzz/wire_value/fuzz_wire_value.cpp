// links: server
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "compiler/ir/json.h"
#include "compiler/source/check.h"
#include "runtime/server/stalwart/wire_value.h"

/// What a plan wants (up to the first NUL) beside what the target has: whatever both are, the
/// comparison and the patch agree about whether there is something to do.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plan;
  using namespace plan::server::stalwart;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\0');
  if (end == std::string_view::npos) return 0;
  const auto planned = ir::read_canonical(text.substr(0, end));
  const auto live = ir::parse_json(text.substr(end + 1));
  if (!planned || !live || !planned->is_map() || !live->is_map()) return 0;
  const ir::Value wanted = to_wire(*planned);
  PLAN_CHECK(to_wire(wanted).is_map(), "the spelling of the wire has one");
  std::vector<ir::Difference> differences;
  compare_members(wanted, *live, differences);
  const ir::Value patch = patch_for(wanted, *live);
  PLAN_CHECK(patch.is_map(), "a patch is a map");
  static_cast<void>(touched_by(wanted, *live));
  static_cast<void>(fits(wanted, *live));
  static_cast<void>(has_outputs(wanted));
  const ir::Value bare = without_server_members(*live);
  PLAN_CHECK(without_server_members(bare) == bare, "nothing is left of what the server sets");
  return 0;
}
