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

namespace plan::test {
namespace {

struct Row {
  std::string part = {};
  std::string number = {};
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
    Row row{part, std::string(trim(cells[1])), {}, std::string(trim(cells[4]))};
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

TEST(RulesTable, HasEveryRule) {
  std::set<std::string> covered;
  for (const Row& row : rows_of_page()) covered.insert(row.codes.begin(), row.codes.end());
  std::set<std::string> known;
  for (const KindInfo& kind : all_kinds()) known.insert(std::string(kind.name));
  const auto look = [&](std::string_view function) {
    std::string code(function);
    std::replace(code.begin(), code.end(), '_', '-');
    if (!known.contains(code)) return;  // reports a code of another rule
    EXPECT_TRUE(covered.contains(code)) << code << " is in no row of docs/rules.md";
  };
#define PLAN_RULE(function, needs_lock, plans) look(#function);
#include "compiler/check/rules.def"
#undef PLAN_RULE
#define PLAN_GRAPH_RULE(function) look(#function);
#include "compiler/check/graph_rules.def"
#undef PLAN_GRAPH_RULE
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

}  // namespace
}  // namespace plan::test
