#pragma once
// How the files of a recording come out.
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace plan::replay {

struct Disagreement {
  std::string where = {};  ///< "scenario/step", the exchange's name in disagreements.md
  std::string note = {};
  std::string difference = {};
  bool is_sent = false;
};

/// How one file of a recording came out.
struct Score {
  std::string folder = {};
  std::string topic = {};
  std::size_t agreed = 0;
  std::size_t total = 0;
  std::size_t sent_agreed = 0;  ///< of these: exchanges of the kinds that plan itself sends
  std::size_t sent_total = 0;
  double seconds = 0;
  std::vector<std::string> played = {};    ///< `where` of each exchange
  std::vector<std::string> left_out = {};  ///< of those that disagreements.md says cannot be played
  std::vector<Disagreement> disagreements = {};
  std::size_t altered = 0;             ///< recorded answers that were altered to see the objection
  std::vector<std::string> deaf = {};  ///< alterations that the comparison did not object to
  /// Members let through by a rule of normalise.cpp: {member, why} and how often.
  std::map<std::pair<std::string, std::string>, std::size_t> passed_over = {};

  [[nodiscard]] std::string name() const { return folder + "/" + topic; }
  void agree(const std::string& where, bool is_sent);
  void disagree(const std::string& where, const std::string& note, const std::string& difference,
                bool is_sent);
};

}  // namespace plan::replay
