#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"
#include "runtime/store/rocks_loaded.h"

namespace plan::dump {
namespace {

// Notes stand in the family `default`, which the server leaves empty.
std::string note_key(std::string_view letter) { return fmt::format("{}/{}", kImportTable, letter); }

std::string note_text(const ImportProgress& progress) {
  return ir::canonical_json(ir::Value::map({{"last_key", ir::to_hex(progress.last_key)},
                                            {"records", progress.records},
                                            {"is_done", progress.is_done}}));
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(digit(text[i]) << 4U | digit(text[i + 1]));
  }
  return bytes;
}

class RocksdbSubspaceWriter final : public SubspaceWriter {
 public:
  RocksdbSubspaceWriter(store::LoadedRocks& store, std::size_t family, std::size_t notes,
                        char letter)
      : store_(store), batch_(store.batch()), family_(family), notes_(notes), letter_(letter) {}

  Outcome put(const Record& record) override {
    batch_.put(family_, record.key, record.value);
    return {};
  }

  Outcome commit(const ImportProgress& progress) override {
    batch_.put(notes_, note_key(std::string_view(&letter_, 1)), note_text(progress));
    const Outcome outcome = store_.write(batch_, false);
    batch_.clear();
    return outcome;
  }

 private:
  store::LoadedRocks& store_;
  store::LoadedRocksBatch batch_;
  std::size_t family_;
  std::size_t notes_;
  char letter_;
};

class RocksdbWriter final : public StoreWriter {
 public:
  RocksdbWriter(std::shared_ptr<const store::RocksLibrary> library, std::string folder)
      : library_(std::move(library)), folder_(std::move(folder)) {}

  Outcome open_store(const std::vector<std::string>& families) {
    store_.reset();
    // All mail of a server: nobody else's to read. What is there keeps its mode.
    static_cast<void>(::mkdir(folder_.c_str(), 0700));
    PLAN_TRY(store, store::LoadedRocks::open(library_, folder_,
                                             {.is_read_only = false,
                                              .sum_families = {"n", "u", "y"},
                                              .families = families,
                                              .blob_family = "t"}));
    store_ = std::move(store);
    notes_ = store_->family("default").value_or(0);
    return {};
  }

  Result<std::string> begun_import() override {
    if (store_ == nullptr) return std::string();
    PLAN_TRY(note, store_->get(notes_, kImportTable));
    return note.value_or("");
  }

  Result<std::vector<char>> filled_subspaces() override {
    std::vector<char> filled;
    if (store_ == nullptr) return filled;
    for (const std::string& name : store_->family_names()) {
      if (name.size() != 1) continue;
      PLAN_TRY(cursor, store_->scan(*store_->family(name)));
      PLAN_TRY(has_row, cursor.next());
      if (has_row) filled.push_back(name[0]);
    }
    return filled;
  }

  Outcome prepare(std::uint32_t schema, const std::string& identity) override {
    std::vector<std::string> families;
    for (const Subspace& subspace : subspaces(schema)) families.emplace_back(1, subspace.letter);
    // Versions have families for letters that they no longer use; the server makes those itself.
    PLAN_TRY_VOID(open_store(families));
    auto batch = store_->batch();
    batch.put(notes_, kImportTable, identity);
    return store_->write(batch, true);
  }

  Result<ImportProgress> progress(char letter) override {
    PLAN_TRY(note, store_->get(notes_, note_key(std::string_view(&letter, 1))));
    ImportProgress progress;
    if (!note) return progress;
    PLAN_TRY(value, ir::parse_json(*note));
    progress.last_key = from_hex(value["last_key"].string_or(""));
    progress.records = static_cast<std::uint64_t>(value["records"].integer_or(0));
    progress.is_done = value["is_done"].bool_or(false);
    return progress;
  }

  Result<std::unique_ptr<SubspaceWriter>> open(char letter) override {
    const auto family = store_->family(std::string_view(&letter, 1));
    if (!family) {
      return Error(errors::store_row_wrong, fmt::format("the store has no subspace {}", letter));
    }
    return std::unique_ptr<SubspaceWriter>(
        std::make_unique<RocksdbSubspaceWriter>(*store_, *family, notes_, letter));
  }

  Outcome finish(const std::vector<std::pair<std::string, std::string>>& last_properties) override {
    auto batch = store_->batch();
    if (const auto properties = store_->family("p")) {
      for (const auto& [key, value] : last_properties) batch.put(*properties, key, value);
    }
    std::vector<std::string> notes;
    {
      PLAN_TRY(cursor, store_->scan(notes_));
      while (true) {
        PLAN_TRY(has_row, cursor.next());
        if (!has_row) break;
        if (cursor.key().starts_with(kImportTable)) notes.emplace_back(cursor.key());
      }
    }
    for (const std::string& key : notes) batch.remove(notes_, key);
    return store_->write(batch, true);
  }

  [[nodiscard]] unsigned writers_max() const override { return 4; }

 private:
  std::shared_ptr<const store::RocksLibrary> library_;
  std::string folder_;
  std::unique_ptr<store::LoadedRocks> store_;
  std::size_t notes_ = 0;
};

}  // namespace

Result<std::unique_ptr<StoreWriter>> open_rocksdb_writer(const StoreAddress& address) {
  PLAN_TRY(library, store::RocksLibrary::find(address.rocksdb_library));
  auto writer = std::make_unique<RocksdbWriter>(library, address.path);
  std::error_code code;
  if (std::filesystem::exists(std::filesystem::path(address.path) / "CURRENT", code)) {
    PLAN_TRY_VOID(writer->open_store({}));
  }
  return std::unique_ptr<StoreWriter>(std::move(writer));
}

}  // namespace plan::dump
