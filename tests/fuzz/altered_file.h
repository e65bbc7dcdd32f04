#pragma once
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace plan::fuzz {

inline std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Writes a database file, without what SQLite may have left beside an earlier one.
inline void write_database(const std::string& path, std::string_view bytes) {
  std::error_code ignored;
  for (const char* suffix : {"-wal", "-shm", "-journal"})
    std::filesystem::remove(path + suffix, ignored);
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// What a fuzzer makes of a good file, because it would never find one by itself. First byte even:
/// the rest is the file. Odd: the good one with pieces written over it, each as place (3 bytes,
/// little endian, modulo the size), length (1 byte), bytes.
inline std::string altered(const std::string& good, std::string_view input) {
  if (input.empty()) return good;
  const bool is_whole = static_cast<unsigned char>(input.front()) % 2 == 0;
  input.remove_prefix(1);
  if (is_whole) return std::string(input);
  std::string bytes = good;
  while (input.size() > 4) {
    const auto byte = [&input](std::size_t at) {
      return std::size_t{static_cast<unsigned char>(input[at])};
    };
    const std::size_t at = (byte(0) | byte(1) << 8U | byte(2) << 16U) % bytes.size();
    const std::size_t length = std::min({byte(3), input.size() - 4, bytes.size() - at});
    bytes.replace(at, length, input.substr(4, length));
    input.remove_prefix(4 + length);
  }
  return bytes;
}

}  // namespace plan::fuzz
