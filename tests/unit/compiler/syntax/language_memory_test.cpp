// What reading a file costs: memory for each byte and, with PLAN_LONG, the same for 100 MB, and
// time.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "compiler/syntax/csv.h"
#include "compiler/syntax/language.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PLAN_HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PLAN_HAS_SANITIZER 1
#endif
#endif

namespace plan::syntax {
namespace {

#ifdef PLAN_HAS_SANITIZER
constexpr bool kIsMeasured = false;
#else
constexpr bool kIsMeasured = true;
#endif

/// `begin`, then `part` with a number in it as often as there is room, then `end`.
std::function<std::string(std::size_t)> repeated(const char* begin, const char* part,
                                                 const char* end) {
  return [=](std::size_t size) {
    std::string text = begin;
    text.reserve(size + 256);
    for (std::size_t i = 0; text.size() < size; ++i)
      fmt::format_to(std::back_inserter(text), fmt::runtime(part), fmt::arg("i", i));
    text += end;
    return text;
  };
}

struct Shape {
  const char* name = "";
  const char* file = "x.plan";
  enum class Is : std::uint8_t { common, rare, broken } is = Is::rare;
  std::function<std::string(std::size_t)> make = {};
};

std::string in_brackets(std::size_t depth) {
  return std::string(depth, '[') + "1" + std::string(depth, ']') + ",";
}

const std::vector<Shape>& shapes() {
  using Is = Shape::Is;
  static const std::string kDeep = in_brackets(60);
  static const std::string kPairs = in_brackets(1);
  static const std::vector<Shape> kShapes = {
      {"accounts", "x.plan", Is::common,
       repeated("accounts = [\n",
                "  {{ address = \"user{i}@example.org\", aliases = [\"u{i}@example.org\"], quota = "
                "2GiB }},\n",
                "]\n")},
      {"a list of texts", "x.plan", Is::common,
       repeated("accounts = [\n", "  \"user{i}@example.org\",\n", "]\n")},
      {"steps", "x.plan", Is::common,
       repeated(
           "module m\n",
           "step a/s{i} : mark.rollback-point {{\n  stage = finalize\n  point = \"p{i}\"\n}}\n",
           "")},
      {"small numbers", "x.plan", Is::common, repeated("a = [", "1,", "]\n")},
      {"names", "x.plan", Is::rare, repeated("a = [", "x,", "]\n")},
      {"empty texts", "x.plan", Is::rare, repeated("a = [", "\"\",", "]\n")},
      {"empty lists", "x.plan", Is::rare, repeated("a = [", "[],", "]\n")},
      {"empty maps", "x.plan", Is::rare, repeated("a = [", "{{}},", "]\n")},
      {"lists of one", "x.plan", Is::rare, repeated("a = [", kPairs.c_str(), "]\n")},
      {"maps of one", "x.plan", Is::rare, repeated("a = [", "{{a=1}},", "]\n")},
      {"deep lists", "x.plan", Is::rare, repeated("a = [", kDeep.c_str(), "]\n")},
      {"secrets", "x.plan", Is::rare, repeated("a = [", "secret\"\",", "]\n")},
      {"keys", "x.plan", Is::common, repeated("a {\n", "  k{i} = 1\n", "}\n")},
      {"short entries", "x.plan", Is::rare, repeated("a {", "a{i:x}=1,", "}\n")},
      {"short statements", "x.plan", Is::rare, repeated("", "let a{i:x}=1\n", "")},
      {"inputs", "x.plan", Is::rare, repeated("", "input a{i:x}:ip\n", "")},
      {"uses", "x.plan", Is::rare, repeated("", "use a\n", "")},
      {"short steps", "x.plan", Is::rare, repeated("", "step a:b{{}}\n", "")},
      {"steps behind entries", "x.plan", Is::rare, repeated("", "a{i:x}=1 step a:b{{}}\n", "")},
      {"comments", "x.plan", Is::rare, repeated("", "# a comment, number {i}\n", "a = 1\n")},
      {"empty comments", "x.plan", Is::rare, repeated("", "#\n", "a = 1\n")},
      {"one text", "x.plan", Is::rare, repeated("a = \"", "abcdefgh", "\"\n")},
      {"expressions", "x.plan", Is::rare,
       repeated("a = [\n", "  lower(\"A{i}\") == \"a\" && length(x) > {i},\n", "]\n")},
      {"a long expression", "x.plan", Is::broken, repeated("a = length([", "1,", "])\n")},
      {"mistakes", "x.plan", Is::broken, repeated("", "a{i} = = 1\n", "")},
      {"broken values", "x.plan", Is::broken, repeated("a = [", "1x,", "]\n")},
      {"keys that stand twice", "x.plan", Is::broken, repeated("", "a=1 ", "")},
      {"brackets that do not close", "x.plan", Is::broken, repeated("", "a{i} = [\n", "")},
      {"brackets alone", "x.plan", Is::broken, repeated("", "[", "")},
      {"a mistake behind a large list", "x.plan", Is::broken, repeated("a = [", "1,", "]]\n")},
      {"accounts", "x.yaml", Is::common,
       repeated("accounts:\n",
                "- {{address: user{i}@example.org, aliases: [u{i}@example.org], quota: 2GiB}}\n",
                "")},
      {"small numbers", "x.yaml", Is::rare, repeated("a: [", "1,", "1]\n")},
      {"items", "x.yaml", Is::rare, repeated("a:\n", "- 1\n", "")},
      {"empty items", "x.yaml", Is::rare, repeated("a:\n", "-\n", "")},
      {"lists of one", "x.yaml", Is::rare, repeated("a:\n", "- - 1\n", "")},
      {"keys", "x.yaml", Is::rare, repeated("", "a{i:x}:\n", "")},
      {"keys that stand twice", "x.yaml", Is::broken, repeated("", "a: 1\n", "")},
      {"keys that are none", "x.yaml", Is::broken, repeated("", "[a]: 1\n", "")},
      {"mistakes", "x.yaml", Is::broken, repeated("", "a{i}: b: 1\n", "")},
      {"a quote that is never closed", "x.yaml", Is::broken, repeated("a: \"", "abcdefgh", "\n")},
      {"comments", "x.yaml", Is::rare, repeated("", "#\n", "a: 1\n")},
      {"addresses", "x.csv", Is::rare, repeated("address\n", "user{i}@example.org\n", "")},
      {"short rows", "x.csv", Is::rare, repeated("a\n", "b\n", "")},
  };
  return kShapes;
}

struct Cost {
  double bytes_a_byte = 0;  ///< the most that was ever in use, beyond the text itself
  double cpu_seconds = 0;
  bool is_read = false;  ///< to the end
  std::size_t problems = 0;
};

bool read_file(const std::string& name, const SourceSet& sources, FileId file, Sink& sink) {
  if (!name.ends_with(".csv"))
    return read_source(sources, file, sink, TreeLimits::with_bytes(kSourceBytesMax)).has_value();
  std::size_t fields = 0;
  return read_csv(sources, file, sink, [&](const auto& row) { fields += row.size(); }) &&
         fields > 0;
}

/// Reads in a process of its own, whose peak is that of this one text.
Cost cost_of(const Shape& shape, std::size_t size) {
  int ends[2] = {-1, -1};
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    SourceSet sources;
    Sink sink;
    std::string text = shape.make(size);
    const auto bytes = static_cast<double>(text.size());
    const FileId file = sources.add(shape.file, std::move(text));
    rusage before = {}, after = {};
    getrusage(RUSAGE_SELF, &before);
    const bool is_read = read_file(shape.file, sources, file, sink);
    getrusage(RUSAGE_SELF, &after);
    const auto seconds = [](const rusage& usage) {
      return static_cast<double>(usage.ru_utime.tv_sec) +
             static_cast<double>(usage.ru_utime.tv_usec) / 1e6;
    };
    const double more = static_cast<double>(after.ru_maxrss - before.ru_maxrss) * 1024;
    const Cost cost{more / bytes, seconds(after) - seconds(before), is_read,
                    sink.count(Severity::error)};
    const bool is_written = write(ends[1], &cost, sizeof cost) == sizeof cost;
    _exit(is_written ? 0 : 1);
  }
  close(ends[1]);
  Cost cost;
  const bool is_told = read(ends[0], &cost, sizeof cost) == sizeof cost;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(is_told) << shape.name << ": the reader ended with " << status;
  return is_told ? cost : Cost();
}

TEST(LanguageMemory, IsAtMostAHundredBytesForEachByte) {
  if (!kIsMeasured) GTEST_SKIP() << "a sanitizer has memory of its own";
  const bool is_long = std::getenv("PLAN_LONG") != nullptr;
  for (const Shape& shape : shapes()) {
    const double megabytes = is_long ? 100 : shape.is == Shape::Is::common ? 1 : 0.2;
    const Cost cost = cost_of(shape, static_cast<std::size_t>(megabytes * 1e6));
    EXPECT_EQ(cost.is_read, shape.is != Shape::Is::broken) << shape.file << ": " << shape.name;
    EXPECT_EQ(cost.problems == 0, cost.is_read) << shape.file << ": " << shape.name;
    EXPECT_LE(cost.problems, kProblemsMax) << shape.file << ": " << shape.name;
    EXPECT_LE(cost.bytes_a_byte, 100.0) << shape.file << ": " << shape.name;
    if (is_long)
      fmt::print("{}: {}: {:.1f} bytes a byte, {:.1f} s\n", shape.file, shape.name,
                 cost.bytes_a_byte, cost.cpu_seconds);
  }
}

/// Processor time of four times the text; a square would be sixteen times.
TEST(LanguageMemory, AndTimeGrowsWithTheText) {
  if (!kIsMeasured || std::getenv("PLAN_LONG") == nullptr)
    GTEST_SKIP() << "PLAN_LONG is not set: tests/long measures time";
  for (const Shape& shape : shapes()) {
    const Cost small = cost_of(shape, 10'000'000);
    const Cost large = cost_of(shape, 40'000'000);
    EXPECT_LE(large.cpu_seconds, 8 * std::max(small.cpu_seconds, 0.05)) << shape.name;
  }
}

}  // namespace
}  // namespace plan::syntax
