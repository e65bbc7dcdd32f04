#include "runtime/rehearsal/recipient_rules.h"

#include "compiler/source/text.h"
#include "runtime/rehearsal/directory.h"

namespace plan::rehearsal {

std::string mail_domain(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string{} : lower_ascii(address.substr(at + 1));
}

std::string queue_form(std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return std::string(address);
  return std::string(address.substr(0, at + 1)) + lower_ascii(address.substr(at + 1));
}

RecipientVerdict judge_recipient(const World& world, const std::string& address, MtaFacts facts) {
  const auto refuse = [](std::string_view why) { return RecipientVerdict{std::string(why), {}}; };
  const std::size_t at = address.rfind('@');
  if (at == std::string::npos) return refuse("550 5.1.2 Relay not allowed.");
  const std::string written = queue_form(address);
  const std::string lower = lower_ascii(address);
  facts["rcpt"] = written;
  facts["rcpt_domain"] = mail_domain(address);
  const auto domain_id = world.registry.domain_by_name(mail_domain(address));
  if (!domain_id) {
    if (holds(evaluate_live(world, "x:MtaStageRcpt", "allowRelaying", facts)))
      return {{}, {written}};
    return refuse("550 5.1.2 Relay not allowed.");
  }
  const ir::Value& domain = *world.registry.find("x:Domain", *domain_id);
  auto owner = find_address(world, lower);
  std::string kept = written;
  const std::size_t plus = lower.find('+');
  if (!owner && plus != std::string::npos && plus < lower.rfind('@') &&
      domain["subAddressing"]["@type"].string_or("") != "Disabled") {
    const std::string base = lower.substr(0, plus) + lower.substr(lower.rfind('@'));
    owner = find_address(world, base);
    if (owner) kept = written.substr(0, plus) + written.substr(written.rfind('@'));
  }
  if (owner && owner->is_enabled) {
    if (owner->kind == AddressOwner::Kind::account) return {{}, {kept}};
    RecipientVerdict out;
    const ir::Value* list = world.registry.find("x:MailingList", owner->id);
    const std::string own = address_of(world, *list);
    for (const auto& [member, is_in] : (*list)["recipients"].members())
      if (lower_ascii(member) != own)
        out.recipients.push_back(queue_form(member));  // one level: lists inside stay
    return out;
  }
  const std::string_view catch_all = domain["catchAllAddress"].string_or("");
  if (!catch_all.empty()) return {{}, {std::string(catch_all)}};
  if (domain["allowRelaying"].bool_or(false)) return {{}, {written}};
  return refuse("550 5.1.2 Mailbox does not exist.");
}

}  // namespace plan::rehearsal
