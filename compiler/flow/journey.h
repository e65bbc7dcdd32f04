#pragma once
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "compiler/flow/copy.h"
#include "compiler/flow/model.h"
#include "compiler/flow/telling.h"

namespace plan::flow {

/// What a script does with a copy.
struct SentOn {
  std::vector<Copy> copies = {};
  bool is_kept = true;  ///< a copy stays in the mailbox
};

/// The copies of one message: which ones a server has still to look at, and how the others ended.
/// Where a copy is handed on it is followed in place: whoever is given one has it to himself.
class Journey {
 public:
  Journey(const World& world, const Letter& letter, bool tells, bool* asks_sender)
      : world_(world), letter_(letter), telling_(world, tells), asks_sender_(asks_sender) {}

  [[nodiscard]] const World& world() const { return world_; }
  [[nodiscard]] const Letter& letter() const { return letter_; }
  [[nodiscard]] const Telling& telling() const { return telling_; }
  /// Set when an expression asks who sends; may be null.
  [[nodiscard]] bool* asks_sender() const { return asks_sender_; }

  /// As the message comes in.
  [[nodiscard]] Copy first() const;
  /// The next that waits to be followed; nothing when every copy has ended, or there are too many.
  [[nodiscard]] std::optional<Copy> next();
  [[nodiscard]] std::vector<Delivery> take_deliveries() { return std::move(deliveries_); }

  void end(Copy& copy, Fate fate, std::string mailbox, Hop hop);
  /// A refusal at RCPT: of the client, or of the other server, which then tells the sender.
  void refuse(Copy& copy, Hop hop);
  /// Accepted already: the sender, if there is one, is told by a message.
  void bounce(Copy& copy, Hop hop);
  /// "Come again": said to a client, or to the other server, which keeps the message.
  void defer(Copy& copy, std::string mailbox, Hop hop);
  /// Only the server can tell, as this hop says.
  void leave_undecided(Copy& copy, Hop hop);

  void follow_later(Copy copy) { waiting_.push_back(std::move(copy)); }
  /// The other server sees a client like any other.
  void hand_on(Copy& copy);
  /// Marks the copies that one list or alias makes of one.
  [[nodiscard]] std::size_t next_expansion() { return ++expansions_; }

  /// Does a submission log in as one of these accounts, and not as a closed one? Refuses the copy
  /// where it does not.
  bool may_log_in(Copy& copy, const std::set<std::string>& accounts,
                  const std::set<std::string>& closed);
  /// Sieve redirects of one account, which go on from the server that the copy is at. A script that
  /// meets the same message again stops in silence.
  [[nodiscard]] SentOn sent_on(const Copy& copy, const std::string& account,
                               const std::vector<Redirect>& redirects) const;

 private:
  [[nodiscard]] bool is_second_of_expansion(const Copy& copy, Fate fate,
                                            const std::string& mailbox);

  const World& world_;
  const Letter& letter_;
  Telling telling_;
  bool* asks_sender_ = nullptr;
  std::vector<Copy> waiting_;  // in the order in which they are followed
  std::size_t next_ = 0;
  std::size_t expansions_ = 0;
  std::set<std::tuple<std::size_t, Fate, std::string>> expanded_to_;
  std::vector<Delivery> deliveries_;
};

}  // namespace plan::flow
