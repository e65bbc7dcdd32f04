#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "runtime/store/errors.h"
#include "runtime/store/rocks_loaded.h"

namespace plan::store {
namespace {

// RocksDB's log format: blocks of 32 KiB; each holds fragments with a header of checksum (4),
// length (2) and type (1), for recycled files also the log's number (4). A write is one fragment
// (`full`), or several (`first` to `last`). It begins with the number of its first change (8) and
// the count of its changes (4), little-endian.
constexpr std::size_t kBlock = 32'768;
constexpr std::size_t kHeader = 7;
constexpr std::size_t kRecycledHeader = 11;
enum Fragment : std::uint8_t { full = 1, first = 2, middle = 3, last = 4, recycled = 4 };

std::uint64_t little_endian(const unsigned char* bytes, unsigned count) {
  std::uint64_t value = 0;
  for (unsigned i = count; i > 0; --i) value = value << 8U | bytes[i - 1];
  return value;
}

class LogReader {
 public:
  void read_block(const unsigned char* block, std::size_t size) {
    std::size_t at = 0;
    while (!is_over_ && at + kHeader <= size) {
      const auto length = static_cast<std::size_t>(little_endian(block + at + 4, 2));
      std::uint8_t type = block[at + 6];
      if (type == 0 && length == 0) {  // room that was set aside and never written
        is_over_ = true;
        return;
      }
      const bool is_recycled = type > Fragment::last && type <= Fragment::last + Fragment::recycled;
      const std::size_t header = is_recycled ? kRecycledHeader : kHeader;
      if (is_recycled) type = static_cast<std::uint8_t>(type - Fragment::recycled);
      if (at + header + length > size) {  // the last write was cut off
        is_over_ = true;
        return;
      }
      take(type, block + at + header, length);
      at += header + length;
    }
  }
  [[nodiscard]] std::uint64_t last_change() const { return last_change_; }

 private:
  void take(std::uint8_t type, const unsigned char* bytes, std::size_t length) {
    if (type == Fragment::full || type == Fragment::first) {
      begun_ = 0;
      if (length >= 12) {
        const std::uint64_t number = little_endian(bytes, 8);
        const std::uint64_t count = little_endian(bytes + 8, 4);
        if (count > 0) begun_ = number + count - 1;
      }
    }
    if (type == Fragment::full || type == Fragment::last) {
      last_change_ = std::max(last_change_, begun_);
      begun_ = 0;
    }
  }

  std::uint64_t begun_ = 0;
  std::uint64_t last_change_ = 0;
  bool is_over_ = false;
};

}  // namespace

std::uint64_t last_change_of_log(std::string_view log) {
  LogReader reader;
  for (; !log.empty(); log.remove_prefix(std::min(log.size(), kBlock))) {
    const std::string_view block = log.substr(0, kBlock);
    reader.read_block(reinterpret_cast<const unsigned char*>(block.data()), block.size());
  }
  return reader.last_change();
}

Result<std::uint64_t> last_logged_change(const std::string& folder) {
  std::error_code code;
  std::uint64_t last = 0;
  std::array<unsigned char, kBlock> block{};
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
    if (entry.path().extension() != ".log" || !entry.is_regular_file(code)) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    if (!file) {
      return Error(errors::store_unreadable, entry.path().string() + ": cannot be opened");
    }
    LogReader reader;
    while (file) {
      file.read(reinterpret_cast<char*>(block.data()), kBlock);
      if (file.gcount() > 0)
        reader.read_block(block.data(), static_cast<std::size_t>(file.gcount()));
    }
    last = std::max(last, reader.last_change());
  }
  if (code) return Error(errors::store_unreadable, folder + ": " + code.message());
  return last;
}

}  // namespace plan::store
