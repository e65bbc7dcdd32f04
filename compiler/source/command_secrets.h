#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/program_options.h"

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
/// `https://NAME:SECRET@host/`, a header that logs in, `{"password": "SECRET"}`, and what single
/// programs take (program_options.h). A word of several words is a line of a shell and read like a
/// command. What names where a secret comes from is none: `$NAME`, `env:NAME`, a path, `@FILE`, a
/// name behind `--tsig-key`; nor a switch (`--reset-password=no`), a user and its group (`docker
/// exec -u bind:bind`). To refuse a sound command is worse than to miss a secret. Linear in the
/// words.
class CommandWords {
 public:
  /// The secrets of the next word, in order; none overlaps another.
  [[nodiscard]] std::vector<SecretOfWord> take(std::string_view word);

 private:
  struct Awaited {
    SecretPart part = SecretPart::all;
    std::string option = {};
    bool is_named = false;  // its name, and not a program's table, says that a secret follows
  };
  static std::optional<SecretOfWord> part_of(std::string_view value, std::size_t at,
                                             SecretPart part);
  [[nodiscard]] bool is_in(std::string_view subcommand) const;
  std::vector<SecretOfWord> line(std::string_view words);
  void look_at_option(std::string_view word, std::vector<SecretOfWord>& found);
  void look_at_operand(std::string_view word, std::vector<SecretOfWord>& found);
  void remember(std::string_view word);
  bool is_program_here(std::string_view word, std::string_view name);
  void begin_program();

  std::string program_ = {};
  std::string subcommand_ = {};  // the first words behind the program that are no options
  std::size_t operands_ = 0;     // so many there were
  bool has_options_ = false;     // an option stands behind the program
  std::optional<Awaited> awaited_ = {};
  bool is_program_next_ = true;  // none stands in front, or only ones that run another
  const ProgramRunner* runner_ = nullptr;
  bool is_value_next_ = false;  // of an option of the runner
  int depth_ = 0;               // lines in lines: `sh -c "ssh host 'mysql -p...'"`
};

}  // namespace plan
