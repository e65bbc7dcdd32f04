#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plan {

/// Bytes of one word of a command that are a secret; begin inclusive, end exclusive.
struct SecretOfWord {
  std::size_t begin = 0;
  std::size_t end = 0;
  /// What it stands behind, to be shown: `-p`, `MYSQL_PWD=`, `https://admin:`.
  std::string behind = {};
};

/// Reads the words of a command from left to right and finds the secrets that stand in clear in
/// them: `--password SECRET`, `--token=SECRET`, `MYSQL_PWD=SECRET`, `-u NAME:SECRET`,
/// `https://NAME:SECRET@host/`, a header that logs in, and what single programs take (`mysql
/// -pSECRET`). A word of several words is a line of a shell and read like a command. What names
/// where a secret comes from is none: `$NAME`, `env:NAME`, a path, `@FILE`, a name behind
/// `--tsig-key`; nor a switch (`--reset-password=no`), a user and its group (`docker exec -u
/// bind:bind`). To refuse a sound command is worse than to miss a secret. Linear in the words.
class CommandWords {
 public:
  /// The secrets of the next word, in order; none overlaps another.
  [[nodiscard]] std::vector<SecretOfWord> take(std::string_view word);

 private:
  /// Which part of an option's word is the secret.
  enum class Part {
    all,
    behind_colon,
    behind_last_colon,
    behind_comma,
    behind_percent,
    behind_pass,
    behind_header
  };
  struct ProgramOption {
    std::string_view program;  // a `*` at its end: what begins so
    std::string_view option;
    Part part = Part::all;
    bool is_own_word = true;  // it may also be the word behind the option
  };
  struct Awaited {
    Part part = Part::all;
    std::string option = {};
    bool is_named = false;  // its name, and not a program's table, says that a secret follows
  };
  static const std::vector<ProgramOption>& program_options();
  static std::optional<SecretOfWord> part_of(std::string_view value, std::size_t at, Part part);
  std::vector<SecretOfWord> line(std::string_view words);
  void look_at_option(std::string_view word, std::vector<SecretOfWord>& found);

  std::string program_ = {};
  std::optional<Awaited> awaited_ = {};
  int depth_ = 0;  // lines in lines: `sh -c "ssh host 'mysql -p...'"`
};

}  // namespace plan
