#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <functional>
#include <map>
#include <set>

#include "runtime/dump/contents.h"
#include "runtime/dump/diff.h"
#include "runtime/dump/directory.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/frame_writer.h"
#include "runtime/dump/repair.h"
#include "runtime/dump/rewrite.h"
#include "runtime/dump/salvage.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/runtime/dump/dump_files.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;
using test::read_all;
using test::TempDir;

ir::Value expected_of(const fs::path& dump) {
  const auto parsed = ir::parse_json(read_all(dump.string() + ".expected.json"));
  EXPECT_TRUE(parsed);
  return parsed ? *parsed : ir::Value();
}

bool are_equal(const std::string& left, const std::string& right) {
  const auto compared = diff_dumps(left, right);
  EXPECT_TRUE(compared) << compared.error().to_line();
  return compared && (*compared)["is_equal"].bool_or(false);
}

/// Kinds of all faults, each with the letter of its file.
std::string faults_of(const std::string& dump) {
  const auto report = verify_dump(dump, {.manifest = "-"});
  EXPECT_TRUE(report);
  std::string text;
  if (!report) return text;
  for (const FileReport& file : report->files)
    for (const auto& counted : file.faults.kinds())
      text += file.name + " " + std::string(to_string(counted.kind)) + "; ";
  for (const auto& counted : report->faults.kinds())
    text += std::string(to_string(counted.kind)) + "; ";
  return text;
}

TEST(DumpGet, GivesEveryMessageOfEveryAccountByteForByte) {
  PLAN_SHARED(dumps, "data/dumps");
  std::size_t messages = 0, with_own_lines = 0;
  for (const std::string name : {"0.15.5-rocksdb-small", "0.16.15-sqlite-small"}) {
    const std::string dump = dumps / name;
    const ir::Value expected = expected_of(dumps / name);
    for (const auto& [account, truth] : expected["truth"]["perAccount"].members())
      for (const ir::Value& email : truth["emails"].items()) {
        std::string bytes;
        const auto got = get_message(dump, account, email["id"].string_or(""),
                                     [&](std::string_view piece) -> Outcome {
                                       bytes += piece;
                                       return {};
                                     });
        ASSERT_TRUE(got) << account << " " << got.error().to_line();
        EXPECT_EQ(ir::sha256(bytes).hex(), email["sha256"].string_or("")) << account;
        EXPECT_EQ((*got)["sha256"], email["sha256"]);
        EXPECT_EQ((*got)["bytes"], email["size"]);
        EXPECT_EQ((*got)["blob"], email["blob"]);
        EXPECT_EQ((*got)["header_bytes_before_blob"], email["headerBytesBeforeBlob"]);
        ++messages;
        if (email["headerBytesBeforeBlob"].integer_or(0) > 0) ++with_own_lines;
      }
  }
  EXPECT_EQ(messages, 212U);
  EXPECT_EQ(with_own_lines, 34U);
}

TEST(DumpGet, SaysWhatIsNotThere) {
  PLAN_SHARED(dumps, "data/dumps");
  const Sink nowhere = [](std::string_view) -> Outcome { return {}; };
  const std::string dump = dumps / "0.16.15-sqlite-small";
  EXPECT_TRUE(get_message(dump, "alice", "999999", nowhere).error().is(errors::not_in_dump));
  EXPECT_TRUE(get_message(dump, "alice", "8!", nowhere).error().is(errors::bad_id));
  EXPECT_TRUE(get_message(dump, "nobody", "1", nowhere).error().is(errors::unknown_account));
  EXPECT_TRUE(get_record(dump, "p", "0", nowhere).error().is(errors::bad_id));
  EXPECT_TRUE(get_record(dump, "c", "00", nowhere).error().is(errors::unknown_subspace));
  const auto row = get_record(dump, "p", "00", [](std::string_view piece) -> Outcome {
    EXPECT_EQ(piece, std::string_view("\0\0\0\6", 4));
    return {};
  });
  ASSERT_TRUE(row);
  EXPECT_EQ((*row)["value_bytes"].integer_or(0), 4);
}

/// When the messages of one blob were received, as the server's clients see it.
using Times = std::multiset<std::pair<std::string, std::int64_t>>;

Times received_times(const ir::Value& listed) {
  Times times;
  for (const ir::Value& message : listed["items"].items())
    times.emplace(message["blob"].string_or(""), message["received_at"].integer_or(-1));
  return times;
}

Times expected_times(const ir::Value& emails) {
  Times times;
  for (const ir::Value& email : emails.items()) {
    std::tm parts = {};
    const std::string text(email["receivedAt"].string_or(""));
    EXPECT_NE(::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts), nullptr) << text;
    times.emplace(email["blob"].string_or(""), ::timegm(&parts));
  }
  return times;
}

/// The bit beside the time: set for a message with parts that are no text, clear for plain ones.
TEST(DumpList, TellsTheTimeFromTheAttachmentBesideIt) {
  PLAN_SHARED(dumps, "data/dumps");
  const std::string dump = dumps / "0.16.15-rocksdb-full";
  const auto listed = list_contents(dump, {.what = "messages"});
  ASSERT_TRUE(listed);
  int with = 0;
  for (const ir::Value& message : (*listed)["items"].items()) {
    if (!message["has_attachment"].bool_or(false)) continue;
    ++with;
    std::string bytes;
    const auto got =
        get_message(dump, std::to_string(message["account"].integer_or(-1)),
                    std::to_string(message["document"].integer_or(-1)),
                    [&](std::string_view piece) -> Outcome { return bytes += piece, Outcome(); });
    ASSERT_TRUE(got) << got.error().to_line();
    std::transform(bytes.begin(), bytes.end(), bytes.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    EXPECT_NE(bytes.find("content-"), std::string::npos) << message["blob"].string_or("");
  }
  EXPECT_EQ((*listed)["total"], ir::Value(std::int64_t{229}));
  EXPECT_EQ(with, 79);
}

TEST(DumpList, FindsAccountsMessagesAndObjects) {
  PLAN_SHARED(dumps, "data/dumps");
  for (const std::string name : {"0.15.5-sqlite-small", "0.16.15-rocksdb-small"}) {
    const std::string dump = dumps / name;
    const ir::Value expected = expected_of(dumps / name);
    const auto directory = Directory::read(dump);
    ASSERT_TRUE(directory);
    for (const auto& [account, truth] : expected["truth"]["perAccount"].members()) {
      const auto id = directory->find_account(account);
      ASSERT_TRUE(id) << account;
      const auto messages = list_contents(dump, {.what = "messages", .account = account});
      ASSERT_TRUE(messages);
      EXPECT_EQ((*messages)["total"].integer_or(0),
                static_cast<std::int64_t>(truth["emails"].size()))
          << account;
      EXPECT_EQ(received_times(*messages), expected_times(truth["emails"])) << account;
    }
    const auto cut = list_contents(dump, {.what = "records", .subspace = "l", .limit = 3});
    ASSERT_TRUE(cut);
    EXPECT_EQ((*cut)["items"].size(), 3U);
    EXPECT_TRUE((*cut)["is_cut"].bool_or(false));
    const auto rest =
        list_contents(dump, {.what = "records",
                             .subspace = "l",
                             .limit = 1,
                             .after = std::string((*cut)["items"].item(1)["key"].string_or(""))});
    ASSERT_TRUE(rest);
    EXPECT_EQ((*rest)["items"].item(0)["key"], (*cut)["items"].item(2)["key"]);
  }
  EXPECT_FALSE(list_contents((dumps / "0.16.15-rocksdb-blob").string(), {.what = "accounts"}));
}

TEST(DumpSelect, TakesAnAccountWithAllItRefersToAndNothingOfOthers) {
  PLAN_SHARED(dumps, "data/dumps");
  struct Choice {
    std::string dump;
    Wanted wanted;
    std::vector<std::string> accounts;
  };
  const std::vector<Choice> choices = {
      {"0.15.5-rocksdb-small", {.accounts = {"bob"}}, {"bob"}},
      {"0.16.15-sqlite-small", {.accounts = {"bob@example.org"}}, {"bob"}},
      {"0.16.15-sqlite-small", {.accounts = {"dave", "6"}}, {"dave", "erin"}},
      {"0.16.15-rocksdb-small", {.domains = {"example.net"}}, {"alice", "dave", "erin", "frank"}},
      {"0.15.5-sqlite-small", {.domains = {"example.net"}}, {"alice", "dave", "erin", "frank"}},
  };
  for (const Choice& choice : choices) {
    const TempDir folder;
    const std::string output = folder.file("part");
    const auto written =
        rewrite_dumps({(dumps / choice.dump).string()}, output, {.wanted = choice.wanted});
    ASSERT_TRUE(written) << written.error().to_line();
    // Nothing dangles, and the manifest beside it proves it.
    EXPECT_EQ(faults_of(output), "") << choice.dump;
    EXPECT_EQ(verify_dump(output)->grade, Grade::proved);
    const ir::Value truth = expected_of(dumps / choice.dump)["truth"]["perAccount"];
    const Sink nowhere = [](std::string_view) -> Outcome { return {}; };
    for (const auto& [account, known] : truth.members()) {
      const bool is_wanted = std::find(choice.accounts.begin(), choice.accounts.end(), account) !=
                             choice.accounts.end();
      for (const ir::Value& email : known["emails"].items()) {
        const auto got = get_message(output, account, email["id"].string_or(""), nowhere);
        EXPECT_EQ(got.has_value(), is_wanted) << choice.dump << account;
        if (got) {
          EXPECT_EQ((*got)["sha256"], email["sha256"]);
        }
      }
    }
  }
}

/// A copy of a dump in which one file's records are what `change` makes of them.
void copy_with(const fs::path& dump, const std::string& copy, char letter,
               const std::function<void(std::map<std::string, std::string>&)>& change) {
  fs::copy(dump, copy);
  const fs::path file = fs::path(copy) / file_name_of(letter);
  std::map<std::string, std::string> records;
  FileHeader header;
  {
    auto reader = FrameReader::open(file.string());
    ASSERT_TRUE(reader);
    header = *(*reader)->header();
    while (true) {
      const auto record = (*reader)->next_record();
      ASSERT_TRUE(record);
      if (!*record) break;
      records.emplace((*record)->key, (*record)->value);
    }
  }
  change(records);
  fs::remove(file);
  auto writer = FrameWriter::create(file.string(), header);
  ASSERT_TRUE(writer);
  for (const auto& [key, value] : records) ASSERT_TRUE((*writer)->append({key, value}));
  ASSERT_TRUE((*writer)->finish());
}

std::string big_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = bytes; i-- > 0;) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// Whose messages are in a selection: all of theirs, and none of anybody else's.
std::set<std::string> accounts_in(const std::string& part, const fs::path& dump) {
  std::set<std::string> found;
  const Sink nowhere = [](std::string_view) -> Outcome { return {}; };
  const ir::Value truth = expected_of(dump)["truth"]["perAccount"];
  for (const auto& [account, known] : truth.members()) {
    std::size_t got = 0;
    for (const ir::Value& email : known["emails"].items())
      got += get_message(part, account, email["id"].string_or(""), nowhere) ? 1U : 0U;
    EXPECT_TRUE(got == 0 || got == known["emails"].size()) << account << " is there in part";
    if (got > 0) found.insert(account);
  }
  return found;
}

// No recorded dump has a tenant (they need a licence): the records that make one are put in.
TEST(DumpSelect, TakesTheAccountsOfATenant) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  constexpr std::uint64_t kTenant = 100;
  const fs::path new_dump = dumps / "0.16.15-sqlite-small";
  copy_with(new_dump, folder.file("new"), 'g', [](auto& records) {
    records[big_endian(kTenantType, 2) + big_endian(0x0019, 2) + "acme"] =
        big_endian(kTenantType, 2) + big_endian(kTenant, 8);
    for (const std::uint64_t account : {3U, 6U}) {  // bob, erin
      records[big_endian(kTenantType, 2) + big_endian(kTenant, 8) + big_endian(kAccountType, 2) +
              big_endian(account, 8)] = "";
    }
  });
  const fs::path old_dump = dumps / "0.15.5-sqlite-small";
  copy_with(old_dump, folder.file("old"), 'd', [](auto& records) {
    records[std::string("\0acme", 5)] = std::string("\x64\x08", 2);  // id 100, type tenant
    for (const char* name : {"bob", "erin@example.net"}) {
      std::string& value = records.at(std::string(1, '\0') + name);
      value += static_cast<char>(kTenant);
    }
  });
  for (const auto& [copy, dump] : {std::pair{"new", new_dump}, std::pair{"old", old_dump}}) {
    for (const char* tenant : {"acme", "100"}) {
      const std::string part = folder.file(std::string(copy) + tenant);
      const auto written =
          rewrite_dumps({folder.file(copy)}, part, {.wanted = {.tenants = {tenant}}});
      ASSERT_TRUE(written) << copy << ": " << written.error().to_line();
      EXPECT_EQ(accounts_in(part, dump), (std::set<std::string>{"bob", "erin"})) << copy;
    }
    const auto nobody = rewrite_dumps({folder.file(copy)}, folder.file("no"),
                                      {.wanted = {.tenants = {"umbrella"}}});
    ASSERT_FALSE(nobody);
    EXPECT_TRUE(nobody.error().is(errors::unknown_account));
  }
}

/// `j`, `k` and `t` as older documents give them: taken, and said what they are in this dump.
TEST(DumpSelect, TakesOlderLettersAndSaysWhatTheyMean) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  struct Meaning {
    std::string dump, letter, now;
  };
  for (const auto& [dump, letter, now] :
       {Meaning{"0.15.5-rocksdb-small", "j", "in 0.15 it is blob-extra"},
        {"0.15.5-rocksdb-small", "k", "in 0.15 it is blob-link"},
        {"0.15.5-rocksdb-small", "t", "in 0.15 it is blob"},
        {"0.16.15-rocksdb-small", "j", "in 0.16 it is archived-item"},
        {"0.16.15-rocksdb-small", "k", "in 0.16 it is blob-link"},
        {"0.16.15-rocksdb-small", "t", "in 0.16 it is blob"}}) {
    SCOPED_TRACE(dump + letter);
    const std::string output = folder.file(dump + letter);
    const auto taken =
        rewrite_dumps({(dumps / dump).string()}, output, {.wanted = {.subspaces = {letter}}});
    if (dump[3] == '6' && letter == "j") {
      ASSERT_FALSE(taken) << "0.16 never exports it";
      EXPECT_NE(taken.error().message().find(now), std::string::npos) << taken.error().to_line();
      continue;
    }
    ASSERT_TRUE(taken) << taken.error().to_line();
    EXPECT_EQ((*taken)["files"].size(), 1U);
    EXPECT_EQ((*taken)["files"].item(0)["letter"].string_or(""), letter);
    std::string notes;
    for (const ir::Value& note : (*taken)["notes"].items()) notes += note.string_or("");
    EXPECT_NE(notes.find(now), std::string::npos) << notes;
  }
}

TEST(DumpSelect, SaysWhatWouldDangleOrTakesItAlong) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  const std::string dump = dumps / "0.16.15-rocksdb-small";
  const auto bare = rewrite_dumps({dump}, folder.file("bare"), {.wanted = {.subspaces = {"data"}}});
  ASSERT_TRUE(bare);
  EXPECT_EQ((*bare)["files"].size(), 5U);
  std::string dangling;
  for (const ir::Value& line : (*bare)["dangling"].items()) dangling += line.string_or("");
  EXPECT_NE(dangling.find("p without t"), std::string::npos);
  const auto whole = rewrite_dumps({dump}, folder.file("whole"),
                                   {.wanted = {.subspaces = {"data"}, .is_completed = true}});
  ASSERT_TRUE(whole);
  EXPECT_EQ((*whole)["dangling"].size(), 0U);
  const auto old_letter =
      rewrite_dumps({dump}, folder.file("old"), {.wanted = {.subspaces = {"j", "k", "t"}}});
  ASSERT_TRUE(old_letter);
  EXPECT_NE((*old_letter)["notes"].item(0).string_or("").find("archived-item"), std::string::npos);
  // Nothing is left of what failed, and nothing is written over.
  EXPECT_TRUE(rewrite_dumps({dump}, folder.file("bare"), {}).error().is(errors::dump_exists));
  EXPECT_TRUE(rewrite_dumps({dump}, folder.file("no"), {.wanted = {.subspaces = {"directory2"}}})
                  .error()
                  .is(errors::unknown_subspace));
  EXPECT_FALSE(fs::exists(folder.file("no")));
}

TEST(DumpMerge, PutsFamiliesAndAccountsTogetherAgain) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  std::vector<std::string> families;
  for (const std::string family :
       {"data", "blob", "registry", "changelog", "queue", "report", "telemetry", "tasks"})
    families.push_back(dumps / ("0.16.15-rocksdb-" + family));
  ASSERT_TRUE(rewrite_dumps(families, folder.file("whole"), {}));
  EXPECT_EQ(faults_of(folder.file("whole")), "");
  // g of the two differs in the node lease, which the export itself writes.
  const auto compared =
      diff_dumps(folder.file("whole"), (dumps / "0.16.15-rocksdb-small").string());
  ASSERT_TRUE(compared);
  for (const ir::Value& subspace : (*compared)["subspaces"].items())
    if (subspace["letter"].string_or("") != "g") {
      EXPECT_TRUE(subspace["is_equal"].bool_or(false)) << subspace["letter"].string_or("");
    }

  const std::string dump = dumps / "0.15.5-sqlite-small";
  ASSERT_TRUE(rewrite_dumps({dump}, folder.file("a"), {.wanted = {.accounts = {"alice", "bob"}}}));
  ASSERT_TRUE(rewrite_dumps({dump}, folder.file("b"), {.wanted = {.accounts = {"bob", "dave"}}}));
  ASSERT_TRUE(rewrite_dumps({dump}, folder.file("both"),
                            {.wanted = {.accounts = {"alice", "bob", "dave"}}}));
  ASSERT_TRUE(rewrite_dumps({folder.file("a"), folder.file("b")}, folder.file("merged"), {}));
  for (const char letter : {'p', 'k', 't', 'i', 'l', 'n', 'u', 'a', 'j'}) {
    const std::string name = "/" + file_name_of(letter);
    EXPECT_TRUE(are_equal(folder.file("merged") + name, folder.file("both") + name)) << letter;
  }
}

/// What is chosen of several dumps together is what is chosen of the whole.
TEST(DumpMerge, ChoosesAsSelectDoes) {
  PLAN_SHARED(dumps, "data/dumps");
  const fs::path whole = dumps / "0.16.15-sqlite-small";
  const TempDir folder;
  constexpr std::uint64_t kTenant = 100;
  const std::string dump = folder.file("dump");
  copy_with(whole, dump, 'g', [](auto& records) {
    records[big_endian(kTenantType, 2) + big_endian(0x0019, 2) + "acme"] =
        big_endian(kTenantType, 2) + big_endian(kTenant, 8);
    records[big_endian(kTenantType, 2) + big_endian(kTenant, 8) + big_endian(kAccountType, 2) +
            big_endian(3, 8)] = "";  // bob
  });
  const std::string mail = folder.file("mail");
  const std::string rest = folder.file("rest");
  ASSERT_TRUE(rewrite_dumps({dump}, mail, {.wanted = {.subspaces = {"data", "blob"}}}));
  ASSERT_TRUE(rewrite_dumps({dump}, rest,
                            {.wanted = {.subspaces = {"registry", "changelog", "queue", "report",
                                                      "tasks", "telemetry", "p"}}}));
  const Wanted choices[] = {{.subspaces = {"data"}},
                            {.subspaces = {"property", "t"}},
                            {.accounts = {"bob"}},
                            {.domains = {"example.net"}},
                            {.tenants = {"acme"}}};
  int number = 0;
  for (const Wanted& wanted : choices) {
    SCOPED_TRACE(++number);
    const std::string merged = folder.file("merged" + std::to_string(number));
    const std::string selected = folder.file("selected" + std::to_string(number));
    const auto written = rewrite_dumps({mail, rest}, merged, {.wanted = wanted});
    ASSERT_TRUE(written) << written.error().to_line();
    ASSERT_TRUE(rewrite_dumps({dump}, selected, {.wanted = wanted}));
    EXPECT_TRUE(are_equal(merged, selected));
    EXPECT_EQ(verify_dump(merged)->grade, Grade::proved);
  }
  EXPECT_EQ(accounts_in(folder.file("merged3"), whole), std::set<std::string>{"bob"});
  EXPECT_EQ(accounts_in(folder.file("merged5"), whole), std::set<std::string>{"bob"});
}

TEST(DumpMerge, RefusesDumpsThatDisagreeAndLeavesNothing) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  const auto refused = rewrite_dumps(
      {(dumps / "0.16.15-rocksdb-small").string(), (dumps / "0.16.15-sqlite-small").string()},
      folder.file("out"), {.wanted = {.subspaces = {"n"}}});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::dumps_disagree));
  EXPECT_FALSE(fs::exists(folder.file("out")));
  EXPECT_TRUE(rewrite_dumps({(dumps / "0.16.15-rocksdb-small").string(),
                             (dumps / "0.15.5-rocksdb-small").string()},
                            folder.file("out"), {})
                  .error()
                  .is(errors::no_conversion));
}

TEST(DumpConvert, AddsWhatProvesItsEndAndKeepsEveryRecord) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  const std::string dump = dumps / "0.15.5-rocksdb-small";
  ASSERT_TRUE(convert_dump(dump, folder.file("sealed"), {.to = "0.15.2"}, {.has_checksum = true}));
  EXPECT_TRUE(are_equal(dump, folder.file("sealed")));
  EXPECT_EQ(verify_dump(folder.file("sealed"), {.manifest = "-"})->grade, Grade::intact);
}

TEST(DumpConvert, RefusesWhatHasNoFormInTheOtherVersionAndSaysWhy) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  const std::string old = dumps / "0.15.5-rocksdb-small";
  const auto refusal = [&](const std::string& dump, Conversion conversion) {
    const auto result = convert_dump(dump, folder.file("no"), conversion, {});
    EXPECT_FALSE(result);
    if (result) return std::string();
    EXPECT_TRUE(result.error().is(errors::no_conversion));
    EXPECT_FALSE(fs::exists(folder.file("no")));
    return result.error().to_line();
  };
  const std::string whole = refusal(old, {.to = "0.16.5"});
  EXPECT_NE(whole.find("registry objects"), std::string::npos) << whole;
  EXPECT_NE(whole.find("--mail-only"), std::string::npos) << whole;
  for (const bool is_mail_only : {false, true}) {
    const std::string back =
        refusal(dumps / "0.16.15-rocksdb-small", {.to = "0.15.5", .is_mail_only = is_mail_only});
    EXPECT_NE(back.find("nothing goes back"), std::string::npos) << back;
    EXPECT_NE(refusal(old, {.to = "0.14", .is_mail_only = is_mail_only}), "");
  }
  EXPECT_NE(refusal(old, {.to = "0.15.2", .is_mail_only = true}), "");
}

/// What 0.16 keeps of a store of 0.15, as a dump: the same messages byte for byte, and nothing in
/// it that contradicts the rest.
TEST(DumpConvert, TakesTheMailOf15To16) {
  PLAN_SHARED(dumps, "data/dumps");
  for (const std::string name : {"0.15.5-rocksdb-full", "0.15.5-sqlite-small"}) {
    SCOPED_TRACE(name);
    const TempDir folder;
    const std::string dump = dumps / name;
    const std::string mail = folder.file("mail");
    const auto written = convert_dump(dump, mail, {.to = "0.16.15", .is_mail_only = true},
                                      {.has_end_mark = true, .has_checksum = true});
    ASSERT_TRUE(written) << written.error().to_line();
    EXPECT_EQ((*written)["files"].size(), 10U);
    EXPECT_EQ((*written)["accounts"].size(), 7U);
    const auto report = verify_dump(mail, {.manifest = "-"});
    ASSERT_TRUE(report);
    EXPECT_EQ(report->schema, kSchema16);
    EXPECT_EQ(report->grade, Grade::intact);
    EXPECT_EQ(faults_of(mail), "");
    // Every account's used bytes went from u to n, where 0.16 looks for them.
    EXPECT_EQ(report->references["used_bytes_compared"], ir::Value(std::int64_t{7}));
    const auto before = verify_dump(dump, {.manifest = "-"});
    ASSERT_TRUE(before);
    EXPECT_EQ(report->references["messages"], before->references["messages"]);
    EXPECT_EQ(report->references["blobs"], before->references["blobs"]);
    for (const char letter : {'a', 'e', 'i', 'k', 'l', 'q', 't'})
      EXPECT_EQ(report->find(letter)->record_stream_sha256,
                before->find(letter)->record_stream_sha256)
          << letter;
    EXPECT_EQ(report->find('p')->records, before->find('p')->records);
    EXPECT_EQ(report->find('n')->records, before->find('n')->records + 7);
    EXPECT_EQ(report->find('u')->records, before->find('u')->records - 7);
    EXPECT_EQ(report->find('d'), nullptr);
    const auto directory = Directory::read(dump);
    ASSERT_TRUE(directory);
    std::size_t compared = 0;
    const ir::Value expected = expected_of(dump);
    for (const auto& [account, truth] : expected["truth"]["perAccount"].members()) {
      const auto id = directory->find_account(account);
      ASSERT_TRUE(id) << account;
      for (const ir::Value& email : truth["emails"].items()) {
        std::string bytes;
        const auto got = get_message(
            mail, std::to_string(*id), email["id"].string_or(""),
            [&](std::string_view piece) -> Outcome { return bytes += piece, Outcome(); });
        ASSERT_TRUE(got) << account << " " << got.error().to_line();
        EXPECT_EQ(ir::sha256(bytes).hex(), email["sha256"].string_or("")) << account;
        ++compared;
      }
    }
    EXPECT_EQ(std::int64_t(compared), report->references["messages"].integer_or(0));
  }
}

TEST(DumpDiff, NamesWhatDiffers) {
  PLAN_SHARED(damaged, "data/dumps/0.16.15-damaged");
  struct Difference {
    std::string file;
    int only_left, only_right, different;
  };
  for (const auto& [file, only_left, only_right, different] :
       {Difference{"flip-compressed", 1, 1, 0}, Difference{"flip-stored-value", 0, 0, 1},
        Difference{"cut-record-boundary", 149, 0, 0}, Difference{"leb-non-minimal", 0, 0, 0},
        Difference{"ok-small-blocks", 0, 0, 0}, Difference{"ok-empty", 298, 0, 0}}) {
    const auto compared = diff_dumps((damaged / "ok-original").string(), (damaged / file).string());
    ASSERT_TRUE(compared) << file;
    const ir::Value& l = (*compared)["subspaces"].item(0);
    EXPECT_EQ(l["only_left"].integer_or(-1), only_left) << file;
    EXPECT_EQ(l["only_right"].integer_or(-1), only_right) << file;
    EXPECT_EQ(l["different"].integer_or(-1), different) << file;
  }
  const auto flipped =
      diff_dumps((damaged / "ok-original").string(), (damaged / "flip-stored-value").string());
  ASSERT_TRUE(flipped);
  const ir::Value& row = (*flipped)["subspaces"].item(0)["first"].item(0);
  EXPECT_EQ(row["what"].string_or(""), "different");
  EXPECT_GE(row["account"].integer_or(-1), 1);
  EXPECT_FALSE(
      diff_dumps((damaged / "ok-original").string(), (damaged / "keys-out-of-order").string()));
}

TEST(DumpRepair, FindsWhatCanStillBeRead) {
  PLAN_SHARED(damaged, "data/dumps/0.16.15-damaged");
  // How many of the 298 records of the original come back.
  const std::map<std::string, std::int64_t> kept = {
      {"cut-in-block", 272},
      {"cut-in-block-length", 271},
      {"cut-in-key", 149},
      {"cut-before-value-length", 149},
      {"cut-in-value", 149},
      {"cut-last-block", 271},
      {"two-frames", 298},
      {"garbage-after-end-mark", 298},
      {"keys-out-of-order", 298},
      {"duplicate-key", 298},
      {"flip-frame-flags", 298},
      {"flip-header-checksum", 298},
      {"wrong-content-checksum", 298},
      {"wrong-lz4-magic", 298},
      {"leb-too-long", 298},
      {"leb-huge", 298},
  };
  for (const auto& [name, records] : kept) {
    const TempDir folder;
    const auto repaired = repair_dump((damaged / name).string(), folder.file("out"));
    ASSERT_TRUE(repaired) << name << repaired.error().to_line();
    const ir::Value& file = (*repaired)["files"].item(0);
    EXPECT_EQ(file["records"].integer_or(-1), records) << name;
    // Only the frame around the records was damaged.
    const bool is_whole = name == "two-frames" || name == "garbage-after-end-mark" ||
                          name.starts_with("flip-") || name == "wrong-lz4-magic";
    EXPECT_EQ((*repaired)["is_whole"], ir::Value(is_whole)) << name;
    const auto compared =
        diff_dumps((damaged / "ok-original").string(), folder.file("out") + "/subspace_l");
    ASSERT_TRUE(compared) << name;
    const ir::Value& l = (*compared)["subspaces"].item(0);
    EXPECT_EQ(l["equal"].integer_or(-1), records) << name;
    EXPECT_EQ(l["only_right"].integer_or(-1), 0) << name;
    EXPECT_FALSE(fs::exists(folder.file("out") + "/.runs"));
  }
  // A block in the middle is gone; what follows it is found again.
  const TempDir folder;
  const auto repaired =
      repair_dump((damaged / "flip-compressed-undecodable").string(), folder.file("out"));
  ASSERT_TRUE(repaired);
  const ir::Value& file = (*repaired)["files"].item(0);
  EXPECT_GT(file["records"].integer_or(0), 194 + 40);
  EXPECT_EQ(file["gaps"].item(0)["kind"].string_or(""), "undecodable-block");
}

/// Every whole record before the byte at which a file is cut comes back, also those of the block
/// that the cut goes through, and nothing else does.
TEST(DumpRepair, TakesWhatStandsBeforeACutInsideABlock) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  using Records = std::vector<std::pair<std::string, std::string>>;
  const auto records_of = [](const std::string& path) {
    Records records;
    const auto found = salvage_file(path, {.letter = 'p', .schema = 6},
                                    [&](const FileHeader&, const Record& record) -> Outcome {
                                      records.emplace_back(record.key, record.value);
                                      return {};
                                    });
    EXPECT_TRUE(found);
    return records;
  };
  const std::string whole = dumps / "0.16.15-rocksdb-small/subspace_p";
  const std::string bytes = read_all(whole);
  const Records all = records_of(whole);
  ASSERT_GT(all.size(), 100U);
  std::size_t before = 0;
  for (std::size_t size = 17; size < bytes.size(); size += 997) {
    const std::string path = folder.file("cut");
    std::ofstream(path, std::ios::binary) << std::string_view(bytes).substr(0, size);
    const Records found = records_of(path);
    ASSERT_LE(found.size(), all.size());
    EXPECT_TRUE(std::equal(found.begin(), found.end(), all.begin())) << size;
    EXPECT_GE(found.size(), before) << size;
    before = found.size();
  }
  EXPECT_GE(before + 5, all.size());
}

TEST(DumpRepair, KeepsTheSoundFilesOfADumpAndSaysWhatRefersToTheRest) {
  PLAN_SHARED(dumps, "data/dumps");
  const TempDir folder;
  const std::string dump = folder.file("dump");
  fs::copy(dumps / "0.16.15-rocksdb-small", dump);
  fs::permissions(dump, fs::perms::owner_all);
  const std::string blobs = dump + "/subspace_t";
  fs::permissions(blobs, fs::perms::owner_all);
  std::string bytes = read_all(blobs);
  for (std::size_t i = 30'000; i < 30'200; ++i) bytes[i] = static_cast<char>(bytes[i] ^ 0x5A);
  std::ofstream(blobs, std::ios::binary) << bytes;
  const auto repaired = repair_dump(dump, folder.file("out"));
  ASSERT_TRUE(repaired) << repaired.error().to_line();
  const auto compared = diff_dumps(dumps / "0.16.15-rocksdb-small", folder.file("out"));
  ASSERT_TRUE(compared);
  for (const ir::Value& subspace : (*compared)["subspaces"].items()) {
    EXPECT_EQ(subspace["only_right"].integer_or(-1), 0);
    EXPECT_EQ(subspace["different"].integer_or(-1), 0);
    if (subspace["letter"].string_or("") == "t") {
      EXPECT_GT(subspace["equal"].integer_or(0), 20);
      EXPECT_GT(subspace["only_left"].integer_or(0), 0);
    } else {
      EXPECT_TRUE(subspace["is_equal"].bool_or(false));
    }
  }
  EXPECT_NE(faults_of(folder.file("out")).find("subspace_t missing-blob"), std::string::npos);
}

}  // namespace
}  // namespace plan::dump
