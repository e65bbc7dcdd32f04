// Every module of stdlib/ begins with what it does, its inputs, what it creates and how it is
// undone: docs/modules.md and `plan explain std/NAME` show nothing else of it in words.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "compiler/source/source_set.h"
#include "compiler/source/text.h"
#include "compiler/syntax/sound_part.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

constexpr std::array kParts = {std::string_view("What it does: "), std::string_view("Its inputs: "),
                               std::string_view("What it creates: "),
                               std::string_view("How it is undone: ")};

/// The comment above the first statement, without its `#`.
std::string header_of(std::string_view text) {
  std::string header;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with('#')) break;
    header += line.substr(std::min<std::size_t>(line.size(), 2));
    header += '\n';
  }
  return header;
}

/// The words of each part, in the order of kParts; empty where it is not there or out of order.
std::vector<std::string> parts_of(const std::string& header) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < kParts.size(); ++i) {
    const std::string mark = "\n" + std::string(kParts[i]);
    const std::size_t at =
        i == 0 ? (header.starts_with(kParts[0]) ? 0 : std::string::npos) : header.find(mark, begin);
    if (at == std::string::npos) return {};
    if (i > 0) parts.push_back(header.substr(begin, at - begin));
    begin = at + (i == 0 ? kParts[0].size() : mark.size());
  }
  parts.push_back(header.substr(begin));
  return parts;
}

std::vector<std::string> inputs_of(const std::string& name, const std::string& text) {
  SourceSet sources;
  Sink sink;
  const FileId file = sources.add(name, text);
  const syntax::SoundPart part = syntax::read_sound_part(sources, file, sink);
  EXPECT_TRUE(part.tree && !part.is_damaged) << name;
  std::vector<std::string> inputs;
  const syntax::Node* declared = part.tree ? part.tree->find("inputs") : nullptr;
  if (declared == nullptr) return inputs;
  for (const syntax::Entry& input : declared->entries) inputs.push_back(input.key);
  return inputs;
}

TEST(StdlibHeaders, SayWhatTheModuleDoesItsInputsWhatItCreatesAndHowItIsUndone) {
  std::size_t modules = 0;
  std::size_t inputs = 0;
  for (const auto& entry : fs::directory_iterator(test::repository() / "stdlib")) {
    if (entry.path().extension() != ".plan") continue;
    ++modules;
    const std::string name = entry.path().filename().string();
    const std::string text = read_all(entry.path());
    const std::vector<std::string> parts = parts_of(header_of(text));
    ASSERT_EQ(parts.size(), kParts.size()) << name << " lacks a part, or has them in another order";
    for (std::size_t i = 0; i < parts.size(); ++i)
      EXPECT_GE(trim(parts[i]).size(), 5U) << name << ": " << kParts[i];
    const std::vector<std::string> declared = inputs_of(name, text);
    EXPECT_EQ(declared.empty(), parts[1].starts_with("none.")) << name;
    for (const std::string& input : declared) {
      EXPECT_NE(parts[1].find("`" + input + "`"), std::string::npos)
          << name << " does not name its input `" << input << "`";
      ++inputs;
    }
  }
  EXPECT_GE(modules, 18U);
  EXPECT_GE(inputs, 60U);
}

TEST(StdlibHeaders, WithoutAPartAreNone) {
  const std::string whole =
      "What it does: a\n\nIts inputs: none.\n\nWhat it creates: b\n\nHow it is undone: c\n";
  EXPECT_EQ(parts_of(whole).size(), 4U);
  for (const std::string_view part : kParts) {
    std::string text = whole;
    text.erase(text.find(part), part.size());
    EXPECT_TRUE(parts_of(text).empty()) << part;
  }
  EXPECT_TRUE(parts_of("").empty());
}

}  // namespace
}  // namespace plan::test
