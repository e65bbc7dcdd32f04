#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plan::server::dovecot {

/// A password as a passwd-file has it, its scheme told apart: `{SCHEME}text`, `text[13]` (CRYPT),
/// `text[34]` (PLAIN-MD5), `text[56]` (DIGEST-MD5), or text in the default scheme. Holds a secret:
/// never print `text`.
struct StoredPassword {
  std::string scheme =
      {};  ///< upper case, never empty: "SHA512-CRYPT", "SSHA.HEX"; "NONE": no password here
  std::string text = {};

  /// `{SCHEME}text`, whatever the default scheme is; empty for NONE.
  [[nodiscard]] std::string with_scheme() const;
  /// The scheme with the form of the text where one name covers several ("CRYPT:$6$", "SHA:hex"),
  /// as compiler/facts/survey.md spells it.
  [[nodiscard]] std::string form() const;
  /// A text that no password fits, put there to lock the account ("!", "*").
  [[nodiscard]] bool is_locked() const;
};

[[nodiscard]] StoredPassword parse_password(std::string_view field,
                                            std::string_view default_scheme);

/// One user of a passwd-file.
struct PasswdEntry {
  std::string user = {};
  StoredPassword password = {};
  std::string uid = {};
  std::string gid = {};
  std::string home = {};
  std::vector<std::pair<std::string, std::string>> extra =
      {};                ///< `key=value`; a bare key has an empty value
  std::size_t line = 0;  ///< from 1

  /// Nothing when the field is not there.
  [[nodiscard]] std::optional<std::string> field(std::string_view name) const;
  /// Users with `nologin`, or whose password is locked, cannot log in.
  [[nodiscard]] bool is_enabled() const;
};

struct PasswdProblem {
  std::size_t line = 0;
  std::string why = {};
};

struct PasswdFile {
  std::vector<PasswdEntry> entries = {};
  std::vector<PasswdProblem> problems = {};  ///< lines that were left out, at most 100 of them
};

/// Reads a Dovecot passwd-file (reference/sources.md 3):
/// `user:password:uid:gid:gecos:home:shell:extra`, where everything behind the shell is extra
/// fields even if it holds colons; blank lines and lines with `#` are skipped; of two lines for one
/// user the first counts. Takes any bytes.
[[nodiscard]] PasswdFile parse_passwd_file(std::string_view text,
                                           std::string_view default_scheme = "CRYPT");

/// The storage limit of the quota fields in bytes, 0 for none: `userdb_quota_rule=*:storage=1G`
/// (plain numbers are KiB),
/// `*:bytes=N` (Dovecot 2.3), `userdb_quota_storage_size=1G` (2.4). Nothing when the entry has no
/// such field.
[[nodiscard]] std::optional<std::uint64_t> quota_of(const PasswdEntry& entry);
/// The limit of one rule, "*:storage=500M:messages=10"; nothing when it does not limit the storage
/// of the whole account.
[[nodiscard]] std::optional<std::uint64_t> quota_of_rule(std::string_view rule);

}  // namespace plan::server::dovecot
