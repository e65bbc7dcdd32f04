// links: schema
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "compiler/schema/mta_container.h"
#include "compiler/source/check.h"

/// An MTA expression of a plan or of a hostile target: it parses or says where not, and an
/// evaluation ends.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);  // NOLINT
  const plan::schema::MtaContext& context =
      plan::schema::context_of("MtaOutboundStrategy", "route");
  plan::schema::MtaError error;
  const auto expression = plan::schema::parse_mta_expression(text, context, &error);
  if (!expression) {
    PLAN_CHECK(error.offset <= text.size() && !error.message.empty(),
               "an error has a place and words");
    return 0;
  }
  for (const plan::schema::MtaNode& node : expression->nodes) {
    PLAN_CHECK(node.begin <= node.end && node.end <= text.size(), "every part lies in the text");
  }
  plan::schema::MtaEnvironment environment;
  environment.variable = [](std::string_view name) { return plan::ir::Value(name); };
  environment.call =
      [](std::string_view name,
         const std::vector<plan::ir::Value>& arguments) -> std::optional<plan::ir::Value> {
    if (name == "dns_query") return std::nullopt;
    return plan::ir::Value(arguments.size() > 1);
  };
  (void)plan::schema::evaluate(*expression, environment);
  return 0;
}
