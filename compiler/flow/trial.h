#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/flow/findings.h"
#include "compiler/flow/judgement.h"
#include "compiler/flow/model.h"
#include "compiler/flow/states.h"

namespace plan::flow {

/// Somebody in a domain of neither server.
inline constexpr std::string_view kForeign = "somebody@elsewhere.test";

/// Messages that are tried in one world: each is followed, judged, and kept if it goes wrong.
class Trial {
 public:
  /// `tag_delimiters`: each begins the tag of an address at the source. All must outlive this.
  Trial(const Moment& moment, const World& world, std::string_view tag_delimiters,
        Findings& findings);
  /// The same moment in another world.
  [[nodiscard]] Trial in(const World& world) const {
    return {moment_, world, tag_delimiters_, findings_};
  }
  /// The same moment in a world whose lists and scripts send on.
  [[nodiscard]] Trial sent_on_in(const World& world) const;

  [[nodiscard]] const World& world() const { return world_; }
  [[nodiscard]] const Moment& moment() const { return moment_; }
  [[nodiscard]] const AccountStates& states() const { return moment_.states; }
  [[nodiscard]] const std::string& account() const { return moment_.account(); }
  [[nodiscard]] const std::string& domain() const { return domain_; }
  [[nodiscard]] std::string colleague(std::string_view name) const;
  /// Who sends from inside the domain.
  [[nodiscard]] const std::string& not_moved() const { return not_moved_; }
  /// The account with each kind of tag. With a delimiter in its own name it has none at the source
  /// either.
  [[nodiscard]] std::vector<std::string> sub_addresses() const;

  void look(Entry entry, std::string_view whose, std::string_view by = {}) const {
    findings_.look(moment_, entry, whose, by);
  }

  /// A message as it comes in there: who submits, or has a program send, is a colleague.
  [[nodiscard]] Letter letter_to(Entry entry, std::string recipient,
                                 bool has_null_sender = false) const;

  /// Is it right by this judgement (`Judged` of its deliveries), whatever only the target can tell?
  /// Nearly every message arrives: its way is told only when it does not.
  template <typename Judge>
  bool check(const Letter& letter, Judge judge) {
    if (!follow(letter, judge, false).first) return true;
    Wrong wrong = follow(letter, judge, true);
    findings_.fail(moment_, letter, std::move(*wrong.first), {!wrong.is_either_way, is_sent_on_});
    return false;
  }
  /// Does it reach these readers? `is_alone`: nobody else is behind its recipient.
  bool check_letter(const Letter& letter, std::span<const Reader> readers, bool is_alone);
  bool check_letter(const Letter& letter, const Reader& reader, bool is_alone) {
    return check_letter(letter, std::span(&reader, 1), is_alone);
  }
  /// Did these copies of it?
  [[nodiscard]] Judged judged_letter(const Letter& letter, const std::vector<Delivery>& deliveries,
                                     std::span<const Reader> readers, bool is_alone) const;
  /// Would it reach this reader in another world at the same moment? What is wrong there is not
  /// kept.
  [[nodiscard]] bool is_right_in(const World& world, const Letter& letter, const Reader& reader,
                                 bool is_alone) const;
  /// An expression on the way of the letter that was followed last asks who sends.
  [[nodiscard]] bool asks_sender() const { return asks_sender_; }

  /// What `judge` has no words for.
  void fail(const Letter& letter, Failure failure) {
    findings_.fail(moment_, letter, std::move(failure), {false, is_sent_on_});
  }
  void add_nobody_for(const std::vector<NobodyFor>& conditions) {
    findings_.add_nobody_for(moment_, conditions);
  }
  void add_untried(const std::vector<Untried>& spellings) {
    findings_.add_untried(moment_, spellings);
  }

 private:
  /// What is wrong with a message in one of the ways that it may go.
  struct Wrong {
    Judged first = {};
    bool is_either_way = false;  ///< wrong whatever only the target can tell
  };
  template <typename Judge>
  [[nodiscard]] Wrong follow(const Letter& letter, Judge judge, bool tells) {
    asks_sender_ = false;
    const auto ways = deliver_either_way(world_, letter, tells, &asks_sender_);
    Wrong wrong;
    std::size_t count = 0;
    for (const std::vector<Delivery>& deliveries : ways) {
      Judged failure = judge(deliveries);
      if (!failure) continue;
      ++count;
      if (!wrong.first) wrong.first = std::move(failure);
    }
    wrong.is_either_way = count == ways.size();
    return wrong;
  }
  [[nodiscard]] std::map<std::string, std::size_t, std::less<>> copies_before(
      const Letter& letter, std::span<const Reader> readers) const;
  [[nodiscard]] bool is_dropped(const std::string& recipient) const;
  [[nodiscard]] bool is_tag_of_source(const std::string& recipient) const;

  Moment moment_;
  const World& world_;
  std::string_view tag_delimiters_;
  Findings& findings_;
  std::string domain_;  // of the account
  std::string not_moved_;
  bool is_sent_on_ = false;
  bool asks_sender_ = false;
};

}  // namespace plan::flow
