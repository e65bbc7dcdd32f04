#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/diagnostic.h"

namespace plan {

/// Bytes of a text that may be a secret; begin inclusive, end exclusive.
struct SecretPlace {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend bool operator==(const SecretPlace&, const SecretPlace&) = default;
};

/// Where secrets may stand in clear in a plan, a module or a JSON document: behind keys that are
/// called like a secret (or nearly so), with whatever sign or none between the two, behind
/// `!secret` without `env:`, `file:` or `command:`, in the user's part of a URL, in commands. It
/// reads characters and not syntax: what it is for are texts that do not parse. So what follows
/// such a key is a secret to its end unless it says where one is read, or is a name of the plan.
/// Sorted, none overlaps another; linear in the text. `is_language`: of the plan language.
[[nodiscard]] std::vector<SecretPlace> secret_places(std::string_view text, bool is_language);

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
