#include "tests/support/told_error.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include <fmt/format.h>

#include "tests/support/repository.h"

namespace plan::test {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos && !what.empty();
       at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::string told(const Error& error, const std::vector<Stand>& stands) {
  std::string text =
      fmt::format("{}\n  effect: {}\n  retry: {}\n  blame: {}\n", error.to_line(),
                  to_string(error.effect()), to_string(error.retry()), to_string(error.blame()));
  if (error.retry_after().count() != 0) {
    text += fmt::format("  after: {} ms\n", error.retry_after().count());
  }
  if (!error.argument().empty()) text += fmt::format("  argument: {}\n", error.argument());
  text += fmt::format("  summary: {}\n  remedy: {}\n", error.code().summary, error.code().remedy);
  for (const auto& [what, by] : stands) text = replaced(std::move(text), what, by);
  static const std::regex kPort(R"((127\.0\.0\.1|\[::1\]|localhost|::1)(:| port )[0-9]{4,5}\b)");
  text = std::regex_replace(text, kPort, "$1$2<port>");
  static const std::regex kFolder(R"(/[^ '"`]*/plan-test-[A-Za-z0-9]{6})");
  return std::regex_replace(text, kFolder, "<folder>");
}

testing::AssertionResult told_as(std::string_view code, const Error& error,
                                 const std::vector<Stand>& stands) {
  if (error.code().name != code) {
    return testing::AssertionFailure() << "is no " << code << ": " << error.to_line();
  }
  const std::filesystem::path file =
      repository() / "tests/golden/errors" / (std::string(code) + ".txt");
  const std::string is = told(error, stands);
  if (std::getenv("PLAN_ACCEPT") != nullptr) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << is;
    return testing::AssertionSuccess();
  }
  const std::string expected = content(file);
  if (is == expected) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "--- " << file.string() << '\n'
                                     << expected << "\n--- is\n"
                                     << is;
}

}  // namespace plan::test
