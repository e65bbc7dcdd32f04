#include "compiler/flow/asking.h"

#include "compiler/source/text.h"

namespace plan::flow {
namespace {

[[nodiscard]] bool is_address(const Address& address, std::string_view name) {
  const std::size_t at = address.local.size();
  return name.size() == at + 1 + address.domain.size() && name[at] == '@' &&
         equals_ignoring_case(name.substr(0, at), address.local) &&
         equals_ignoring_case(name.substr(at + 1), address.domain);
}

}  // namespace

std::optional<ir::Value> Asking::told(std::string_view name) const {
  if (name == "rcpt") return recipient.text();
  if (name == "rcpt_domain") return recipient.domain;
  if (name == "sender") return read_sender();
  if (name == "sender_domain") return domain_of(read_sender());
  return std::nullopt;
}

bool asks_for_others(const Asking& asking, Question::Kind kind, std::string_view set,
                     std::string_view name) {
  if (!asking.world.is_of_others || name.empty() || is_address(asking.recipient, name) ||
      equals_ignoring_case(name, asking.recipient.domain))
    return false;
  if (equals_ignoring_case(name, without_tag(asking.recipient))) return false;
  const Question question{kind, set, name, equals_ignoring_case(name, asking.sender)};
  if (!asking.world.is_of_others(question)) return false;
  if (asking.others != nullptr) *asking.others = name;
  return true;
}

void ask_others_again(const Asking& asking, const schema::MtaExpression& condition,
                      const schema::MtaEnvironment& environment) {
  if (asking.others == nullptr || asking.others->empty()) return;
  asking.others->clear();
  (void)schema::evaluate(condition, environment);
}

}  // namespace plan::flow
