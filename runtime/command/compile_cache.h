#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"

namespace plan::command {

/// What is worth a file.
struct CacheBounds {
  /// Less than this in plan, lock and measurements is compiled as fast as it would be read.
  std::size_t bytes_from = std::size_t{1} << 20U;
  /// A compilation that takes more in the file is not kept; a million accounts take a third of it.
  std::size_t bytes_max = std::size_t{1} << 30U;
};

/// The last compilation of a folder that gave a graph, so that the same one again costs reading
/// it. It is a file of `.plan` and never more than a saving: what is in it is used only when it was
/// written by this build of the program for exactly these inputs, and whole. Into its key goes
/// everything that a compilation reads: names and texts of plan, lock and measurements, each module
/// and account file that was asked for (also that it was not there, and why), the schema by its
/// digest, the limits, and the program with its libraries. What it tells of moments has to be what
/// is told now. Nothing else ever depends on the file being there.
class CompileCache {
 public:
  /// `input` as it will be compiled, but for its `schema`, which `schema_digest` stands for (empty:
  /// there is none). Its `file_text` is replaced by one that takes down what is read.
  CompileCache(std::string file, CompileInput& input, std::string_view schema_digest,
               CacheBounds bounds = {});

  /// What the same compilation gave before. Nothing when the
  /// file is missing, damaged, somebody else's, or of another compilation.
  [[nodiscard]] std::optional<CompileResult> find();
  /// Keeps what `input` was compiled to, when there is a graph. False when it is not kept; why does
  /// not matter to the caller: the next compilation takes as long as this one.
  bool keep(const CompileResult& compiled);

 private:
  struct Lookup {
    std::string path = {};
    bool is_found = false;
    std::string digest = {};  // of the text, or of the words why there is none
  };
  [[nodiscard]] std::optional<std::string_view> source_text(
      std::uint64_t from, std::size_t number, std::string_view own,
      const std::vector<std::string>& looked_up) const;
  [[nodiscard]] bool is_time_of(std::uint64_t since_ms, std::uint64_t until_ms) const;
  [[nodiscard]] static Lookup lookup(const std::string& path, const Result<std::string>& text);

  std::string file_;
  CacheBounds bounds_;
  CompileInput& input_;
  std::function<Result<std::string>(const std::string&)> read_file_;
  std::shared_ptr<std::vector<Lookup>> lookups_;
  std::optional<std::int64_t> now_ms_;
  std::string plan_digest_;
  std::string lock_digest_;
  std::string facts_digest_;
  std::string key_;  // empty: nothing is kept
};

}  // namespace plan::command
