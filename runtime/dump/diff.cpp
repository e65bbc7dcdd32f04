#include "runtime/dump/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "runtime/dump/dump_folder.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/frame_reader.h"
#include "runtime/dump/key_shape.h"
#include "runtime/dump/old_dump.h"
#include "runtime/dump/output_folder.h"

namespace plan::dump {
namespace {

/// The records of one side; without a file there are none.
class Side {
 public:
  Side(std::unique_ptr<FrameReader> reader, std::string path)
      : reader_(std::move(reader)), path_(std::move(path)) {}

  [[nodiscard]] Outcome advance() {
    if (reader_ == nullptr) return {};
    previous_.assign(reader_->key());
    PLAN_TRY(is_there, reader_->next().while_doing("reading " + path_));
    if (is_there && has_record_ && reader_->key() <= previous_)
      return Error(errors::dump_damaged,
                   fmt::format("{}: keys are out of order after record {}; run plan dump repair",
                               path_, reader_->records()));
    has_record_ = is_there;
    return {};
  }
  [[nodiscard]] bool has_record() const { return has_record_; }
  [[nodiscard]] std::string_view key() const { return reader_->key(); }
  [[nodiscard]] FrameReader& reader() { return *reader_; }

 private:
  std::unique_ptr<FrameReader> reader_;
  std::string path_;
  std::string previous_;
  bool has_record_ = false;
};

Result<bool> have_equal_values(FrameReader& left, FrameReader& right) {
  if (left.value_bytes() != right.value_bytes()) return false;
  std::string_view ours, theirs;
  while (true) {
    if (ours.empty()) {
      PLAN_TRY(piece, left.value_piece());
      ours = piece;
    }
    if (theirs.empty()) {
      PLAN_TRY(piece, right.value_piece());
      theirs = piece;
    }
    const std::size_t size = std::min(ours.size(), theirs.size());
    if (size == 0) return ours.empty() && theirs.empty();
    if (ours.substr(0, size) != theirs.substr(0, size)) return false;
    ours.remove_prefix(size);
    theirs.remove_prefix(size);
  }
}

Result<std::map<char, std::string>> files_of(const std::string& path, ir::Value& notes) {
  PLAN_TRY_VOID(must_be_finished(path));
  PLAN_TRY(folder, list_dump(path));
  if (folder.entries.empty())
    return Error(errors::dump_foreign, fmt::format("{} has no file in it", path));
  std::map<char, std::string> files;
  for (const DumpEntry& entry : folder.entries) {
    if (is_old_dump(entry.path))
      return Error(errors::old_dump,
                   fmt::format("{} is of 0.8 to 0.14: its records stand in no order of keys in "
                               "which two files could be compared",
                               entry.path));
    PLAN_TRY(reader, FrameReader::open(entry.path));
    const auto [known, is_new] = files.emplace(reader->header()->letter, entry.path);
    if (!is_new)
      notes.push_back(
          fmt::format("{} has the letter of {} and is not compared", entry.path, known->second));
  }
  return files;
}

Result<Side> open_side(const std::map<char, std::string>& files, char letter) {
  const auto found = files.find(letter);
  if (found == files.end()) return Side(nullptr, {});
  PLAN_TRY(reader, FrameReader::open(found->second, {.is_ahead = true}));
  Side side(std::move(reader), found->second);
  PLAN_TRY_VOID(side.advance());
  return side;
}

/// Whose record a key is, where its subspace says so.
ir::Value owner_of(const FrameReader& reader) {
  const FileHeader& header = *reader.header();
  const Subspace* subspace = find_subspace(header.letter, header.schema);
  if (subspace == nullptr || !key_shape_fault(*subspace, reader.key()).empty()) return nullptr;
  const auto account = account_of(*subspace, reader.key());
  return account ? ir::Value(std::int64_t{*account}) : ir::Value(nullptr);
}

Result<ir::Value> diff_letter(char letter, Side& left, Side& right) {
  std::uint64_t equal = 0, only_left = 0, only_right = 0, different = 0;
  ir::Value first = ir::Value::list();
  const auto note = [&](const FrameReader& reader, std::string_view what) {
    if (first.size() < kDifferencesListed)
      first.push_back(ir::Value::map(
          {{"key", ir::to_hex(reader.key())}, {"what", what}, {"account", owner_of(reader)}}));
  };
  while (left.has_record() || right.has_record()) {
    if (!right.has_record() || (left.has_record() && left.key() < right.key())) {
      ++only_left;
      note(left.reader(), "only-left");
      PLAN_TRY_VOID(left.advance());
    } else if (!left.has_record() || right.key() < left.key()) {
      ++only_right;
      note(right.reader(), "only-right");
      PLAN_TRY_VOID(right.advance());
    } else {
      PLAN_TRY(is_equal, have_equal_values(left.reader(), right.reader()));
      ++(is_equal ? equal : different);
      if (!is_equal) note(left.reader(), "different");
      PLAN_TRY_VOID(left.advance());
      PLAN_TRY_VOID(right.advance());
    }
  }
  return ir::Value::map({{"letter", std::string(1, letter)},
                         {"is_equal", only_left + only_right + different == 0},
                         {"equal", equal},
                         {"only_left", only_left},
                         {"only_right", only_right},
                         {"different", different},
                         {"first", std::move(first)}});
}

}  // namespace

Result<ir::Value> diff_dumps(const std::string& left, const std::string& right) {
  ir::Value notes = ir::Value::list();
  PLAN_TRY(left_files, files_of(left, notes));
  PLAN_TRY(right_files, files_of(right, notes));
  std::string letters;
  for (const auto* files : {&left_files, &right_files})
    for (const auto& [letter, path] : *files)
      if (letters.find(letter) == std::string::npos) letters += letter;
  std::sort(letters.begin(), letters.end());
  ir::Value list = ir::Value::list();
  bool is_equal = true;
  for (const char letter : letters) {
    if (left_files.count(letter) == 0 || right_files.count(letter) == 0) {
      is_equal = false;
      notes.push_back(fmt::format("{} has no file of letter {}",
                                  left_files.count(letter) == 0 ? left : right, letter));
    }
    PLAN_TRY(ours, open_side(left_files, letter));
    PLAN_TRY(theirs, open_side(right_files, letter));
    PLAN_TRY(compared, diff_letter(letter, ours, theirs));
    is_equal = is_equal && compared["is_equal"].bool_or(false);
    list.push_back(std::move(compared));
  }
  return ir::Value::map(
      {{"is_equal", is_equal}, {"subspaces", std::move(list)}, {"notes", std::move(notes)}});
}

}  // namespace plan::dump
