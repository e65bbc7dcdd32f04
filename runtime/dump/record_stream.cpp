#include "runtime/dump/record_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "compiler/ir/digest.h"
#include "runtime/dump/errors.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/key_shape.h"

namespace plan::dump {
namespace {

constexpr std::size_t kShown = 48;

/// One file, checked for order and shape as it is read, and at its end against the manifest of
/// `dump` if that is not null.
class FileStream : public RecordStream {
 public:
  FileStream(std::unique_ptr<FrameReader> reader, const Subspace& subspace, std::string path,
             const InputDump* dump)
      : reader_(std::move(reader)), subspace_(subspace), path_(std::move(path)), dump_(dump) {}

  [[nodiscard]] Result<bool> next() override {
    PLAN_TRY(is_there, reader_->next().while_doing("reading " + path_));
    if (!is_there) {
      PLAN_TRY_VOID(finish());
      return false;
    }
    const std::string_view key = reader_->key();
    const std::string shape = key_shape_fault(subspace_, key);
    if (!shape.empty() || (has_previous_ && key <= previous_))
      return Error(errors::dump_damaged,
                   fmt::format("{}: key {}: {}", path_, ir::to_hex(key.substr(0, kShown)),
                               shape.empty() ? "it does not follow the one before it" : shape));
    previous_.assign(key);
    has_previous_ = true;
    return true;
  }
  [[nodiscard]] std::string_view key() const override { return reader_->key(); }
  [[nodiscard]] std::uint64_t value_bytes() const override { return reader_->value_bytes(); }
  [[nodiscard]] Result<std::string_view> value_piece() override { return reader_->value_piece(); }
  [[nodiscard]] Outcome finish() override {
    if (dump_ == nullptr || !dump_->has_manifest()) return {};
    const InputDump& dump = *std::exchange(dump_, nullptr);
    return dump.check_digest(subspace_.letter, reader_->file_digest());
  }

 protected:
  [[nodiscard]] Result<std::string_view> whole_value() { return reader_->value(); }
  [[nodiscard]] const Subspace& subspace() const { return subspace_; }

 private:
  std::unique_ptr<FrameReader> reader_;
  const Subspace& subspace_;
  std::string path_;
  const InputDump* dump_;
  std::string previous_;
  bool has_previous_ = false;
};

/// The rows that a filter takes one by one.
class FilteredStream final : public FileStream {
 public:
  FilteredStream(std::unique_ptr<FrameReader> reader, const Subspace& subspace, std::string path,
                 const InputDump* dump, const RecordFilter& filter)
      : FileStream(std::move(reader), subspace, std::move(path), dump), filter_(filter) {}

  [[nodiscard]] Result<bool> next() override {
    while (true) {
      PLAN_TRY(is_there, FileStream::next());
      if (!is_there) return false;
      // Whose row it is stands in the value of the directory's names only.
      is_value_kept_ = subspace().letter == 'd' || subspace().letter == 'g';
      if (is_value_kept_) {
        PLAN_TRY(whole, whole_value());
        value_.assign(whole);
      }
      if (filter_.takes(subspace(), key(), is_value_kept_ ? value_ : std::string_view{}))
        return true;
    }
  }
  [[nodiscard]] Result<std::string_view> value_piece() override {
    if (!is_value_kept_) return FileStream::value_piece();
    given_ = std::exchange(value_, {});
    return std::string_view(given_);
  }

 private:
  const RecordFilter& filter_;
  bool is_value_kept_ = false;
  std::string value_;
  std::string given_;
};

/// The blob links of some accounts: of each blob those rows, and its commit marker when there is
/// one. Rows of a blob stand together.
class LinkStream final : public RecordStream {
 public:
  LinkStream(std::unique_ptr<RecordStream> rows, const RecordFilter& filter)
      : rows_(std::move(rows)), filter_(filter) {}

  [[nodiscard]] Result<bool> next() override {
    if (++at_ < group_.size()) return true;
    at_ = 0;
    do {
      PLAN_TRY(is_there, read_group());
      if (!is_there) return false;
    } while (group_.empty());
    return true;
  }
  [[nodiscard]] std::string_view key() const override { return group_[at_].first; }
  [[nodiscard]] std::uint64_t value_bytes() const override { return group_[at_].second.size(); }
  [[nodiscard]] Result<std::string_view> value_piece() override {
    given_ = std::exchange(group_[at_].second, {});
    return std::string_view(given_);
  }

 private:
  [[nodiscard]] Result<bool> read_group() {
    group_.clear();
    if (!is_begun_) {
      is_begun_ = true;
      PLAN_TRY(is_there, rows_->next());
      has_row_ = is_there;
    }
    if (!has_row_) return false;
    const std::string hash(rows_->key().substr(0, kBlobHashBytes));
    bool has_account_row = false;
    while (has_row_ && rows_->key().substr(0, kBlobHashBytes) == hash) {
      const std::string key(rows_->key());
      const bool is_marker = key.size() == kBlobHashBytes;
      const bool is_wanted = (key.size() == 41 || key.size() == 44) &&
                             filter_.has_account(big_u32(std::string_view(key).substr(32)));
      if (is_marker || is_wanted) {
        std::string value;
        while (true) {
          PLAN_TRY(piece, rows_->value_piece());
          if (piece.empty()) break;
          value += piece;
        }
        group_.emplace_back(key, std::move(value));
      }
      has_account_row = has_account_row || is_wanted;
      PLAN_TRY(is_there, rows_->next());
      has_row_ = is_there;
    }
    if (!has_account_row) group_.clear();
    return true;
  }

  std::unique_ptr<RecordStream> rows_;
  const RecordFilter& filter_;
  std::vector<std::pair<std::string, std::string>> group_;
  std::string given_;
  std::size_t at_ = 0;
  bool is_begun_ = false;
  bool has_row_ = false;
};

/// The blobs that a stream of links links.
class LinkedBlobStream final : public RecordStream {
 public:
  LinkedBlobStream(std::unique_ptr<RecordStream> blobs, std::unique_ptr<RecordStream> links)
      : blobs_(std::move(blobs)), links_(std::move(links)) {}

  [[nodiscard]] Result<bool> next() override {
    while (true) {
      PLAN_TRY(is_there, blobs_->next());
      if (!is_there) return false;
      while (!hash_ || *hash_ < blobs_->key()) {
        PLAN_TRY(has_link, links_->next());
        if (!has_link) {
          PLAN_TRY_VOID(blobs_->finish());
          return false;
        }
        hash_ = links_->key().substr(0, kBlobHashBytes);
      }
      if (*hash_ == blobs_->key()) return true;
    }
  }
  [[nodiscard]] std::string_view key() const override { return blobs_->key(); }
  [[nodiscard]] std::uint64_t value_bytes() const override { return blobs_->value_bytes(); }
  [[nodiscard]] Result<std::string_view> value_piece() override { return blobs_->value_piece(); }

 private:
  std::unique_ptr<RecordStream> blobs_;
  std::unique_ptr<RecordStream> links_;
  std::optional<std::string> hash_;
};

Result<std::unique_ptr<FrameReader>> open_letter(const std::string& path, const Subspace& subspace,
                                                 bool is_digested) {
  PLAN_TRY(reader, FrameReader::open(path, {.is_file_digested = is_digested, .is_ahead = true}));
  const FileHeader& header = *reader->header();
  if (header.letter != subspace.letter || header.schema != subspace.schema)
    return Error(errors::dump_damaged,
                 fmt::format("{} holds letter {:02x} of schema {}", path,
                             static_cast<std::uint8_t>(header.letter), header.schema));
  return std::move(reader);
}

Result<std::string> whole_value(RecordStream& stream) {
  if (stream.value_bytes() > kWholeValueBytes)
    return Error(
        errors::value_too_large,
        fmt::format("a value of {} bytes under a key that two dumps have", stream.value_bytes()));
  std::string value;
  while (true) {
    PLAN_TRY(piece, stream.value_piece());
    if (piece.empty()) return value;
    value += piece;
  }
}

bool is_node_lease(const Subspace& subspace, std::string_view key) {
  return subspace.letter == 'g' && subspace.schema == kSchema16 && key.size() == 6 &&
         key.substr(0, 4) == "\xFF\xFF\xFF\xFF";
}

}  // namespace

Result<std::unique_ptr<RecordStream>> filtered_stream(const InputDump& dump,
                                                      const Subspace& subspace,
                                                      const RecordFilter& filter) {
  if (!dump.has(subspace.letter)) return std::unique_ptr<RecordStream>();
  const std::string path = dump.file_of(subspace.letter);
  PLAN_TRY(reader, open_letter(path, subspace, dump.has_manifest()));
  if (filter.takes_all_of(subspace.letter))
    return std::unique_ptr<RecordStream>(
        std::make_unique<FileStream>(std::move(reader), subspace, path, &dump));
  if (subspace.letter != 'k' && subspace.letter != 't')
    return std::unique_ptr<RecordStream>(
        std::make_unique<FilteredStream>(std::move(reader), subspace, path, &dump, filter));
  auto rows = std::make_unique<FileStream>(std::move(reader), subspace, path, &dump);
  if (subspace.letter == 'k')
    return std::unique_ptr<RecordStream>(std::make_unique<LinkStream>(std::move(rows), filter));
  if (!dump.has('k'))
    return Error(errors::dump_damaged,
                 dump.folder() + " has no subspace k, which alone says whose the blobs of t are");
  const std::string links_path = dump.file_of('k');
  const Subspace* links = find_subspace('k', subspace.schema);
  PLAN_TRY(links_reader, open_letter(links_path, *links, false));
  auto kept = std::make_unique<LinkStream>(
      std::make_unique<FileStream>(std::move(links_reader), *links, links_path, nullptr), filter);
  return std::unique_ptr<RecordStream>(
      std::make_unique<LinkedBlobStream>(std::move(rows), std::move(kept)));
}

Result<std::unique_ptr<RecordStream>> whole_stream(const std::string& path,
                                                   const Subspace& subspace) {
  PLAN_TRY(reader, open_letter(path, subspace, false));
  return std::unique_ptr<RecordStream>(
      std::make_unique<FileStream>(std::move(reader), subspace, path, nullptr));
}

Outcome write_merged(std::vector<std::unique_ptr<RecordStream>> streams, const Subspace& subspace,
                     FrameWriter& writer, bool is_first_preferred) {
  std::vector<RecordStream*> open;
  for (const auto& stream : streams) {
    PLAN_TRY(is_there, stream->next());
    if (is_there) open.push_back(stream.get());
  }
  const auto advance = [&](RecordStream* stream) -> Outcome {
    PLAN_TRY(is_there, stream->next());
    if (!is_there) open.erase(std::find(open.begin(), open.end(), stream));
    return {};
  };
  while (!open.empty()) {
    RecordStream* first = open[0];
    for (RecordStream* stream : open)
      if (stream->key() < first->key()) first = stream;
    std::vector<RecordStream*> same;
    for (RecordStream* stream : open)
      if (stream != first && stream->key() == first->key()) same.push_back(stream);
    const std::uint64_t value_bytes = first->value_bytes();
    PLAN_TRY_VOID(writer.begin_record(first->key(), value_bytes));
    // Blobs are what their keys say; their lengths are compared all the same.
    const bool is_first_taken = is_first_preferred || is_node_lease(subspace, first->key());
    const bool is_compared = !same.empty() && subspace.value != ValueKind::blob && !is_first_taken;
    std::string value;
    if (is_compared) {
      PLAN_TRY(whole, whole_value(*first));
      value = std::move(whole);
      PLAN_TRY_VOID(writer.append_value(value));
    } else {
      while (true) {
        PLAN_TRY(piece, first->value_piece());
        if (piece.empty()) break;
        PLAN_TRY_VOID(writer.append_value(piece));
      }
    }
    for (RecordStream* stream : same) {
      bool is_equal = is_first_taken || stream->value_bytes() == value_bytes;
      if (is_equal && is_compared) {
        PLAN_TRY(other, whole_value(*stream));
        is_equal = other == value;
      }
      if (!is_equal)
        return Error(errors::dumps_disagree,
                     fmt::format("subspace {}: two of the dumps have different values under key {}",
                                 subspace.letter, ir::to_hex(first->key().substr(0, kShown))));
    }
    for (RecordStream* stream : same) PLAN_TRY_VOID(advance(stream));
    PLAN_TRY_VOID(advance(first));
  }
  return {};
}

}  // namespace plan::dump
