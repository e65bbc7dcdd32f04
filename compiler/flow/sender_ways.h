#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/schema/mta_expression.h"

namespace plan::flow {

// A condition of a route expression, taken apart into what the sender alone decides.

[[nodiscard]] bool is_sender(const schema::MtaNode& node);

[[nodiscard]] bool asks_sender(const schema::MtaExpression& expression);

/// Does it ask what a pattern has found that is not its own?
[[nodiscard]] bool has_capture_alone(const schema::MtaExpression& expression);

/// The part of a condition as it was written; empty where it asks what a pattern has found, which
/// may be another one there.
[[nodiscard]] std::string_view text_of_part(const schema::MtaContainer::Arm& arm,
                                            const schema::MtaNode& node);

/// What each node asks of the sender, and whether it asks of him alone.
struct OfSender {
  bool is_own = true;
  bool has_sender = false;
  bool has_recipient = false;
};
[[nodiscard]] std::vector<OfSender> of_sender(const std::vector<schema::MtaNode>& nodes);

/// Questions that are asked of the sender and the recipient at once, such as `sender == rcpt`, and
/// in no part of them alone.
[[nodiscard]] std::vector<std::uint32_t> mixed_nodes(const std::vector<schema::MtaNode>& nodes);

/// The condition as it is asked for this recipient: in those questions he is a text. What else is
/// asked of him stays, because it may have another answer after RCPT.
[[nodiscard]] schema::MtaExpression for_recipient(const schema::MtaExpression& expression,
                                                  const std::string& recipient);

/// What has to be true and false at once of parts that the sender alone decides, in their order.
using Answers = std::map<std::uint32_t, bool>;

/// The ways in which those parts make a condition true, or false, whatever the others say.
class Ways {
 public:
  Ways() = default;
  explicit Ways(Answers one) { ways_.insert(std::move(one)); }

  [[nodiscard]] const std::set<Answers>& all() const { return ways_; }
  /// More than are looked at.
  [[nodiscard]] bool are_too_many() const { return are_too_many_; }

  [[nodiscard]] Ways or_else(const Ways& other) const {
    Ways both = *this;
    both.are_too_many_ = are_too_many_ || other.are_too_many_;
    for (const Answers& one : other.ways_) both.add(one);
    return both;
  }

  /// Of very many that go together each one is looked at, and not each pair.
  [[nodiscard]] Ways and_then(const Ways& other) const {
    Ways both;
    both.are_too_many_ = are_too_many_ || other.are_too_many_;
    const bool is_each_pair = ways_.size() * other.ways_.size() <= kWaysMax;
    std::size_t left = 0;
    for (const Answers& one : ways_) {
      std::size_t right = 0;
      for (const Answers& more : other.ways_) {
        if (is_each_pair || left == 0 || right == 0) {
          Answers joined = one;
          joined.insert(more.begin(), more.end());
          both.add(joined);
        }
        ++right;
      }
      ++left;
    }
    return both;
  }

 private:
  static constexpr std::size_t kWaysMax = 32;

  void add(const Answers& one) {
    if (ways_.size() < kWaysMax) {
      ways_.insert(one);
    } else if (!ways_.contains(one)) {
      are_too_many_ = true;
    }
  }

  std::set<Answers> ways_;
  bool are_too_many_ = false;
};

struct WaysOfCondition {
  Ways to_true;
  Ways to_false;
};
/// `expression`: the condition, or the same for one recipient.
[[nodiscard]] WaysOfCondition ways_of(const schema::MtaContainer::Arm& arm,
                                      const schema::MtaExpression& expression,
                                      const std::vector<OfSender>& asked);

/// The answers as text; of what asks what a pattern has found, those of this condition alone.
[[nodiscard]] std::string written_answers(const schema::MtaContainer::Arm& arm, std::size_t number,
                                          const Answers& answers);

/// Puts a last node behind these: it is true where each of the parts has its answer, and `first`,
/// if there is one, is true. They are asked in this order.
void add_all_of(std::vector<schema::MtaNode>& nodes, std::optional<std::uint32_t> first,
                const std::vector<std::pair<std::uint32_t, bool>>& answers);

/// One condition that is true when all these answers are right: in the order in which they are
/// asked, because a capture is of the pattern in front of it.
[[nodiscard]] schema::MtaExpression question_of(const schema::MtaExpression& expression,
                                                const Answers& answers);

/// Is what this node gives the text?
[[nodiscard]] schema::MtaExpression is_text(const schema::MtaExpression& expression,
                                            std::uint32_t number, std::string text);

}  // namespace plan::flow
