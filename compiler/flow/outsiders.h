#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/flow/classes.h"
#include "compiler/flow/mail_steps.h"
#include "compiler/flow/model.h"
#include "compiler/flow/trial.h"

namespace plan::flow {

/// Somebody in a domain that the plan does not move.
struct Outsider {
  enum class Home : std::uint8_t { target, source, elsewhere };
  std::string address = {};
  Home home = Home::elsewhere;
  std::string route = {};     ///< that an expression gives him, and did not give him before
  bool is_at_source = false;  ///< it is the one of an old Stalwart
};

/// Outsiders whose mail the route expressions of a world send another way than before: those whom
/// conditions name, or find by a pattern, and of each of the target's own domains one. One stands
/// for all who live in the same place and are given the same route. What the target had before is
/// right: whom its own conditions name is not asked for again. Each expression is read once.
class OutsiderQuestions {
 public:
  OutsiderQuestions(MailSteps& all, const MailFacts& facts) : all_(all), facts_(facts) {}

  /// `senders`: whom the expressions name as such.
  [[nodiscard]] std::vector<Outsider> of(const World& world,
                                         const std::vector<std::string>& senders);
  /// Somebody who lives on the target in a domain that no step writes; empty: nobody is known to.
  [[nodiscard]] std::string user_of_target() const;
  /// Some expression names more than are looked at.
  [[nodiscard]] bool are_too_many() const { return are_too_many_; }

 private:
  struct Reading {
    const schema::MtaContainer& container;
    const World& world;  ///< the first that has it: which routes steps make is the same in all
    bool is_at_source = false;
    const std::vector<std::string>& senders;
    std::unordered_set<std::string> tried = {};
    std::set<std::string> classes = {};
    std::size_t work = 0;
    std::size_t pattern_work_before = 0;
    std::vector<Outsider> found = {};
  };
  const std::vector<Outsider>& asked_by(const schema::MtaContainer& container, const World& world,
                                        bool is_at_source, const std::vector<std::string>& senders);
  void add_named(const schema::MtaContainer::Arm& arm, Reading& reading);
  void add_text(const std::string& text, bool leaves, Reading& reading);
  void add_those_of_target(Reading& reading);
  void look_at(const std::string& address, Reading& reading);
  [[nodiscard]] bool is_exhausted(const Reading& reading) const;
  [[nodiscard]] std::optional<std::string> new_route(const Outsider& one, std::string_view sender,
                                                     const Reading& reading,
                                                     bool& asks_sender) const;
  [[nodiscard]] std::optional<std::string> chosen(const schema::MtaContainer& container,
                                                  const Outsider& one, std::string_view sender,
                                                  bool& asks_sender) const;
  [[nodiscard]] bool is_target_domain(const std::string& domain) const;
  /// Somebody who lives there on the target; empty: nobody.
  [[nodiscard]] const std::string& one_of(const std::string& domain);

  MailSteps& all_;
  const MailFacts& facts_;
  std::unordered_map<const schema::MtaContainer*, std::vector<Outsider>> known_;
  std::unordered_map<std::string, std::string> one_of_;  // of each domain of the target's own
  bool are_too_many_ = false;
};

/// Tries what comes for them at each entry that is open.
void try_outsiders(const Trial& trial, const std::vector<Outsider>& outsiders, bool is_target_open);

}  // namespace plan::flow
