#include "judge.h"

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::replay {
namespace {

using ir::Value;

// A recorded session is cut down to the members of interest: so is ours before they are compared.
// Its state is a hash of the running process.
Value only_named(const Value& recorded, const Value& ours) {
  if (!recorded.is_map() || !ours.is_map()) return ours;
  Value out = Value::map();
  for (const auto& [name, value] : recorded.members())
    if (const Value* here = ours.members().find(name)) out.set(name, only_named(value, *here));
  return out;
}

// Both bodies as they are compared; null where the recording has not kept one.
struct Bodies {
  Value recorded = {};
  Value ours = {};
  const char* why_not_compared = nullptr;
};

Bodies bodies_of(const Value& record, const HttpAnswer& answer) {
  const Value& body = record["response"]["body"];
  if (body["$encoding"].is_string())
    return {{}, {}, "a compressed body, of which the recording has kept the digest"};
  if (body.is_map() && body.members().contains("$session"))
    return {{}, {}, "a session that the recording has not kept"};
  if (body["$sha256"].is_string()) return {{}, {}, "a body that the recording has not kept"};
  if (body["$base64"].is_string()) {
    bool is_valid = false;
    return {ir::from_base64(body["$base64"].as_string(), &is_valid), answer.body, nullptr};
  }
  Bodies out{recorded_value(body), answer_value(answer), nullptr};
  if (out.recorded.is_string() && !out.recorded.string_or("").empty() && !body.is_string())
    if (auto parsed = ir::parse_json(out.recorded.as_string())) out.recorded = std::move(*parsed);
  if (record["request"]["path"].string_or("") == "/jmap/session" && out.recorded.is_map())
    out.ours = only_named(out.recorded, out.ours);
  return out;
}

}  // namespace

Value answer_value(const HttpAnswer& answer) {
  if (answer.body.empty()) return {};
  if (auto parsed = ir::parse_json(answer.body)) return std::move(*parsed);
  return answer.body;
}

Value recorded_value(const Value& body) {
  if (body["$text"].is_string()) return body["$text"];
  return body;
}

std::optional<std::string> judge(const Value& record, const HttpAnswer& answer, NameMap& names) {
  const auto status = record["response"]["status"].integer_or(0);
  if (status != answer.status)
    return "status: recorded " + std::to_string(status) + ", here " +
           std::to_string(answer.status) + " " + answer.body.substr(0, 200);
  if (status == 0) return std::nullopt;  // the connection was closed without an answer
  for (const auto& [name, value] : record["response"]["headers"].members()) {
    const HeaderRule rule = header_rule(name);
    if (rule == HeaderRule::ignored) continue;
    const auto here = answer.headers.find(lower_ascii(name));
    if (here == answer.headers.end())
      return "header " + name + ": recorded " + std::string(value.string_or("")) + ", here none";
    if (rule == HeaderRule::same && here->second != value.string_or(""))
      return "header " + name + ": recorded " + std::string(value.string_or("")) + ", here " +
             here->second;
  }
  const Bodies bodies = bodies_of(record, answer);
  return difference(bodies.recorded, bodies.ours, names);
}

void alter_and_judge(const Value& record, const HttpAnswer& answer, const NameMap& names,
                     bool has_agreed, const std::string& where, Score& score) {
  Bodies bodies = bodies_of(record, answer);
  if (bodies.why_not_compared != nullptr) ++score.passed_over[{"(body)", bodies.why_not_compared}];
  const NameMap nothing_known;
  const std::size_t number = score.altered;
  ++score.altered;
  if (alter_answer(bodies.recorded, has_agreed ? bodies.ours : bodies.recorded,
                   has_agreed ? names : nothing_known, number, where, score))
    return;
  Value other = record;
  Value response = record["response"];
  response.set("status", response["status"].integer_or(0) + 1);
  other.set("response", response);
  NameMap known = names;
  if (!judge(other, answer, known).has_value()) score.deaf.push_back(where + ": the status");
}

}  // namespace plan::replay
