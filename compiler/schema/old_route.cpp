#include "compiler/schema/old_route.h"

#include <string>
#include <utility>

namespace plan::schema {

const MtaContext& old_route_context() {
  static const MtaContext kContext = [] {
    MtaContext context;
    context.name = "queue, recipient, of an old server";
    context.variables = {"rcpt",      "rcpt_domain", "sender",   "sender_domain",
                         "retry_num", "notify_num",  "priority", "queue_name"};
    context.is_of_old_server = true;
    return context;
  }();
  return kContext;
}

Result<MtaContainer> parse_old_route(const ir::Value& block) {
  ir::Value match = ir::Value::map();
  ir::Value otherwise;
  for (const ir::Value& rule : block["rules"].items()) {
    if (rule["else"].is_string()) {
      otherwise = rule["else"];
    } else {
      match.set(std::to_string(match.size()),
                ir::Value::map({{"if", rule["if"]}, {"then", rule["then"]}}));
    }
  }
  return MtaContainer::parse(
      ir::Value::map({{"match", std::move(match)}, {"else", std::move(otherwise)}}),
      old_route_context());
}

}  // namespace plan::schema
