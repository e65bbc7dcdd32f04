// What reading a file of the plan language costs: memory for each byte and, with PLAN_LONG, time.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

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

struct Cost {
  double bytes_a_byte = 0;  ///< the most that was ever in use, beyond the text itself
  double cpu_seconds = 0;
  bool is_read = false;  ///< to the end: a tree, or the diagnostic of a bound
};

/// Reads in a process of its own, whose peak is that of this one text.
Cost cost_of(const std::function<std::string(std::size_t)>& make, std::size_t size) {
  int ends[2] = {-1, -1};
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    SourceSet sources;
    Sink sink;
    std::string text = make(size);
    const auto bytes = static_cast<double>(text.size());
    const FileId file = sources.add("x.plan", std::move(text));
    rusage before = {}, after = {};
    getrusage(RUSAGE_SELF, &before);
    const auto tree = read_language(sources, file, sink, TreeLimits::with_bytes(kSourceBytesMax));
    getrusage(RUSAGE_SELF, &after);
    const auto seconds = [](const rusage& usage) {
      return static_cast<double>(usage.ru_utime.tv_sec) +
             static_cast<double>(usage.ru_utime.tv_usec) / 1e6;
    };
    const double more = static_cast<double>(after.ru_maxrss - before.ru_maxrss) * 1024;
    const Cost cost{more / bytes, seconds(after) - seconds(before),
                    tree.has_value() || sink.has_errors()};
    const bool is_written = write(ends[1], &cost, sizeof cost) == sizeof cost;
    _exit(is_written ? 0 : 1);
  }
  close(ends[1]);
  Cost cost;
  const bool is_told = read(ends[0], &cost, sizeof cost) == sizeof cost;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return is_told ? cost : Cost();
}

/// `begin`, then `part` with a number in it as often as there is room, then `end`.
std::function<std::string(std::size_t)> repeated(const char* begin, const char* part,
                                                 const char* end) {
  return [=](std::size_t size) {
    std::string text = begin;
    text.reserve(size + 256);
    for (std::size_t i = 0; text.size() < size; ++i)
      text += fmt::format(fmt::runtime(part), fmt::arg("i", i));
    return text + end;
  };
}

struct Shape {
  const char* name = "";
  bool is_common = false;  ///< what people write: larger in tests/run
  std::function<std::string(std::size_t)> make = {};
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> kShapes = {
      {"accounts", true,
       repeated("accounts = [\n",
                "  {{ address = \"user{i}@example.org\", aliases = [\"u{i}@example.org\"], quota = "
                "2GiB }},\n",
                "]\n")},
      {"a list of texts", true, repeated("accounts = [\n", "  \"user{i}@example.org\",\n", "]\n")},
      {"small numbers", true, repeated("a = [", "1,", "]\n")},
      {"keys", false, repeated("a {\n", "  k{i} = 1\n", "}\n")},
      {"comments", false, repeated("", "# a comment, number {i}\n", "a = 1\n")},
      {"one text", false, repeated("a = \"", "abcdefgh", "\"\n")},
      {"expressions", false,
       repeated("a = [\n", "  lower(\"A{i}\") == \"a\" && length(x) > {i},\n", "]\n")},
      {"steps", true,
       repeated(
           "module m\n",
           "step a/s{i} : mark.rollback-point {{\n  stage = finalize\n  point = \"p{i}\"\n}}\n",
           "")},
      {"mistakes", false, repeated("", "a{i} = = 1\n", "")},
      {"brackets that do not close", false, repeated("", "a{i} = [\n", "")},
  };
  return kShapes;
}

TEST(LanguageMemory, IsAtMostAHundredBytesForEachByte) {
  if (!kIsMeasured) GTEST_SKIP() << "a sanitizer has memory of its own";
  const bool is_long = std::getenv("PLAN_LONG") != nullptr;
  for (const Shape& shape : shapes()) {
    // 64 MiB is the most that is read at all: a larger file is refused and costs nothing.
    const std::size_t megabytes = is_long ? 60 : shape.is_common ? 5 : 1;
    const Cost cost = cost_of(shape.make, megabytes * 1'000'000);
    EXPECT_TRUE(cost.is_read) << shape.name;
    EXPECT_LE(cost.bytes_a_byte, 100.0) << shape.name;
    if (is_long)
      fmt::print("{}: {:.1f} bytes a byte, {:.1f} s\n", shape.name, cost.bytes_a_byte,
                 cost.cpu_seconds);
  }
}

/// Processor time of four times the text; a square would be sixteen times.
TEST(LanguageMemory, AndTimeGrowsWithTheText) {
  if (!kIsMeasured || std::getenv("PLAN_LONG") == nullptr)
    GTEST_SKIP() << "PLAN_LONG is not set: tests/long measures time";
  for (const Shape& shape : shapes()) {
    const Cost small = cost_of(shape.make, 10'000'000);
    const Cost large = cost_of(shape.make, 40'000'000);
    EXPECT_LE(large.cpu_seconds, 8 * std::max(small.cpu_seconds, 0.05)) << shape.name;
  }
}

}  // namespace
}  // namespace plan::syntax
