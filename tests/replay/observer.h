#pragma once
// The observations of split delivery: mails handed to the target, and where they ended up.
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "player.h"
#include "sink.h"
#include "smtp_lines.h"

namespace plan::replay {

/// A source and an outside world around a stage, with eyes on all three.
class Observer {
 public:
  explicit Observer(Stage& stage);

  Sink source;
  Sink outside;
  /// Accounts whose mail the source hands on to the target ("user01").
  std::set<std::string> forwarded = {};

  /// Until what was recorded is given up.
  std::chrono::milliseconds patience = kLong;
  static constexpr std::chrono::seconds kLong{20};
  static constexpr std::chrono::milliseconds kShort{500};  ///< where it is listed as different

  /// An observation of observations.jsonl, or a `case` of move-steps.jsonl.
  [[nodiscard]] Observed play(const ir::Value& record);
  /// Sends the probe of move-steps.jsonl that an exchange names ("probe/2") and gives the id of the
  /// message at the target.
  [[nodiscard]] std::string send_probe(const std::string& where, const std::string& account_id);
  /// Waits until nothing is left in the target's queue.
  void wait_for_empty_queue();

 private:
  struct Arrival {
    std::string where;
    std::string bytes;
  };

  [[nodiscard]] Observed play_mail(const ir::Value& record);
  [[nodiscard]] Observed play_login(const ir::Value& record);
  [[nodiscard]] Observed play_content(const ir::Value& record);
  [[nodiscard]] Observed play_scheduling(const ir::Value& record);
  [[nodiscard]] Observed play_throttle(const ir::Value& record);
  [[nodiscard]] Observed play_full_source(const ir::Value& record);
  [[nodiscard]] Envelope envelope_of(const ir::Value& arguments);
  [[nodiscard]] std::string source_answer(const std::string& recipient) const;
  void deliver_at_source(const TakenMail& mail);
  [[nodiscard]] std::vector<std::string> queue();
  [[nodiscard]] std::vector<std::string> new_emails();

  Stage& stage_;
  std::mutex mutex_;  // guards at_source_
  std::vector<Arrival> at_source_;
  std::size_t outside_seen_ = 0;
  std::size_t source_seen_ = 0;
  std::map<std::string, std::set<std::string>> emails_;     // by account id
  std::map<std::string, std::vector<std::string>> probes_;  // answers by what was sent
  int number_ = 0;
};

}  // namespace plan::replay
