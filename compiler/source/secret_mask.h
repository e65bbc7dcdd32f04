#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/source/diagnostic.h"
#include "compiler/source/secret_places.h"

namespace plan {

/// Texts of a compilation as they may be shown: the secrets in them replaced by `********`.
class SecretMask {
 public:
  /// What `diagnostics` call a secret in clear is masked wherever its line is shown.
  SecretMask(const SourceSet& sources, const std::vector<Diagnostic>& diagnostics);

  /// The bytes [begin, end) of `file`, masked.
  [[nodiscard]] std::string text(FileId file, std::uint32_t begin, std::uint32_t end);
  /// `span` with the whole of a secret that it begins or ends in: a part of a mask is none.
  [[nodiscard]] Span with_whole_secrets(Span span);
  /// `diagnostic` without the secrets of the lines that it is about.
  [[nodiscard]] Diagnostic masked(Diagnostic diagnostic);

 private:
  /// Secrets, and what a message may have taken for one: words and names in them.
  struct Secrets {
    std::vector<std::string> whole = {};
    std::vector<std::string> parts = {};
  };
  const std::vector<SecretPlace>& places(FileId file);
  void collect(Span span, Secrets& secrets);

  const SourceSet& sources_;
  std::map<FileId, std::vector<SecretPlace>> told_ = {};
  std::map<FileId, std::vector<SecretPlace>> places_ = {};
};

}  // namespace plan
