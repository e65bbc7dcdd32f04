#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace plan {

// What single programs take for a secret: options whose names do not say so (`mysql -pSECRET`) and
// words without an option (`doveadm auth test NAME SECRET`). A table, read by CommandWords.

/// Which part of an option's value is the secret.
enum class SecretPart : std::uint8_t {
  all,
  behind_colon,
  behind_last_colon,
  behind_comma,
  behind_percent,
  behind_pass,     ///< `pass:SECRET`
  behind_header,   ///< `Authorization: Bearer SECRET`
  login_or_token,  ///< `NAME:SECRET`, or a token by itself
  behind_file      ///< `FILE:SECRET`; neither `C:/cert.pem` nor `pkcs11:...`
};

/// Where an option's value stands.
enum class ValuePlace : std::uint8_t {
  same_word,  ///< `-pSECRET`
  next_word,  ///< `-p SECRET`
  either
};

struct ProgramOption {
  std::string_view program;     ///< a `*` at its end: what begins so
  std::string_view subcommand;  ///< the first words behind the program; empty: any
  std::string_view option;
  SecretPart part = SecretPart::all;
  ValuePlace place = ValuePlace::either;
};

/// The word number `at`, counted from 0, behind a program and its subcommand is a secret, when no
/// option stands in front of it: the value of one would be counted too.
struct ProgramWord {
  std::string_view program;
  std::string_view subcommand;
  std::size_t at = 0;
};

/// A program that runs another one: the first word behind it that is no option, no option's value,
/// no number and no `NAME=VALUE`.
struct ProgramRunner {
  std::string_view program;
  std::string_view letters_with_value;  ///< the options of one letter whose value is the next word
};

[[nodiscard]] std::span<const ProgramOption> program_options();
[[nodiscard]] std::span<const ProgramWord> program_words();

/// Is `name` that of a program with options of its own? One that stands in a command behind another
/// (`sudo mysql`, `sshpass -p SECRET ssh -p 22`) takes those that follow.
[[nodiscard]] bool is_known_program(std::string_view name);
/// `http`, `net`: such words are more often something else where no program can stand.
[[nodiscard]] bool is_also_a_word(std::string_view name);
/// What is known of the program `name` that runs others; null: it does not.
[[nodiscard]] const ProgramRunner* program_runner(std::string_view name);
/// Is `name` the program that an entry of a table means?
[[nodiscard]] bool is_program(std::string_view name, std::string_view entry);
/// Programs whose user option holds a login and nothing else, as curl's `-u`.
[[nodiscard]] bool is_web_client(std::string_view program);
/// Programs whose words may be headers, `NAME:VALUE`.
[[nodiscard]] bool takes_header_words(std::string_view program);
/// Programs whose `-u` is a user and a group.
[[nodiscard]] bool takes_group(std::string_view program);
/// Programs that run what a word of theirs says in SQL.
[[nodiscard]] bool takes_sql(std::string_view program);

}  // namespace plan
