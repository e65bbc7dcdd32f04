// Mistakes on the command line, as text and as JSON, and the commands of dumps on odd names: what
// is answered, and on which stream.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/json.h"
#include "runtime/command/command_table.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"

namespace plan::command {
namespace {

struct Ended {
  ExitCode code = ExitCode::bug;
  std::string out = {};
  std::string words = {};
};

std::optional<Invocation> parse(const std::vector<std::string>& words, ExitCode* code) {
  std::vector<const char*> arguments = {"plan"};
  for (const std::string& word : words) arguments.push_back(word.c_str());
  return parse_arguments(static_cast<int>(arguments.size()), arguments.data(), code);
}

/// `plan WORDS...` in this process.
Ended run(const std::vector<std::string>& words) {
  Ended ended;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto invocation = parse(words, &ended.code);
  if (invocation) ended.code = invocation->command->run(*invocation);
  ended.out = testing::internal::GetCapturedStdout();
  ended.words = testing::internal::GetCapturedStderr();
  return ended;
}

std::vector<std::string> in_json(std::vector<std::string> words) {
  words.insert(words.end(), {"--format", "json"});
  return words;
}

/// Refused with that code, in words that hold `named`, once as text and once as JSON; `argument` is
/// to blame.
void expect_refused(const std::vector<std::string>& words, const std::string& code,
                    const std::string& named, const std::string& argument) {
  std::string line;
  for (const std::string& word : words) line += word + " ";
  SCOPED_TRACE(line);
  const Ended text = run(words);
  EXPECT_EQ(text.code, ExitCode::error);
  EXPECT_EQ(text.out, "");
  EXPECT_NE(text.words.find("[" + code + "]\n  help: "), std::string::npos) << text.words;
  EXPECT_NE(text.words.find(named), std::string::npos) << text.words;
  const Ended json = run(in_json(words));
  EXPECT_EQ(json.code, ExitCode::error);
  EXPECT_EQ(json.words, "");
  const auto document = ir::parse_json(json.out);
  ASSERT_TRUE(document) << json.out;
  const ir::Value& error = (*document)["error"];
  EXPECT_EQ(error["code"].string_or(""), code);
  EXPECT_NE(error["message"].string_or("").find(named), std::string_view::npos) << json.out;
  EXPECT_FALSE(error["remedy"].string_or("").empty());
  EXPECT_EQ(error["argument"].string_or("-"), argument);
}

TEST(CommandLine, AMistakeIsAnsweredInJsonWhereJsonIsAskedFor) {
  expect_refused({"dmup"}, "bad-command-line", "did you mean `dump`?", "");
  expect_refused({"dump", "inspekt"}, "bad-command-line", "did you mean `inspect`?", "");
  expect_refused({"dump"}, "bad-command-line", "name one of its commands", "");
  expect_refused({"dump", "verify"}, "bad-command-line", "DUMP is required", "");
  expect_refused({"dump", "verify", "x", "--no-such"}, "bad-command-line", "--no-such", "");
  expect_refused({"dump", "verify", "x", "y"}, "bad-command-line", "y", "");
  expect_refused({"check", "--no-such"}, "bad-command-line", "--no-such", "");
  expect_refused({"throttle", "--host", "elsewhere", "--connections", "4"}, "bad-command-line",
                 "--host is one of source, target; not `elsewhere`", "--host");
  // In the other spelling too, and of two the last one counts.
  const Ended joined = run({"dump", "verify", "--format=json"});
  EXPECT_TRUE(ir::parse_json(joined.out)) << joined.out;
  const Ended last = run({"dump", "verify", "--format=json", "--format", "text"});
  EXPECT_EQ(last.out, "");
}

TEST(CommandLine, ANumberHasItsRangeAndSaysIt) {
  std::size_t seen = 0;
  std::vector<std::string> without_fallback;
  for (const CommandSpec& command : all_commands()) {
    for (const OptionSpec& option : command.options) {
      if (!option.range) continue;
      ++seen;
      const std::string name(option.name);
      std::vector<std::string> words;
      const std::size_t space = command.name.find(' ');
      words.emplace_back(command.name.substr(0, space));
      if (space != std::string_view::npos) words.emplace_back(command.name.substr(space + 1));
      for (const OptionSpec& other : command.options)
        if (other.is_required && !other.name.starts_with('-'))
          words.emplace_back("sqlite:x");
        else if (other.is_required)
          words.insert(words.end(), {std::string(other.name), "source"});
      for (const std::string& wrong :
           {std::string("-1"), std::string("many"), std::string("1.5"), std::string("7 "),
            std::to_string(option.range->most + 1), std::string("99999999999999999999")}) {
        std::vector<std::string> line = words;
        line.insert(line.end(), {name, wrong});
        expect_refused(line, "bad-command-line",
                       name + " is a number of " + std::to_string(option.range->least) + " to ",
                       name);
      }
      ExitCode code = ExitCode::done;
      for (const std::uint64_t bound : {option.range->least, option.range->most}) {
        std::vector<std::string> line = words;
        line.insert(line.end(), {name, std::to_string(bound)});
        const auto given = parse(line, &code);
        ASSERT_TRUE(given) << name << " " << bound;
        EXPECT_EQ(given->number(name), bound);
      }
      // Nobody gives it: it is what its fallback says, or is not there at all.
      const auto bare = parse(words, &code);
      ASSERT_TRUE(bare) << command.name;
      EXPECT_FALSE(bare->has(name)) << name;
      if (option.fallback.empty()) {
        without_fallback.push_back(std::string(command.name) + " " + name);
        EXPECT_EQ(bare->value(name), "") << name;
      } else {
        EXPECT_EQ(std::to_string(bare->number(name)), option.fallback) << name;
      }
    }
  }
  EXPECT_GE(seen, 5U);
  // Who reads the number of such an option asks first whether it is there.
  EXPECT_EQ(without_fallback, std::vector<std::string>{"throttle --connections"});
}

TEST(DumpCommandLine, WhatContradictsItselfIsRefused) {
  const std::string store = "sqlite:nowhere/x.sqlite";
  expect_refused({"dump", "export", store, "out", "--parallel", "0"}, "bad-command-line",
                 "1 to 8, not `0`", "--parallel");
  expect_refused({"dump", "export", store, "out", "--port", "0"}, "bad-option", "1 to 65535",
                 "--port");
  expect_refused({"dump", "export", store, "out", "--port", "25,65536"}, "bad-option", "65536",
                 "--port");
  expect_refused({"dump", "import", store, "d", "--empty", "--take-back", "--compare"},
                 "bad-option", "--compare and --take-back are two things to do", "--take-back");
  expect_refused({"dump", "import", store, "d", "--empty", "--take-back"}, "bad-option",
                 "--take-back and --empty", "--empty");
  expect_refused({"dump", "import", store, "d", "--empty"}, "bad-option", "--yes", "--yes");
  expect_refused({"dump", "import", store, "d", "--yes"}, "bad-option", "--empty", "--yes");
  expect_refused({"dump", "import", store, "d", "--empty", "--yes", "--subspaces", "t"},
                 "bad-option", "--subspaces says nothing to --empty", "--subspaces");
  expect_refused({"dump", "import", store, "d", "--compare", "--second-part"}, "bad-option",
                 "--second-part says nothing to --compare", "--second-part");
  expect_refused({"dump", "list", "d", "--what", "bogus"}, "bad-command-line",
                 "accounts, objects, messages, records, registry; not `bogus`", "--what");
  expect_refused({"dump", "list", "d", "--what", "records"}, "bad-option", "--subspace",
                 "--subspace");
  expect_refused({"dump", "list", "d", "--after", "00"}, "bad-option", "--what records", "--after");
  expect_refused({"dump", "list", "d", "--what", "registry", "--account", "a"}, "bad-option",
                 "--account is for", "--account");
  expect_refused({"dump", "get", "d", "--output", "o"}, "bad-option", "--account and --message",
                 "--message");
  expect_refused(
      {"dump", "get", "d", "--account", "a", "--message", "1", "--subspace", "p", "--output", "o"},
      "bad-option", "--account and --message", "--message");
}

/// A real dump under a name that would turn a terminal's text red and begin a line of its own.
class OddNameTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto dumps = test::shared_data("data/dumps");
    if (!dumps) GTEST_SKIP() << "this clone has no ../shared/data/dumps";
    dump_ = folder_.file("a\x1b[31m\nall is well\x9b");
    std::filesystem::copy(*dumps / "0.16.15-sqlite-small", dump_);
  }
  void expect_masked(const std::vector<std::string>& words) const {
    for (const auto& line : {words, in_json(words)}) {
      const Ended ended = run(line);
      for (const std::string& text : {ended.out, ended.words}) {
        EXPECT_EQ(text.find('\x1b'), std::string::npos) << line[1] << ": " << text;
        EXPECT_EQ(text.find('\x9b'), std::string::npos) << line[1] << ": " << text;
        EXPECT_EQ(text.find("\nall is well"), std::string::npos) << line[1] << ": " << text;
      }
    }
  }
  test::TempDir folder_;
  std::string dump_;
};

TEST_F(OddNameTest, IsMaskedWhereverItIsShown) {
  const std::string store = "sqlite:" + dump_ + ".sqlite";
  std::filesystem::create_directory(dump_ + "/sub\x1b[1m");
  expect_masked({"dump", "inspect", dump_});
  expect_masked({"dump", "inspect", store});
  expect_masked({"dump", "list", dump_});
  expect_masked(
      {"dump", "get", dump_, "--account", "alice", "--message", "1", "--output", dump_ + ".eml"});
  std::filesystem::remove(dump_ + "/sub\x1b[1m");
  expect_masked({"dump", "manifest", dump_});
  expect_masked({"dump", "verify", dump_ + "/subspace_l"});
  expect_masked({"dump", "select", dump_, "--account", "bob", "--output", dump_ + ".bob"});
  expect_masked({"dump", "merge", dump_, dump_, "--output", dump_ + ".both"});
  expect_masked({"dump", "convert", dump_, "--checksums", "--output", dump_ + ".sealed"});
  expect_masked({"dump", "repair", dump_, "--output", dump_ + ".repaired"});
  expect_masked({"dump", "diff", dump_, dump_ + ".bob"});
  expect_masked({"dump", "import", store, dump_});
  expect_masked({"dump", "export", store, dump_ + ".out"});
  expect_masked({"dump", "import", store, dump_, "--compare"});
  expect_masked({"dump", "import", store, dump_, "--take-back"});
  for (const std::string missing : {"inspect", "verify", "manifest", "list", "repair"})
    expect_masked({"dump", missing, dump_ + ".nowhere"});
}

TEST_F(OddNameTest, TheGradeIsShownWhereOneIsGiven) {
  EXPECT_EQ(run({"dump", "inspect", dump_}).out.find("grade\n"), std::string::npos);
  EXPECT_NE(run({"dump", "verify", dump_}).out.find("on disk  grade\n"), std::string::npos);
  std::filesystem::create_directory(dump_ + "/sub");
  EXPECT_NE(run({"dump", "inspect", dump_}).out.find("folders inside: sub\n"), std::string::npos);
  std::filesystem::create_directory(dump_ + "/tub");
  EXPECT_NE(run({"dump", "inspect", dump_}).out.find("folders inside: sub and 1 more\n"),
            std::string::npos);
}

TEST_F(OddNameTest, WhatIsNotThereOrNotNamedRightHasACodeOfItsOwn) {
  std::ofstream(folder_.file("no.json")) << "hello";
  expect_refused({"dump", "verify", dump_, "--manifest", folder_.file("no.json")},
                 "manifest-unusable", "no JSON", "");
  expect_refused({"dump", "verify", dump_, "--manifest", folder_.file("nowhere")},
                 "manifest-unusable", "No such file", "");
  const std::string there = folder_.file("there");
  std::ofstream(there) << "mine";
  expect_refused({"dump", "get", dump_, "--account", "alice", "--message", "1", "--output", there},
                 "file-there", "exists", "--output");
  EXPECT_EQ(test::read_all(there), "mine");
  for (const std::string wrong :
       {"4294967296", "99999999999999999999999", "zzzzzzzzzzzzzzzzzzzzzzzzzzz", "8!", ""})
    expect_refused({"dump", "get", dump_, "--account", "alice", "--message", wrong, "--output",
                    folder_.file("no.eml")},
                   "dump-bad-id", "is no id of a message", "");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("no.eml")));
  expect_refused({"dump", "select", dump_, "--account", "999", "--output", folder_.file("s")},
                 "dump-unknown-account", "`999`", "");
  const std::string pipe = folder_.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_refused({"dump", "inspect", "sqlite:" + pipe}, "store-unreadable", "no regular file", "");
  expect_refused({"dump", "inspect", "rocksdb:" + pipe}, "store-unreadable", "no folder", "");
}

TEST_F(OddNameTest, OneAccountIsListedAsOne) {
  const Ended one = run({"dump", "list", dump_, "--account", "alice@example.net"});
  EXPECT_EQ(one.code, ExitCode::done);
  EXPECT_EQ(std::count(one.out.begin(), one.out.end(), '\n'), 1) << one.out;
  EXPECT_NE(one.out.find("\"alice\""), std::string::npos);
  EXPECT_EQ(run({"dump", "list", dump_, "--account", "nobody"}).code, ExitCode::error);
}

TEST(DumpWithoutADirectory, KnowsAnAccountByItsRecords) {
  PLAN_SHARED(dumps, "data/dumps");
  const test::TempDir folder;
  const std::string data = dumps / "0.16.15-rocksdb-data";
  const std::string blobs = dumps / "0.16.15-rocksdb-blob";
  expect_refused({"dump", "select", data, "--account", "999", "--output", folder.file("s")},
                 "dump-unknown-account", "no record of account 999", "");
  expect_refused({"dump", "merge", data, blobs, "--account", "999", "--output", folder.file("m")},
                 "dump-unknown-account", "no record of account 999", "");
  expect_refused({"dump", "list", data, "--what", "messages", "--account", "999"},
                 "dump-unknown-account", "no record of account 999", "");
  EXPECT_FALSE(std::filesystem::exists(folder.file("s")));
  // Its blobs are in the other dump.
  const Ended known = run(
      {"dump", "select", data, "--account", "2", "--partial", "--output", folder.file("known")});
  EXPECT_EQ(known.code, ExitCode::done) << known.words;
}

}  // namespace
}  // namespace plan::command
