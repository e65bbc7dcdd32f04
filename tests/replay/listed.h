#pragma once
// What disagreements.md lists, held against a run.
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "score.h"

namespace plan::replay {

/// The list of tests/replay/disagreements.md. Under a heading that gives the reason, a line
/// `- admin/accounts: account-set/68, account-set/72` names the exchanges of a file. Behind a
/// heading of the first level that begins with "Not played" such a line names exchanges that are
/// left out; a heading of the second level that ends in "(either way)" those that may agree or not.
class Listed {
 public:
  /// Fails the running test when the file cannot be read or names an exchange twice.
  [[nodiscard]] static Listed read(const std::filesystem::path& file);

  [[nodiscard]] bool is_left_out(const std::string& file, const std::string& where) const;
  [[nodiscard]] bool is_disagreement(const std::string& file, const std::string& where) const;
  /// Is it one that time decides?
  [[nodiscard]] bool is_either_way(const std::string& file, const std::string& where) const;
  /// What in a file's score is not as listed, one sentence each.
  [[nodiscard]] std::vector<std::string> misfits(const Score& score) const;
  /// Files that are named although no such file was played.
  [[nodiscard]] std::vector<std::string> unknown_files(const std::set<std::string>& played) const;

 private:
  enum class Fate : std::uint8_t { disagrees, either_way, left_out };
  [[nodiscard]] bool has_fate(const std::string& file, const std::string& where, Fate fate) const;
  std::map<std::string, std::map<std::string, Fate>> files_;
};

}  // namespace plan::replay
