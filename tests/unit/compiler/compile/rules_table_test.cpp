// docs/rules.md says which code covers which row of the references. Here it is held to the codes,
// to the rules and, where they are there, to the references themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/source/diagnostic.h"
#include "compiler/source/result.h"
#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

struct Row {
  std::string part = {};
  std::string number = {};
  std::string what = {};
  std::vector<std::string> codes = {};
  std::string reason = {};
};

std::vector<Row> rows_of_page() {
  std::vector<Row> rows;
  std::string part;
  const std::string page = read_all(test::repository() / "docs/rules.md");
  for (const std::string_view line : split(page, '\n')) {
    if (line.starts_with("## ")) part = line.substr(3);
    if (!line.starts_with("| ") || line.starts_with("| row")) continue;
    const auto cells = split(line, '|');
    EXPECT_EQ(cells.size(), 6U) << line;
    if (cells.size() != 6) continue;
    Row row{part,
            std::string(trim(cells[1])),
            std::string(trim(cells[2])),
            {},
            std::string(trim(cells[4]))};
    for (const std::string_view code : split(trim(cells[3]), ','))
      if (trim(code) != "—") row.codes.emplace_back(trim(code));
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(RulesTable, NamesCodesThatExistOrSaysWhyThereIsNone) {
  std::set<std::string> known;
  for (const KindInfo& kind : all_kinds()) known.insert(std::string(kind.name));
  const std::vector<Row> rows = rows_of_page();
  EXPECT_GE(rows.size(), 130U);
  for (const Row& row : rows) {
    EXPECT_FALSE(row.codes.empty() && row.reason.empty())
        << row.part << " row " << row.number << " has neither a code nor a reason";
    for (const std::string& code : row.codes)
      EXPECT_TRUE(known.contains(code)) << row.part << " row " << row.number << ": " << code;
  }
}

/// The codes of the cases that a rule names as its own (`rule.txt`), by the rule.
std::map<std::string, std::set<std::string>> codes_by_case() {
  std::map<std::string, std::set<std::string>> codes;
  const auto folder = test::repository() / "tests/golden/diagnostics";
  for (const auto& code : folders_of(folder)) {
    for (const auto& one : folders_of(code)) {
      const std::string text = read_all(one / "rule.txt");
      for (const std::string_view name : split(text, '\n')) {
        if (!name.empty()) codes[std::string(name)].insert(code.filename().string());
      }
    }
  }
  return codes;
}

TEST(RulesTable, HasEveryRule) {
  std::set<std::string> covered;
  for (const Row& row : rows_of_page()) covered.insert(row.codes.begin(), row.codes.end());
  std::set<std::string> known;
  for (const KindInfo& kind : all_kinds()) known.insert(std::string(kind.name));
  auto by_case = codes_by_case();
  const auto look = [&](const std::string& function) {
    std::string own = function;
    std::replace(own.begin(), own.end(), '_', '-');
    std::set<std::string> codes = by_case[function];
    if (known.contains(own)) codes = {own};
    EXPECT_FALSE(codes.empty()) << function << " has no code";
    for (const std::string& code : codes)
      EXPECT_TRUE(covered.contains(code))
          << code << " of " << function << " is in no row of docs/rules.md";
  };
#define PLAN_RULE(function, needs_lock, plans) look(#function);
#include "compiler/check/rules.def"
#undef PLAN_RULE
#define PLAN_GRAPH_RULE(function) look(#function);
#include "compiler/check/graph_rules.def"
#undef PLAN_GRAPH_RULE
}

TEST(RulesTable, HasNumberedRowsAndACodeForEveryFailureOfTheGuide) {
  std::map<std::string, std::size_t> count;
  for (const Row& row : rows_of_page()) {
    if (row.part == "sources 1 and 2") continue;  // numbered as its sections are
    EXPECT_EQ(row.number, std::to_string(++count[row.part])) << row.part;
    if (row.part != "published guide, troubleshooting") continue;
    EXPECT_FALSE(row.codes.empty()) << row.number;
  }
  EXPECT_EQ(count["published guide, troubleshooting"], 14U);
}

/// Numbers of the rows of the table behind `heading`, up to the next heading.
std::vector<std::string> numbered_rows(const std::string& text, std::string_view heading) {
  std::vector<std::string> numbers;
  const std::size_t begin = text.find(heading);
  EXPECT_NE(begin, std::string::npos) << heading;
  if (begin == std::string::npos) return numbers;
  const std::size_t end = text.find("\n## ", begin + 3);
  for (const std::string_view line :
       split(std::string_view(text).substr(begin, end - begin), '\n')) {
    std::string_view number;
    if (line.starts_with("| ")) number = trim(split(line, '|')[1]);
    if (const std::size_t dot = line.find(". "); dot != std::string_view::npos && dot < 3)
      number = line.substr(0, dot);
    if (!number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos)
      numbers.emplace_back(number);
  }
  return numbers;
}

TEST(RulesTable, HasEveryNumberedRowOfTheReferences) {
  PLAN_SHARED(folder, "reference");
  std::map<std::string, std::vector<std::string>> page;
  for (const Row& row : rows_of_page()) page[row.part].push_back(row.number);
  const auto compare = [&](const char* file, std::string_view heading, const std::string& part) {
    EXPECT_EQ(page[part], numbered_rows(read_all(folder / file), heading)) << part;
  };
  compare("stalwart-admin.md", "\n## 9. ", "stalwart-admin 9");
  compare("split-delivery.md", "\n## 8. ", "split-delivery 8");
  compare("stalwart-store.md", "\n## 12. ", "stalwart-store 12");
  const auto traps = numbered_rows(read_all(folder / "sources.md"), "\n## 2. ");
  for (const std::string& number : traps) {
    const auto& rows = page["sources 1 and 2"];
    EXPECT_NE(std::find(rows.begin(), rows.end(), "2." + number), rows.end()) << "trap " << number;
  }
  EXPECT_EQ(traps.size(), 10U);
}

/// What stands in `text` behind `begin` and before `end`.
std::string part_of(const std::string& text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  EXPECT_NE(from, std::string::npos) << begin;
  if (from == std::string::npos) return {};
  const std::size_t to = text.find(end, from + begin.size());
  EXPECT_NE(to, std::string::npos) << end;
  return text.substr(from, to - from);
}

/// The rows of all tables in `text`, without their headings.
std::vector<std::string_view> rows_of_tables(std::string_view text) {
  const std::vector<std::string_view> lines = split(text, '\n');
  std::vector<std::string_view> rows;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool is_heading = i + 1 < lines.size() && lines[i + 1].starts_with("|---");
    if (lines[i].starts_with("| ") && !is_heading) rows.push_back(lines[i]);
  }
  return rows;
}

/// The words of `text` that are longer than three letters, in lower case.
std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  std::string word;
  const auto take = [&] {
    if (word.size() > 3) words.insert(word);
    word.clear();
  };
  for (const char letter : lower_ascii(text)) {
    if (letter >= 'a' && letter <= 'z') {
      word += letter;
    } else {
      take();
    }
  }
  take();
  return words;
}

std::vector<Row> rows_of_part(std::string_view part) {
  std::vector<Row> rows = rows_of_page();
  std::erase_if(rows, [&](const Row& row) { return row.part != part; });
  return rows;
}

// Its rows have no numbers: they are told in their order, each by a word that is in both.
TEST(RulesTable, HasEveryRowOfWhatWasSeenWhenRun) {
  PLAN_SHARED(file, "reference/stalwart-admin.md");
  const std::string text = part_of(read_all(file), "\n## 0a. ", "\nFigures ");
  const std::vector<std::string_view> seen = rows_of_tables(text);
  const std::vector<Row> rows = rows_of_part("stalwart-admin 0a");
  ASSERT_EQ(rows.size(), seen.size());
  EXPECT_EQ(rows.size(), 31U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::set<std::string> words = words_of(seen[i]);
    const std::set<std::string> said = words_of(rows[i].what);
    EXPECT_TRUE(std::any_of(said.begin(), said.end(),
                            [&](const std::string& word) { return words.contains(word); }))
        << "row " << rows[i].number << " says `" << rows[i].what << "` of\n"
        << seen[i];
  }
}

// Rows of its tables are told by their names, the steps of its list by their numbers: `(17.2: 2,
// 3)`.
TEST(RulesTable, HasEveryNameAndStepOfTheProxysPart) {
  PLAN_SHARED(file, "reference/migration-proxy.md");
  const std::string text = part_of(read_all(file), "\n## 17. ", "\n## 18. ");
  std::string page;
  std::set<std::string> said;
  for (const Row& row : rows_of_part("migration-proxy 17")) {
    page += lower_ascii(row.what) + "\n";
    const std::size_t at = row.what.find("(17.2: ");
    if (at == std::string::npos) continue;
    const std::size_t end = row.what.find(')', at);
    ASSERT_NE(end, std::string::npos) << row.what;
    for (const std::string_view number :
         split(std::string_view(row.what).substr(at + 7, end - at - 7), ','))
      said.emplace(trim(number));
  }
  const std::vector<std::string_view> named = rows_of_tables(text);
  EXPECT_GE(named.size(), 10U);
  for (const std::string_view row : named) {
    std::string name = lower_ascii(trim(split(row, '|')[1]));
    name = name.substr(0, name.find(" \u2264"));  // "old Stalwart ≤0.15"
    EXPECT_NE(page.find(name), std::string::npos) << name;
  }
  const std::string steps = part_of(text, "\n### 17.2 ", "\n### 17.3 ");
  std::set<std::string> numbers;
  std::size_t at = 0;
  for (std::size_t number = 1;; ++number) {
    at = steps.find(std::to_string(number) + ". ", at);
    if (at == std::string::npos) break;
    numbers.insert(std::to_string(number));
  }
  EXPECT_EQ(numbers.size(), 7U);
  EXPECT_EQ(said, numbers);
  EXPECT_NE(steps.find("several instances"), std::string::npos);
  EXPECT_NE(page.find("several instances"), std::string::npos);
}

}  // namespace
}  // namespace plan::test
