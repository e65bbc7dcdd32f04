#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/dump/fault.h"

namespace plan::dump {

/// Where the bytes of one dump file come from. Used by one thread at a time.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;
  /// Fills `buffer` as far as there are bytes; fewer than `size` only at the end. A fault (also:
  /// the file changed since it was opened) is remembered, and ends the bytes.
  [[nodiscard]] virtual std::size_t read(char* buffer, std::size_t size) = 0;
  [[nodiscard]] virtual const std::optional<Fault>& fault() const = 0;
};

/// A regular file, opened without following a link and without waiting (a FIFO is refused, not read
/// from). Reads as many bytes as the file had when it was opened; growth or shrinkage is a fault at
/// the end. Not mapped: a file that shrinks must not end the process.
class FileSource final : public ByteSource {
 public:
  explicit FileSource(const std::string& path);
  ~FileSource() override;
  [[nodiscard]] std::size_t read(char* buffer, std::size_t size) override;
  [[nodiscard]] const std::optional<Fault>& fault() const override { return fault_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  void check_unchanged();

  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  std::uint64_t read_ = 0;
  std::int64_t modified_ns_ = 0;
  std::optional<Fault> fault_;
};

/// Bytes in memory, which the caller keeps: tests and fuzzing.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t read(char* buffer, std::size_t size) override;
  [[nodiscard]] const std::optional<Fault>& fault() const override { return fault_; }

 private:
  std::string_view bytes_;
  std::optional<Fault> fault_;
};

}  // namespace plan::dump
