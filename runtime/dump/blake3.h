#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace plan::dump {

/// BLAKE3-256 in pieces: what the server calls a blob. One thread.
class Blake3 {
 public:
  Blake3();
  ~Blake3();
  Blake3(const Blake3&) = delete;
  Blake3& operator=(const Blake3&) = delete;
  void update(std::string_view bytes);
  /// 32 raw bytes of all that was given.
  [[nodiscard]] std::string finish() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// BLAKE3-256 of `bytes`, 32 raw bytes.
[[nodiscard]] std::string blake3(std::string_view bytes);

}  // namespace plan::dump
