#include "compiler/syntax/csv.h"

#include <gtest/gtest.h>

#include "compiler/syntax/limits.h"

namespace plan::syntax {
namespace {

struct Read {
  bool is_whole = false;
  std::vector<std::vector<std::string>> rows = {};
  std::vector<std::string> places = {};  ///< the text at each field's span
  std::vector<Diagnostic> problems = {};
};

Read read(const std::string& text) {
  SourceSet sources;
  Sink sink;
  Read out;
  const FileId file = sources.add("a.csv", text);
  out.is_whole = read_csv(sources, file, sink, [&](std::span<const CsvField> row) {
    out.rows.emplace_back();
    for (const CsvField& field : row) {
      out.rows.back().push_back(field.text);
      out.places.emplace_back(sources.text(field.span));
    }
  });
  out.problems = sink.sorted();
  return out;
}

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, quotes_commas_and_line_ends_are_read_as_rfc_4180_says) {
  const Read got = read(
      "\xEF\xBB\xBF"
      "a,b\r\n\r\n\"x, \"\"y\"\"\r\nz\",\n,\"\"\nlast,line");
  EXPECT_TRUE(got.is_whole);
  EXPECT_EQ(got.rows, (Rows{{"a", "b"}, {"x, \"y\"\r\nz", ""}, {"", ""}, {"last", "line"}}));
  EXPECT_EQ(got.places[2], "\"x, \"\"y\"\"\r\nz\"");
}

TEST(Csv, what_is_broken_is_told_with_its_place) {
  struct Case {
    const char* text;
    Kind kind;
    std::uint32_t begin;
    std::size_t rows;
  };
  for (const Case& one :
       {Case{"a,b\n1\n2,3\n", Kind::csv_syntax, 4, 2}, Case{"a\n\"b", Kind::csv_syntax, 2, 1},
        Case{"a\n\"b\"c", Kind::csv_syntax, 5, 1}, Case{"a\nb\"c", Kind::csv_syntax, 3, 1},
        Case{"", Kind::file_empty, 0, 0}, Case{"\n\r\n", Kind::file_empty, 0, 0},
        Case{"a\n\xff", Kind::not_utf8, 2, 0}}) {
    const Read got = read(one.text);
    EXPECT_FALSE(got.is_whole) << one.text;
    EXPECT_EQ(got.rows.size(), one.rows) << one.text;
    ASSERT_EQ(got.problems.size(), 1U) << one.text;
    EXPECT_EQ(got.problems[0].kind, one.kind) << one.text;
    EXPECT_EQ(got.problems[0].span.begin, one.begin) << one.text;
    EXPECT_FALSE(got.problems[0].help.empty()) << one.text;
  }
}

TEST(Csv, each_broken_line_is_told) {
  const Read got = read("a,b\n1\n2,3\n4,5,6\nx\"y,7\n\"z\"z,8\n9,10\n\"open,11\n");
  EXPECT_FALSE(got.is_whole);
  std::vector<std::uint32_t> places;
  for (const Diagnostic& one : got.problems) places.push_back(one.span.begin);
  EXPECT_EQ(places, (std::vector<std::uint32_t>{4, 10, 17, 25, 34}));
  EXPECT_EQ(got.problems[0].message, "this line has 1 field, the first line has 2");
  std::string many = "a,b\n";
  for (std::size_t i = 0; i < 2 * kProblemsMax; ++i) many += "1\n";
  EXPECT_EQ(read(many).problems.size(), kProblemsMax);
}

TEST(Csv, columns_and_bytes_have_bounds) {
  EXPECT_TRUE(read(std::string(kCsvColumnsMax - 1, ',')).is_whole);
  EXPECT_FALSE(read(std::string(kCsvColumnsMax, ',')).is_whole);
  const Read large = read(std::string(kCsvBytesMax + 1, 'x'));
  ASSERT_EQ(large.problems.size(), 1U);
  EXPECT_EQ(large.problems[0].kind, Kind::file_too_large);
}

}  // namespace
}  // namespace plan::syntax
