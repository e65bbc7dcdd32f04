#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace plan::proxy {

/// Bytes that came and were not used yet.
class InputBuffer {
 public:
  enum class Got { line, more, too_long };

  void append(std::string_view bytes) { data_.append(bytes); }
  /// Next line without CRLF (a bare LF ends a line too).
  [[nodiscard]] Got take_line(std::size_t bytes_max, std::string& line);
  /// Exactly `size` bytes, or nothing yet.
  [[nodiscard]] bool take_bytes(std::size_t size, std::string& bytes);
  [[nodiscard]] std::size_t size() const { return data_.size() - begin_; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Everything that is left; the buffer is empty afterwards.
  [[nodiscard]] std::string take_all();

 private:
  void drop(std::size_t count);

  std::string data_;
  std::size_t begin_ = 0;
  std::size_t searched_ =
      0;  ///< no line end before this offset: a slow sender must not cost quadratic time
};

/// One command of IMAP or ManageSieve: text with its literals taken out.
struct CommandPart {
  std::string text = {};
  bool is_literal = false;
};

/// Collects one command with its literals (`{n}`, `{n+}`, `~{n}`) out of an InputBuffer.
class CommandCollector {
 public:
  enum class Got {
    command,            ///< take() has it
    more,               ///< more bytes are needed
    continuation,       ///< a synchronising literal was announced: answer, then go on
    literal_too_large,  ///< of a synchronising one, which the client does not send: answer no, the
                        ///< command is over
    fatal,  ///< a line or literal over its bound: the stream cannot be followed any more
  };
  /// `is_sync_known`: `{n}` waits for a continuation (IMAP). Otherwise every literal comes at once
  /// (ManageSieve).
  explicit CommandCollector(bool is_sync_known) : is_sync_known_(is_sync_known) {}

  [[nodiscard]] Got collect(InputBuffer& input);
  [[nodiscard]] std::vector<CommandPart> take();

 private:
  std::vector<CommandPart> parts_;
  std::size_t bytes_ = 0;
  std::size_t literal_left_ = 0;
  bool is_in_literal_ = false;
  bool is_sync_known_;
};

/// One argument of a command.
struct CommandToken {
  enum class Kind { atom, string };  ///< string: quoted or literal
  Kind kind = Kind::atom;
  std::string text = {};
};

/// Splits a command at blanks; a quoted string with its escapes undone. False when a quote is not
/// closed or when something follows a string without a blank.
[[nodiscard]] bool split_command(const std::vector<CommandPart>& parts,
                                 std::vector<CommandToken>& tokens);

}  // namespace plan::proxy
