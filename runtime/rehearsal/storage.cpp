#include "runtime/rehearsal/storage.h"

#include "compiler/ir/json.h"

namespace plan::rehearsal {

using store::RocksFamily;

Result<std::unique_ptr<Storage>> Storage::open(const std::string& folder) {
  PLAN_TRY(rocks, store::RocksStore::open(folder));
  return std::unique_ptr<Storage>(new Storage(std::move(rocks)));
}

void Storage::put(std::string_view key, const ir::Value& value) {
  batch_.put(RocksFamily::standard, key, ir::write_json(value));
}

void Storage::put_bytes(std::string_view key, std::string_view bytes) {
  batch_.put(RocksFamily::standard, key, bytes);
}

void Storage::remove(std::string_view key) { batch_.remove(RocksFamily::standard, key); }

void Storage::remove_all(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xffU) end.pop_back();
  if (end.empty()) return;
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1U);
  batch_.remove_range(RocksFamily::standard, prefix, end);
}

void Storage::commit() {
  if (batch_.empty()) return;
  if (auto written = rocks_->write(batch_, false); !written) failure_ = std::move(written).error();
  batch_.clear();
}

std::optional<std::string> Storage::bytes(std::string_view key) const {
  auto found = rocks_->get(RocksFamily::standard, key);
  if (!found) return std::nullopt;
  return std::move(*found);
}

void Storage::scan(std::string_view prefix,
                   const std::function<void(std::string_view, const ir::Value&)>& visit) const {
  scan_bytes(prefix, [&visit](std::string_view rest, std::string_view bytes) {
    auto value = ir::parse_json(bytes);
    if (value) visit(rest, *value);
  });
}

void Storage::scan_bytes(
    std::string_view prefix,
    const std::function<void(std::string_view, std::string_view)>& visit) const {
  const auto scanned = rocks_->scan(RocksFamily::standard, prefix,
                                    [&](std::string_view key, std::string_view bytes) {
                                      visit(key.substr(prefix.size()), bytes);
                                      return true;
                                    });
  static_cast<void>(
      scanned.has_value());  // a damaged store shows as an empty one; start() looks for its mark
}

}  // namespace plan::rehearsal
