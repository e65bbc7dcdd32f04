#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/flow/mail_steps.h"
#include "compiler/flow/model.h"

namespace plan::flow {

/// Addresses that have this text in them, wherever a condition may look for it.
[[nodiscard]] std::vector<std::string> addresses_with(const std::string& text);

/// A condition with an answer that nobody who is tried gives.
struct NobodyFor {
  enum class Place : std::uint8_t { target_route, old_route, relay_rule };
  std::string condition = {};  ///< as it was written
  Span origin = {};
  Place place = Place::target_route;
  bool is_true = true;  ///< the answer
  /// The expression with that answer, whoever sends; null: beyond what is looked at.
  std::shared_ptr<const schema::MtaContainer> taken = {};
};

/// The world in which somebody gives it; nothing where that cannot be told.
[[nodiscard]] std::optional<World> world_taking(const World& world, const NobodyFor& nobody);

/// Whom a message has to be tried from where route expressions ask who sends.
struct Senders {
  std::vector<std::string> named = {};  ///< beside a stranger, a colleague and nobody; at most 16
                                        ///< of each expression
  std::vector<NobodyFor> without = {};
};

/// The senders that the expressions of a world tell apart: each expression is read once. Questions
/// that join the sender with the recipient (`sender == rcpt`) have other answers for each
/// recipient: the conditions that have some are read again for him.
class SenderQuestions {
 public:
  explicit SenderQuestions(MailSteps& all) : all_(all) {}

  /// Whoever the message is for.
  [[nodiscard]] Senders of(const World& world);
  /// By the route expressions, beside those, for this recipient.
  [[nodiscard]] Senders with(const World& world, const std::string& recipient);
  /// By the relay rule of the target, for somebody in a domain that it does not have.
  [[nodiscard]] Senders relayed_to(const World& world, const std::string& recipient);

  /// What was read for recipients is not needed for those of the next account.
  void begin_account() { known_for_.clear(); }
  /// Evaluations for single recipients, and conditions that were copied for them: of all so far.
  [[nodiscard]] std::size_t work() const { return work_; }

 private:
  using Answers = std::map<std::uint32_t, bool>;  // as in sender_ways.h
  struct Without {
    std::string condition = {};
    bool is_true = true;
    std::shared_ptr<const schema::MtaContainer> taken = {};
  };
  /// A condition, or its result, that joins the sender with the recipient.
  struct Mixed {
    std::size_t arm = 0;       ///< or how many there are: `else`
    std::size_t in_front = 0;  ///< how many of those stand in front of it
  };
  struct Asked {
    std::vector<std::string> named = {};
    std::vector<Without> without = {};
    std::vector<Mixed> mixed = {};
    // While it is read, and for those that are mixed:
    std::vector<std::vector<schema::MtaExpression>> in_front = {};  ///< how senders come into each
    bool has_pattern = false;                                       ///< that asks who sends
    std::set<std::string> answered = {};                            ///< by nobody
    std::size_t taken = 0;
    std::size_t work = 0;
  };
  /// Whom a condition may be about.
  struct Candidates {
    std::vector<std::string> named = {};
    std::vector<std::string> made = {};
    std::vector<std::string> texts = {};
    [[nodiscard]] const std::vector<std::string>& joined();

   private:
    std::vector<std::string> joined_;
    bool is_joined_ = false;
  };
  [[nodiscard]] const Asked& asked_by(const schema::MtaContainer& container);
  [[nodiscard]] const Asked& asked_for(const schema::MtaContainer& container,
                                       const std::string& recipient);
  static void add(const Asked& asked, const World& world, NobodyFor::Place place, Senders& senders);
  void read_condition(const schema::MtaContainer& container, std::size_t number,
                      const schema::MtaExpression& expression, Asked& asked);
  void read_result(const schema::MtaContainer& container, std::size_t number,
                   const std::string* recipient, Asked& asked);
  void read_keys(const schema::MtaContainer& container, std::size_t number,
                 const schema::MtaExpression& expression, Candidates& candidates, Asked& asked);
  [[nodiscard]] Candidates candidates_in(const schema::MtaExpression& expression);
  [[nodiscard]] static bool find_sender(const schema::MtaExpression& question,
                                        Candidates& candidates, Asked& asked);
  [[nodiscard]] static std::size_t caught_in_front(std::string_view sender, Asked& asked);
  [[nodiscard]] static std::shared_ptr<const schema::MtaContainer> taking(
      const schema::MtaContainer& container, std::size_t number, const Answers& answers,
      Asked& asked);
  [[nodiscard]] std::string key_of(const schema::MtaExpression& expression,
                                   const schema::MtaNode& call);
  void add_key_of(const schema::MtaExpression& expression, const schema::MtaNode& call,
                  std::vector<std::string>& candidates);

  MailSteps& all_;
  std::unordered_map<const schema::MtaContainer*, Asked> known_;  // they are kept by MailSteps
  std::map<std::pair<const schema::MtaContainer*, std::string>, Asked> known_for_;
  std::size_t work_ = 0;
};

}  // namespace plan::flow
