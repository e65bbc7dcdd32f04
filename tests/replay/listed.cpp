#include "listed.h"

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "compiler/source/text.h"

namespace plan::replay {

void Score::agree(const std::string& where, bool is_sent) {
  played.push_back(where);
  ++total;
  ++agreed;
  sent_total += is_sent ? 1 : 0;
  sent_agreed += is_sent ? 1 : 0;
}

void Score::disagree(const std::string& where, const std::string& note,
                     const std::string& difference, bool is_sent) {
  played.push_back(where);
  ++total;
  sent_total += is_sent ? 1 : 0;
  disagreements.push_back({where, note, difference, is_sent});
}

Listed Listed::read(const std::filesystem::path& file) {
  Listed out;
  std::ifstream lines(file);
  EXPECT_TRUE(lines.is_open()) << file;
  std::string line;
  bool is_left_out = false;
  bool is_either_way = false;
  while (std::getline(lines, line)) {
    if (line.starts_with("# ")) is_left_out = line.starts_with("# Not played");
    if (line.starts_with("## ")) is_either_way = line.ends_with("(either way)");
    const std::size_t colon = line.find(": ");
    if (!line.starts_with("- ") || colon == std::string::npos) continue;
    const std::string name = line.substr(2, colon - 2);
    const Fate fate =
        is_left_out ? Fate::left_out : (is_either_way ? Fate::either_way : Fate::disagrees);
    for (const std::string_view where : split(std::string_view(line).substr(colon + 2), ','))
      EXPECT_TRUE(out.files_[name].emplace(trim(where), fate).second)
          << name << ": " << where << " is listed twice";
  }
  return out;
}

bool Listed::has_fate(const std::string& file, const std::string& where, Fate fate) const {
  const auto found = files_.find(file);
  if (found == files_.end()) return false;
  const auto exchange = found->second.find(where);
  return exchange != found->second.end() && exchange->second == fate;
}

bool Listed::is_left_out(const std::string& file, const std::string& where) const {
  return has_fate(file, where, Fate::left_out);
}

bool Listed::is_disagreement(const std::string& file, const std::string& where) const {
  return has_fate(file, where, Fate::disagrees);
}

bool Listed::is_either_way(const std::string& file, const std::string& where) const {
  return has_fate(file, where, Fate::either_way);
}

std::vector<std::string> Listed::misfits(const Score& score) const {
  static const std::map<std::string, Fate> kNothing;
  const auto found = files_.find(score.name());
  const auto& listed = found == files_.end() ? kNothing : found->second;
  std::vector<std::string> out;
  std::set<std::string> differ;
  for (const Disagreement& each : score.disagreements) {
    differ.insert(each.where);
    if (!listed.contains(each.where))
      out.push_back(score.name() + ": " + each.where +
                    " disagrees and is not listed: " + each.difference);
  }
  std::set<std::string> met(score.played.begin(), score.played.end());
  met.insert(score.left_out.begin(), score.left_out.end());
  for (const auto& [where, fate] : listed) {
    if (!met.contains(where))
      out.push_back(score.name() + ": " + where + " is listed, but there is no such exchange");
    else if (fate == Fate::disagrees && !differ.contains(where))
      out.push_back(score.name() + ": " + where + " is listed as a disagreement, but agrees");
  }
  return out;
}

std::vector<std::string> Listed::unknown_files(const std::set<std::string>& played) const {
  std::vector<std::string> out;
  for (const auto& [name, exchanges] : files_)
    if (!played.contains(name)) out.push_back(name);
  return out;
}

}  // namespace plan::replay
