#pragma once
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "compiler/flow/model.h"
#include "compiler/schema/mta_container.h"

namespace plan::test {

using Arms = std::vector<std::pair<std::string, std::string>>;

inline ir::Value expression(const Arms& arms, const std::string& otherwise) {
  ir::Value match = ir::Value::map();
  for (std::size_t i = 0; i < arms.size(); ++i) {
    match.set(std::to_string(i), ir::Value::map({{"if", arms[i].first}, {"then", arms[i].second}}));
  }
  return ir::Value::map({{"match", match}, {"else", otherwise}});
}

inline std::shared_ptr<const schema::MtaContainer> route(const Arms& arms) {
  auto parsed = schema::MtaContainer::parse(expression(arms, "'mx'"),
                                            schema::context_of("MtaOutboundStrategy", "route"));
  if (!parsed) throw std::runtime_error(parsed.error().to_line());
  return std::make_shared<const schema::MtaContainer>(std::move(*parsed));
}

inline const Arms kGuide = {{"is_local_address(rcpt)", "'local'"},
                            {"is_local_domain(rcpt_domain)", "'source'"}};
inline const Arms kGuideLower = {{"is_local_address(to_lowercase(rcpt))", "'local'"},
                                 {"is_local_domain(rcpt_domain)", "'source'"}};
inline const Arms kSet = {
    {"is_local_address(to_lowercase(rcpt)) && key_exists('migrated', to_lowercase(rcpt))",
     "'local'"},
    {"is_local_domain(rcpt_domain)", "'source'"}};
inline const Arms kExact = {
    {"rcpt_domain == 'legacy.test' && is_local_address(to_lowercase(rcpt)) && "
     "key_exists('migrated', to_lowercase(rcpt))",
     "'local'"},
    {"rcpt_domain == 'legacy.test'", "'source'"},
    {"is_local_domain(rcpt_domain)", "'local'"}};

/// The pair of the recordings: user01 copied, user02 created, user03 and on only on the source.
inline flow::World recorded_pair() {
  flow::World world;
  flow::Target& target = world.target;
  target.domains["legacy.test"].allows_relaying = true;
  target.domains["new.test"] = {};
  target.accounts = {"user01@legacy.test", "user02@legacy.test", "staff@legacy.test",
                     "berta@new.test"};
  target.aliases = {{"first@legacy.test", "user01@legacy.test"}};  // `off` is disabled
  target.lists = {
      {"crew@legacy.test", {"user01@legacy.test", "user03@legacy.test", "out@ext.test"}}};
  target.routes["source"] = {flow::TargetRoute::Kind::relay, "10.9.0.2"};
  target.route = route(kExact);
  for (int i = 1; i <= 9; ++i)
    world.source.mailboxes.insert("user0" + std::to_string(i) + "@legacy.test");
  world.source.aliases["team@legacy.test"] = {"user01@legacy.test", "user02@legacy.test"};
  return world;
}

/// "T user01", "S user03", "out": one for each copy, sorted; addresses without their domain.
inline std::vector<std::string> ends_of(const flow::World& world, const flow::Letter& letter) {
  std::vector<std::string> ends;
  for (const flow::Delivery& delivery : flow::deliver(world, letter)) {
    const std::string user = delivery.mailbox.substr(0, delivery.mailbox.find('@'));
    switch (delivery.fate) {
      case flow::Fate::target_mailbox:
        ends.push_back("T " + user);
        break;
      case flow::Fate::source_mailbox:
        ends.push_back("S " + user);
        break;
      case flow::Fate::source_queue:
        ends.push_back("Qs " + user);
        break;
      case flow::Fate::target_queue:
        ends.push_back("Qt " + user);
        break;
      case flow::Fate::outside:
        ends.emplace_back("out");
        break;
      case flow::Fate::discarded:
        break;
      default:
        ends.emplace_back(to_string(delivery.fate));
        break;
    }
  }
  std::sort(ends.begin(), ends.end());
  return ends;
}

/// The same in one text: "S user03, T user01, out".
inline std::string ended(const flow::World& world, const flow::Letter& letter) {
  std::string text;
  for (const std::string& end : ends_of(world, letter)) text += (text.empty() ? "" : ", ") + end;
  return text;
}

}  // namespace plan::test
