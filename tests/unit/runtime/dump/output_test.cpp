#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/dump/diff.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_writer.h"
#include "runtime/dump/output_folder.h"
#include "runtime/dump/proof.h"
#include "runtime/dump/repair.h"
#include "runtime/dump/rewrite.h"
#include "runtime/dump/store/dump_source.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/runtime/dump/dump_files.h"

/// What a new dump or manifest is written over, into and beside, and what the damage of an input
/// becomes on its way through a command.
namespace plan::dump {
namespace {

namespace fs = std::filesystem;
using test::read_all;
using test::TempDir;

void write_file(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A copy of a real dump that may be changed, at FOLDER/dump.
class DumpOutput : public testing::Test {
 protected:
  void SetUp() override {
    const auto real = test::shared_data("data/dumps/0.16.15-rocksdb-small");
    if (!real) GTEST_SKIP() << "this clone has no ../shared/data/dumps";
    dump_ = folder_.file("dump");
    fs::create_directory(dump_);
    for (const auto& entry : fs::directory_iterator(*real)) {
      const fs::path target = fs::path(dump_) / entry.path().filename();
      fs::copy_file(entry.path(), target);
      fs::permissions(target, fs::perms::owner_write, fs::perm_options::add);
    }
  }

  [[nodiscard]] std::string file(char letter) const { return dump_ + "/" + file_name_of(letter); }
  [[nodiscard]] std::string manifest() const { return dump_ + ".manifest.json"; }
  /// The same records in another frame: no fault, and not the bytes that were exported.
  void seal(char letter) {
    const auto sealed =
        rewrite_dumps({dump_}, folder_.file("sealed"),
                      {.wanted = {.subspaces = {std::string(1, letter)}}, .has_end_mark = true});
    ASSERT_TRUE(sealed) << sealed.error().to_line();
    fs::rename(folder_.file("sealed") + "/" + file_name_of(letter), file(letter));
    fs::remove_all(folder_.file("sealed"));
    fs::remove(folder_.file("sealed.manifest.json"));
  }
  /// Everything in the test's folder, so that a failure leaves nothing behind.
  [[nodiscard]] std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      names.push_back(fs::relative(entry.path(), folder_.path()));
    std::sort(names.begin(), names.end());
    return names;
  }

  TempDir folder_;
  std::string dump_;
};

TEST_F(DumpOutput, AManifestThatDoesNotFitIsNotWrittenOver) {
  ASSERT_TRUE(make_manifest(dump_, ""));
  const std::string before = read_all(manifest());
  const auto again = make_manifest(dump_, "");
  ASSERT_TRUE(again);
  EXPECT_FALSE((*again)["is_written"].bool_or(true));
  EXPECT_EQ(read_all(manifest()), before);

  fs::remove(manifest());
  seal('l');
  write_file(manifest(), before);
  for (const std::string& target : {std::string(), folder_.file("elsewhere.json")}) {
    const auto refused = make_manifest(dump_, target);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(errors::manifest_differs)) << refused.error().to_line();
    EXPECT_NE(refused.error().to_line().find("subspace_l"), std::string::npos);
    EXPECT_NE(refused.error().to_line().find("the length of the file"), std::string::npos);
  }
  EXPECT_EQ(read_all(manifest()), before);
  EXPECT_FALSE(fs::exists(folder_.file("elsewhere.json")));
  EXPECT_EQ(verify_dump(dump_)->grade, Grade::damaged);

  ASSERT_TRUE(make_manifest(dump_, "", OldManifest::replaced));
  EXPECT_NE(read_all(manifest()), before);
  EXPECT_EQ(verify_dump(dump_)->grade, Grade::proved);
}

TEST_F(DumpOutput, AManifestGoesOverNoOtherFileAndIntoNoDump) {
  write_file(folder_.file("letter.txt"), "Dear Ann,\n");
  const auto refused = make_manifest(dump_, folder_.file("letter.txt"));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::dump_exists));
  EXPECT_EQ(read_all(folder_.file("letter.txt")), "Dear Ann,\n");
  fs::create_directory_symlink(dump_, folder_.file("link"));
  for (const std::string& inside :
       {dump_ + "/m.json", folder_.file("link") + "/m.json", dump_ + "/../dump/deeper/m.json"}) {
    const auto outcome = make_manifest(dump_, inside);
    ASSERT_FALSE(outcome) << inside;
    EXPECT_TRUE(outcome.error().is(errors::output_in_dump)) << outcome.error().to_line();
  }
  // Of one file the manifest beside the folder would deny all the others.
  EXPECT_FALSE(make_manifest(file('l'), ""));
  EXPECT_FALSE(fs::exists(manifest()));
}

TEST_F(DumpOutput, NothingIsWrittenIntoADumpThatIsRead) {
  const std::vector<std::string> before = left();
  for (const std::string& inside : {dump_ + "/out", dump_ + "/a/b"}) {
    const auto code_of = [&](const Result<ir::Value>& result) {
      return result ? std::string("done") : std::string(result.error().code().name);
    };
    EXPECT_EQ(code_of(rewrite_dumps({dump_}, inside, {})), "output-in-dump");
    EXPECT_EQ(code_of(convert_dump(dump_, inside, {}, {.has_end_mark = true})), "output-in-dump");
    EXPECT_EQ(code_of(repair_dump(dump_, inside)), "output-in-dump");
    EXPECT_EQ(code_of(repair_dump(file('l'), dump_ + "/out")), "output-in-dump");
  }
  EXPECT_EQ(left(), before);
}

TEST_F(DumpOutput, DamageThatTheManifestTellsIsNotGivenOn) {
  ASSERT_TRUE(make_manifest(dump_, ""));
  const std::string known = read_all(manifest());
  const std::vector<std::string> whole = left();
  // A file of the same form with fewer records: nothing but the manifest tells of it.
  {
    auto reader = FrameReader::open(file('l'));
    ASSERT_TRUE(reader);
    auto writer = FrameWriter::create(folder_.file("less"), *(*reader)->header());
    ASSERT_TRUE(writer);
    for (int i = 0; i < 10; ++i) {
      const auto record = (*reader)->next_record();
      ASSERT_TRUE(record && *record);
      ASSERT_TRUE((*writer)->append(**record));
    }
    ASSERT_TRUE((*writer)->finish());
  }
  fs::rename(folder_.file("less"), file('l'));
  const auto refused = [&](const Result<ir::Value>& result) {
    return !result && result.error().is(errors::manifest_differs) &&
           result.error().to_line().find("subspace_l") != std::string::npos;
  };
  const std::string out = folder_.file("out");
  EXPECT_TRUE(refused(rewrite_dumps({dump_}, out, {})));
  EXPECT_TRUE(refused(rewrite_dumps({dump_}, out, {.wanted = {.subspaces = {"l"}}})));
  EXPECT_TRUE(refused(rewrite_dumps({dump_}, out, {.wanted = {.accounts = {"alice"}}})));
  EXPECT_TRUE(refused(rewrite_dumps({dump_}, out, {.has_checksum = true})));
  EXPECT_TRUE(refused(convert_dump(dump_, out, {}, {.has_end_mark = true})));
  EXPECT_TRUE(refused(rewrite_dumps({dump_, dump_}, out, {})));
  EXPECT_EQ(left(), whole);
  // What does not touch the file can be taken.
  ASSERT_TRUE(rewrite_dumps({dump_}, out, {.wanted = {.subspaces = {"t", "k"}}}));
  fs::remove_all(out);
  fs::remove(out + ".manifest.json");

  const auto repaired = repair_dump(dump_, out);
  ASSERT_TRUE(repaired) << repaired.error().to_line();
  EXPECT_FALSE((*repaired)["is_whole"].bool_or(true));
  EXPECT_NE(ir::write_json((*repaired)["lost"]).find("subspace_l"), std::string::npos);
  for (const ir::Value& told : (*repaired)["files"].items()) {
    const bool is_changed = told["name"].string_or("") == "subspace_l";
    EXPECT_EQ(told["is_as_in_manifest"], ir::Value(!is_changed)) << ir::write_json(told);
    if (is_changed) {
      EXPECT_EQ(told["records_in_manifest"], ir::Value(std::int64_t{298}));
    }
  }
  EXPECT_FALSE(fs::exists(out + ".manifest.json"));

  // A file that the manifest has and the dump lacks; one that it does not have.
  fs::remove_all(out);
  fs::remove(file('l'));
  const auto missing = rewrite_dumps({dump_}, out, {});
  EXPECT_TRUE(refused(missing));
  EXPECT_EQ(read_all(manifest()), known);
}

/// The files that decide what is taken of the others are held against the manifest, too.
TEST_F(DumpOutput, WhoseRecordsTheyAreIsProvedAsWell) {
  ASSERT_TRUE(make_manifest(dump_, ""));
  for (const char letter : {'d', 'g', 'k'}) {
    const std::string before = read_all(file(letter));
    write_file(file(letter), before + std::string(1, '\0'));
    const auto taken = rewrite_dumps({dump_}, folder_.file("out"),
                                     {.wanted = {.subspaces = {"p", "t"}, .accounts = {"alice"}}});
    EXPECT_FALSE(taken) << letter;
    EXPECT_FALSE(fs::exists(folder_.file("out"))) << letter;
    write_file(file(letter), before);
  }
  ASSERT_TRUE(rewrite_dumps({dump_}, folder_.file("out"),
                            {.wanted = {.subspaces = {"p", "t"}, .accounts = {"alice"}}}));
}

TEST_F(DumpOutput, AFailureLeavesNothing) {
  // The last letters are cut: everything before them is written already.
  const std::string bytes = read_all(file('x'));
  write_file(file('x'), bytes.substr(0, bytes.size() - 1));
  const std::vector<std::string> before = left();
  EXPECT_FALSE(rewrite_dumps({dump_}, folder_.file("a/b/out"), {}));
  EXPECT_FALSE(convert_dump(dump_, folder_.file("out"), {}, {.has_checksum = true}));
  EXPECT_EQ(left(), before);
  // A folder that was there stays, and stays empty.
  fs::create_directory(folder_.file("mine"));
  EXPECT_FALSE(rewrite_dumps({dump_}, folder_.file("mine"), {}));
  EXPECT_TRUE(fs::is_empty(folder_.file("mine")));

  // Nothing of it can be read.
  fs::create_directory(folder_.file("noise"));
  write_file(folder_.file("noise/subspace_l"), std::string(5000, 'x'));
  const auto repaired = repair_dump(folder_.file("noise"), folder_.file("out"));
  ASSERT_FALSE(repaired);
  EXPECT_TRUE(repaired.error().is(errors::dump_damaged));
  EXPECT_FALSE(fs::exists(folder_.file("out")));

  // A manifest of something else where that of the result would go.
  write_file(file('x'), bytes);
  write_file(folder_.file("out.manifest.json"), "{}");
  const auto refused = rewrite_dumps({dump_}, folder_.file("out"), {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::dump_exists)) << refused.error().to_line();
  EXPECT_EQ(read_all(folder_.file("out.manifest.json")), "{}");
  EXPECT_FALSE(fs::exists(folder_.file("out")));
}

TEST_F(DumpOutput, AFileThatIsGoneIsWrittenEmptyAndCountedAsLost) {
  write_file(file('l'), "");
  write_file(dump_ + "/README", "a note\n");
  const auto repaired = repair_dump(dump_, folder_.file("out"));
  ASSERT_TRUE(repaired) << repaired.error().to_line();
  EXPECT_FALSE((*repaired)["is_whole"].bool_or(true));
  const std::string lost = ir::write_json((*repaired)["lost"]);
  EXPECT_NE(lost.find("subspace_l: all of it"), std::string::npos) << lost;
  EXPECT_NE(lost.find("README: left out"), std::string::npos) << lost;
  const auto report = verify_dump(folder_.file("out"));
  ASSERT_TRUE(report);
  ASSERT_NE(report->find('l'), nullptr);
  EXPECT_EQ(report->find('l')->records, 0U);
  EXPECT_FALSE(report->faults.has(FaultKind::missing_file));
  EXPECT_EQ(report->find('l')->grade, Grade::unprovable);

  // Nothing is lost where nothing was wrong, and where only a name was.
  fs::remove_all(folder_.file("out"));
  fs::remove(dump_ + "/README");
  fs::remove(file('l'));
  const auto real = test::shared_data("data/dumps/0.16.15-rocksdb-small");
  ASSERT_TRUE(real);
  fs::copy_file(*real / "subspace_l", dump_ + "/renamed");
  const auto named = repair_dump(dump_, folder_.file("out"));
  ASSERT_TRUE(named);
  EXPECT_TRUE((*named)["is_whole"].bool_or(false)) << ir::write_json((*named)["lost"]);
  EXPECT_TRUE(fs::exists(folder_.file("out") + "/subspace_l"));
}

TEST_F(DumpOutput, WhatAKilledRunLeftIsNamed) {
  const std::string out = folder_.file("out");
  const std::string work = out + "/" + std::string(kUnfinishedFolder);
  fs::create_directories(work);
  fs::copy_file(file('l'), work + "/subspace_l");
  const auto refused = rewrite_dumps({dump_}, out, {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::dump_unfinished)) << refused.error().to_line();
  EXPECT_NE(refused.error().message().find("was killed left"), std::string::npos);
  EXPECT_TRUE(fs::exists(work + "/subspace_l"));
  // It is no dump to anybody, also when some of its files are at their place.
  const auto is_told = [&](const auto& result) {
    return !result && result.error().is(errors::dump_unfinished);
  };
  EXPECT_TRUE(is_told(verify_dump(out)));
  EXPECT_TRUE(is_told(diff_dumps(out, dump_)));
  fs::copy_file(file('l'), out + "/subspace_l");
  EXPECT_TRUE(is_told(rewrite_dumps({out}, folder_.file("next"), {})));
  EXPECT_TRUE(is_told(read_dump_source(out, {"changelog"}, 1)));
  const auto report = verify_dump(out);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->grade, Grade::damaged);
  EXPECT_TRUE(report->faults.has(FaultKind::unfinished));

  // While the run goes on its remedy is another one.
  const int held = ::open(work.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(held, 0);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  const auto busy = rewrite_dumps({dump_}, out, {});
  ASSERT_FALSE(busy);
  EXPECT_NE(busy.error().message().find("another run"), std::string::npos);
  ::close(held);
}

TEST_F(DumpOutput, AnEmptyFolderHoldsNoDump) {
  fs::create_directory(folder_.file("empty"));
  for (const bool is_checked : {false, true}) {
    const auto report = verify_dump(folder_.file("empty"), {.is_checked = is_checked});
    ASSERT_FALSE(report);
    EXPECT_TRUE(report.error().is(errors::dump_foreign));
  }
  EXPECT_FALSE(diff_dumps(folder_.file("empty"), folder_.file("empty")));
  EXPECT_FALSE(rewrite_dumps({folder_.file("empty")}, folder_.file("out"), {}));
}

TEST_F(DumpOutput, AResultThatLacksSomethingSaysSo) {
  const auto whole = rewrite_dumps({dump_}, folder_.file("whole"), {});
  ASSERT_TRUE(whole);
  EXPECT_TRUE((*whole)["is_complete"].bool_or(false)) << ir::write_json(*whole);
  const auto alice =
      rewrite_dumps({dump_}, folder_.file("alice"), {.wanted = {.accounts = {"alice"}}});
  ASSERT_TRUE(alice);
  EXPECT_TRUE((*alice)["is_complete"].bool_or(false)) << ir::write_json(*alice);

  fs::remove(file('n'));
  const auto lacking = convert_dump(dump_, folder_.file("lacking"), {}, {.has_end_mark = true});
  ASSERT_TRUE(lacking);
  EXPECT_FALSE((*lacking)["is_complete"].bool_or(true));
  EXPECT_NE(ir::write_json((*lacking)["missing"]).find("n is in no dump"), std::string::npos);
  EXPECT_NE(ir::write_json((*lacking)["dangling"]).find("p without n"), std::string::npos);
  const auto nothing =
      rewrite_dumps({dump_}, folder_.file("nothing"), {.wanted = {.subspaces = {"n"}}});
  ASSERT_FALSE(nothing);
  EXPECT_TRUE(nothing.error().is(errors::not_in_dump));
}

TEST_F(DumpOutput, StrangersAreNamedAndDumpFilesUnderOtherNamesRefused) {
  write_file(dump_ + "/README", "a note\n");
  write_file(dump_ + "/.DS_Store", "");
  const auto written = convert_dump(dump_, folder_.file("out"), {}, {.has_end_mark = true});
  ASSERT_TRUE(written) << written.error().to_line();
  const std::string notes = ir::write_json((*written)["notes"]);
  EXPECT_NE(notes.find("README is no file"), std::string::npos) << notes;
  EXPECT_NE(notes.find(".DS_Store is no file"), std::string::npos) << notes;
  fs::rename(file('l'), dump_ + "/changes");
  const auto refused = convert_dump(dump_, folder_.file("no"), {}, {.has_end_mark = true});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("call it subspace_l"), std::string::npos);
}

}  // namespace
}  // namespace plan::dump
