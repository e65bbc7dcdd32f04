#include "compiler/diff/fold.h"

#include <fmt/format.h>

#include <unordered_map>

#include "compiler/diff/words.h"
#include "compiler/source/text.h"

namespace plan::diff {
namespace {

constexpr std::size_t kFoldedFrom = 4;
constexpr std::size_t kValueBytes = 4096;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A text with `name` and all figures taken out, and no difference between one and many ("1 login
/// name", "3 login names").
std::string without_names(std::string text, std::string_view name) {
  for (std::size_t at = text.find(name); !name.empty() && at != std::string::npos;
       at = text.find(name, at))
    text.replace(at, name.size(), "{}");
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_digit(text[i])) {
      if (out.empty() || out.back() != '#') out += '#';
      continue;
    }
    const bool is_plural = text[i] == 's' && (i + 1 == text.size() || text[i + 1] == ' ');
    if (!is_plural) out += text[i];
  }
  return out;
}

std::string key_of(const StepChange& step, std::string_view name) {
  std::string key =
      fmt::format("{}/{}/{}/{}", static_cast<int>(step.kind), static_cast<int>(step.role),
                  static_cast<int>(step.standing), step.is_unseen ? 1 : 0);
  std::string last;
  for (const ir::Difference& difference : step.differences) {
    std::string part = without_names(difference.path, name);
    // What is lost by the step is named in full; what is new differs from account to account.
    if (difference.wanted.is_null()) {
      part += "-";
    } else if (difference.is.is_null()) {
      part += "+";
    } else {
      part += "~" + without_names(show_value(difference.is, kValueBytes), name);
    }
    if (part == last) continue;  // one more of the same list
    key += "\n" + part;
    last = std::move(part);
  }
  return key + "\n#" + without_names(step.remark, name) + "\n" +
         without_names(step.unseen_because, name);
}

std::string_view parent(std::string_view id) {
  const std::size_t slash = id.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : id.substr(0, slash + 1);
}

}  // namespace

std::string_view last_segment(std::string_view id) { return id.substr(parent(id).size()); }

std::vector<StepRun> runs_of(const std::vector<StepChange>& steps) {
  std::vector<StepRun> runs;
  for (std::size_t i = 0; i < steps.size();) {
    StepRun run{.first = i};
    const std::string_view folder = parent(steps[i].id);
    const std::string key = folder.empty() ? "" : key_of(steps[i], last_segment(steps[i].id));
    while (!folder.empty() && i + run.count < steps.size() &&
           parent(steps[i + run.count].id) == folder &&
           key_of(steps[i + run.count], last_segment(steps[i + run.count].id)) == key)
      ++run.count;
    i += run.count;
    if (run.count >= kFoldedFrom) {
      runs.push_back(run);
      continue;
    }
    for (std::size_t k = 0; k < run.count; ++k) runs.push_back({.first = run.first + k});
  }
  return runs;
}

std::string name_of(const std::vector<StepChange>& steps, const StepRun& run) {
  const std::string& first = steps[run.first].id;
  if (run.count == 1) return printable(first);
  return fmt::format("{} and {} more up to {}", printable(first), show_count(run.count - 1),
                     printable(last_segment(steps[run.first + run.count - 1].id)));
}

std::vector<AccountGroup> groups_of(const WaveChange& wave) {
  std::vector<AccountGroup> groups;
  std::unordered_map<std::string, std::size_t> at;
  for (std::size_t i = 0; i < wave.accounts.size(); ++i) {
    const AccountChange& account = wave.accounts[i];
    std::string key;
    if (account.is_satisfied()) {
      key = "nothing to do";
    } else {
      for (const StepChange& step : account.steps) key += key_of(step, account.account) + "\n\n";
    }
    const auto [found, is_new] = at.emplace(key, groups.size());
    if (is_new) groups.push_back({{}, std::move(key)});
    groups[found->second].accounts.push_back(i);
  }
  return groups;
}

std::string who(const WaveChange& wave, const AccountGroup& group) {
  const std::size_t count = group.accounts.size();
  if (count == 1) return printable(wave.accounts[group.accounts.front()].account);
  if (count == wave.accounts.size()) return count_of(count, "account");
  return fmt::format("{} of {}", show_count(count), count_of(wave.accounts.size(), "account"));
}

}  // namespace plan::diff
