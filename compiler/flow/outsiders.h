#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "compiler/flow/classes.h"
#include "compiler/flow/mail_steps.h"
#include "compiler/flow/model.h"
#include "compiler/flow/senders.h"
#include "compiler/flow/trial.h"

namespace plan::flow {

/// Somebody in a domain that the plan does not move.
struct Outsider {
  enum class Home : std::uint8_t { target, source, elsewhere };
  std::string address = {};
  Home home = Home::elsewhere;
  /// Which expression decides otherwise for him than it did before.
  enum class Asked : std::uint8_t {
    target_route,
    old_route,   ///< of an old Stalwart
    relay_rule,  ///< of the target, for strangers at port 25
  };
  Asked asked = Asked::target_route;
  std::set<std::string> routes = {};  ///< that it gives him from some sender
  /// From whom, beside a stranger and a colleague.
  std::vector<std::string> senders = {};
  /// Keys that it asks for and a step of no row writes, by lookup set.
  std::set<std::pair<std::string, std::string>> keys = {};
};

/// Outsiders whose mail the route expressions of a world send another way than before, or whom its
/// relay rule lets strangers write to: those whom conditions name, or find by a pattern or by a key
/// that a step of no row writes, and of each of the target's own domains one. One stands for all
/// who live in the same place and are given the same routes from each sender that the expressions
/// tell apart. What the target had before is right: whom its own conditions name is not asked for
/// again. Each expression is read once.
class OutsiderQuestions {
 public:
  OutsiderQuestions(MailSteps& all, const MailFacts& facts) : all_(all), facts_(facts) {}

  /// `senders`: whom the expressions name as such.
  [[nodiscard]] std::vector<Outsider> of(const World& world,
                                         const std::vector<std::string>& senders);
  /// Does mail to some of them go another way where somebody gives the answer that nobody who is
  /// tried gives?
  [[nodiscard]] bool leads_astray(const World& world, const Senders& senders, const NobodyFor& one);
  /// Somebody who lives on the target in a domain that no step writes; empty: nobody is known to.
  [[nodiscard]] std::string user_of_target() const;
  /// Some expression names more than are looked at.
  [[nodiscard]] bool are_too_many() const { return are_too_many_; }

 private:
  struct Reading {
    const schema::MtaContainer& container;
    const World& world;  ///< the first that has it: which routes steps make is the same in all
    Outsider::Asked asked = Outsider::Asked::target_route;
    const std::vector<std::string>& senders;
    std::unordered_set<std::string> tried = {};
    std::set<std::string> classes = {};
    std::size_t work = 0;
    std::size_t pattern_work_before = 0;
    std::vector<Outsider> found = {};
  };
  const std::vector<Outsider>& asked_by(const schema::MtaContainer& container, const World& world,
                                        Outsider::Asked asked,
                                        const std::vector<std::string>& senders);
  void add_named(const schema::MtaContainer::Arm& arm, Reading& reading);
  void add_keys(const schema::MtaExpression& condition, bool leaves, Reading& reading);
  void add_text(const std::string& text, bool leaves, Reading& reading);
  void add_those_of_target(Reading& reading);
  void look_at(const std::string& address, Reading& reading);
  [[nodiscard]] bool is_exhausted(const Reading& reading) const;
  [[nodiscard]] std::optional<std::string> new_route(Outsider& one, std::string_view sender,
                                                     const Reading& reading,
                                                     bool& asks_sender) const;
  [[nodiscard]] std::optional<ir::Value> chosen(const schema::MtaContainer& container,
                                                Outsider& one, std::string_view sender,
                                                bool& asks_sender) const;
  [[nodiscard]] bool is_key(std::string_view set, std::string_view name) const;
  [[nodiscard]] bool is_key_of_any_set(const std::string& address) const;
  [[nodiscard]] bool is_domain_of_plan(const std::string& domain) const;
  [[nodiscard]] bool is_target_domain(const std::string& domain) const;
  /// Somebody who lives there on the target; empty: nobody.
  [[nodiscard]] const std::string& one_of(const std::string& domain);

  MailSteps& all_;
  const MailFacts& facts_;
  std::unordered_map<const schema::MtaContainer*, std::vector<Outsider>> known_;
  std::unordered_map<std::string, std::string> one_of_;  // of each domain of the target's own
  bool are_too_many_ = false;
};

/// Tries what comes for them at each entry that is open, with the keys that steps of no row write.
void try_outsiders(const Trial& trial, const std::vector<Outsider>& outsiders, bool is_target_open);

}  // namespace plan::flow
