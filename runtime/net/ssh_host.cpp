// Another machine as a Host, over libssh2 1.10 (the only file that includes it). Its gaps decide
// some of the shape here (reference/real-components.md section 6): no RSA signatures that current
// servers take, no posix-rename over SFTP, so files are written by a small script that ends in `mv
// -f`; and an exec whose reply is lost has run or not, nobody knows, so such errors carry effect
// `unknown`.
#include <fmt/format.h>
#include <libssh2.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/command_host.h"
#include "runtime/net/connect_once.h"
#include "runtime/net/errors.h"
#include "runtime/net/socket.h"

namespace plan::net {
namespace {

// Commands at a time: accounts that are held side by side must not wait for one another. Below what
// sshd lets in unauthenticated at once (MaxStartups 10).
constexpr std::size_t kSessionsMax = 6;
constexpr std::size_t kErrorsBytesMax = std::size_t{64} << 10U;
// Ed25519 first, so that the key shown does not depend on libssh2's default; no RSA, which
// libssh2 1.10 cannot check.
constexpr const char* kEd25519First =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521";
constexpr const char* kEcdsaOnly = "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521";

void start_libssh2_once() {
  static std::once_flag once;
  std::call_once(once, [] { libssh2_init(0); });
}

/// One connection with its libssh2 session, non-blocking inside, with deadlines outside.
class Session {
 public:
  explicit Session(OwnedDescriptor socket)
      : socket_(std::move(socket)), session_(libssh2_session_init()) {
    if (session_ != nullptr) libssh2_session_set_blocking(session_, 0);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    if (session_ == nullptr) return;
    libssh2_session_disconnect(session_, "done");  // best effort, does not wait
    // A channel that is still open would first be closed over the wire, and the session be kept as
    // long as that cannot be written: with the socket shut it is an error, and all is freed.
    shutdown(socket_.get(), SHUT_RDWR);
    for (int i = 0; i < 1000 && libssh2_session_free(session_) == LIBSSH2_ERROR_EAGAIN; ++i) {
    }
  }

  [[nodiscard]] LIBSSH2_SESSION* get() const { return session_; }

  /// Waits until libssh2 can go on. False when the deadline is over.
  [[nodiscard]] bool wait(Deadline deadline) const {
    const int directions = libssh2_session_block_directions(session_);
    short events = 0;
    if ((directions & LIBSSH2_SESSION_BLOCK_INBOUND) != 0) events |= POLLIN;
    if ((directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0) events |= POLLOUT;
    return wait_ready(socket_.get(), events == 0 ? POLLIN : events, deadline);
  }

  /// Repeats `call` while it asks for patience. 0 or more, a libssh2 error, or
  /// LIBSSH2_ERROR_TIMEOUT.
  template <class Call>
  [[nodiscard]] int repeat(Deadline deadline, Call call) const {
    while (true) {
      const int code = call();
      if (code != LIBSSH2_ERROR_EAGAIN) return code;
      if (!wait(deadline)) return LIBSSH2_ERROR_TIMEOUT;
    }
  }

  [[nodiscard]] std::string last_words() const {
    char* text = nullptr;
    int size = 0;
    libssh2_session_last_error(session_, &text, &size, 0);
    return text == nullptr ? std::string()
                           : printable(std::string_view(text, static_cast<std::size_t>(size)), 300);
  }

  /// Base64 without padding, as `ssh-keygen -lf` shows it.
  [[nodiscard]] std::string host_key() const {
    const char* hash = libssh2_hostkey_hash(session_, LIBSSH2_HOSTKEY_HASH_SHA256);
    if (hash == nullptr) return {};
    std::string coded(45, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(coded.data()),
                                     reinterpret_cast<const unsigned char*>(hash), 32);
    coded.resize(static_cast<std::size_t>(size));
    while (!coded.empty() && coded.back() == '=') coded.pop_back();
    return coded;
  }

 private:
  OwnedDescriptor socket_;
  LIBSSH2_SESSION* session_;
};

class Channel {
 public:
  Channel(const Session& session, LIBSSH2_CHANNEL* channel)
      : session_(session), channel_(channel) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    if (channel_ == nullptr) return;
    const Deadline deadline = Deadline::after(std::chrono::seconds(1));
    static_cast<void>(session_.repeat(deadline, [this] { return libssh2_channel_free(channel_); }));
  }
  [[nodiscard]] LIBSSH2_CHANNEL* get() const { return channel_; }

 private:
  const Session& session_;
  LIBSSH2_CHANNEL* channel_;
};

Error ssh_error(const Session& session, int code, std::string_view what) {
  const bool is_late = code == LIBSSH2_ERROR_TIMEOUT;
  return Error(is_late ? errors::timed_out : errors::ssh_failed,
               fmt::format("SSH: {} did not succeed", what))
      .with_retry(Retry::safe)
      .with_blame(Blame::network)
      .with_detail(is_late ? std::string("no answer in time") : session.last_words());
}

Result<std::unique_ptr<Session>> shake_hands(const std::string& host, std::uint16_t port,
                                             const char* key_types, Deadline deadline) {
  start_libssh2_once();
  PLAN_TRY(socket, connect_socket(host, port, deadline));
  const int descriptor = socket.get();
  auto session = std::make_unique<Session>(std::move(socket));
  if (session->get() == nullptr) return Error(errors::ssh_failed, "SSH: no session could be made");
  if (libssh2_session_method_pref(session->get(), LIBSSH2_METHOD_HOSTKEY, key_types) != 0) {
    return ssh_error(*session, 0, "choosing the host key type");
  }
  const int code = session->repeat(
      deadline, [&] { return libssh2_session_handshake(session->get(), descriptor); });
  if (code != 0)
    return ssh_error(*session, code, fmt::format("the handshake with {} port {}", host, port));
  return session;
}

/// A pin as `ssh-keygen -lf` shows it or as base64 with padding, in the spelling of host_key().
std::string bare_pin(std::string pin) {
  if (pin.starts_with("SHA256:")) pin.erase(0, 7);
  while (!pin.empty() && pin.back() == '=') pin.pop_back();
  return pin;
}

std::string shell_word(std::string_view argument) {
  std::string text = "'";
  for (const char byte : argument) {
    if (byte == '\'') {
      text += "'\\''";
    } else {
      text += byte;
    }
  }
  return text + "'";
}

class SshHost final : public CommandHost {
 public:
  explicit SshHost(SshOptions options) : options_(std::move(options)) {}

  /// A session that is logged in.
  Result<std::unique_ptr<Session>> open(Deadline deadline) {
    ConnectTurn turn(fmt::format("ssh {} {}", name(), options_.port));
    if (turn.refusal()) return Error(*turn.refusal());
    auto session = log_in(deadline);
    if (session)
      turn.answered();
    else
      turn.not_answered(session.error());
    return session;
  }
  /// For later commands.
  void keep(std::unique_ptr<Session> session) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(session));
  }

  Result<CommandResult> run(const std::vector<std::string>& arguments, Deadline deadline,
                            const CommandOptions& options) override {
    if (arguments.empty()) return Error(errors::command_failed, "no program was named");
    std::string command =
        options.directory.empty() ? std::string() : "cd " + shell_word(options.directory) + " && ";
    command += "LC_ALL=C exec";
    for (const std::string& argument : arguments) {
      if (argument.find('\0') != std::string::npos)
        return Error(errors::command_failed, "an argument holds NUL");
      command += " " + shell_word(argument);
    }
    PLAN_TRY(session, take_session(deadline));
    auto opened = open_channel(session, deadline);
    if (!opened) {
      give_back(nullptr);
      return std::move(opened).while_doing("on " + name()).error();
    }
    auto result = execute(*session, *opened, command, options, deadline);
    const bool is_sound = result || result.error().is(errors::answer_too_large);
    give_back(is_sound ? std::move(session) : nullptr);
    if (!result) {
      return std::move(result)
          .while_doing(fmt::format("running `{}` on {}", arguments.front(), name()))
          .error();
    }
    if (result->exit_code == 126 ||
        result->exit_code == 127) {  // the shell's word for a program it cannot start
      return Error(errors::command_failed,
                   fmt::format("cannot start `{}` on {}", arguments.front(), name()))
          .with_detail(result->errors);
    }
    return result;
  }

  std::string name() const override { return options_.user + "@" + options_.host; }

 private:
  Result<std::unique_ptr<Session>> log_in(Deadline deadline) {
    PLAN_TRY(session, shake_hands(options_.host, options_.port, kEd25519First, deadline));
    std::string shown = session->host_key();
    if (shown != pinned()) {
      // The pin may be of the server's other key.
      auto other = shake_hands(options_.host, options_.port, kEcdsaOnly, deadline);
      if (other && (*other)->host_key() == pinned()) {
        session = std::move(*other);
      } else {
        return Error(errors::host_key_changed,
                     fmt::format("{} shows another host key than the lock has", options_.host))
            .with_blame(Blame::network)
            .with_detail(fmt::format("pinned SHA256:{}, shown SHA256:{}", pinned(), shown));
      }
    }
    const int code = session->repeat(deadline, [&] {
      return libssh2_userauth_publickey_fromfile_ex(
          session->get(), options_.user.c_str(), static_cast<unsigned>(options_.user.size()),
          nullptr, options_.private_key_file.c_str(), nullptr);
    });
    if (code == LIBSSH2_ERROR_TIMEOUT || code == LIBSSH2_ERROR_SOCKET_DISCONNECT) {
      return ssh_error(*session, code, "the login");
    }
    if (code != 0) {
      return Error(errors::login_refused,
                   fmt::format("{} does not let {} in with the key {}", options_.host,
                               options_.user, options_.private_key_file))
          .with_detail(session->last_words());
    }
    return std::move(session);
  }

  [[nodiscard]] std::string pinned() const { return bare_pin(options_.host_key_sha256_base64); }

  /// An idle session, null for one that is still to be made, or the wait for one.
  Result<std::unique_ptr<Session>> take_session(Deadline deadline) {
    std::unique_lock lock(mutex_);
    const auto has_room = [this] { return busy_ < kSessionsMax; };
    if (deadline.left_ms() < 0) {
      turn_.wait(lock, has_room);
    } else if (!turn_.wait_until(lock, deadline.at(), has_room)) {
      return Error(errors::timed_out, fmt::format("{} is busy with other commands", name()))
          .with_retry(Retry::safe);
    }
    ++busy_;
    std::unique_ptr<Session> session;
    if (!idle_.empty()) {
      session = std::move(idle_.back());
      idle_.pop_back();
    }
    return session;
  }

  /// Null: it was lost.
  void give_back(std::unique_ptr<Session> session) {
    {
      const std::lock_guard lock(mutex_);
      --busy_;
      if (session != nullptr) idle_.push_back(std::move(session));
    }
    turn_.notify_one();
  }

  /// On the session that is there, or on a new one when that turns out dead: nothing was asked on
  /// it yet.
  Result<LIBSSH2_CHANNEL*> open_channel(std::unique_ptr<Session>& session, Deadline deadline) {
    for (bool is_new = session == nullptr;; is_new = true) {
      if (is_new) {
        PLAN_TRY(made, open(deadline));
        session = std::move(made);
      }
      LIBSSH2_CHANNEL* channel = nullptr;
      const int code = session->repeat(deadline, [&] {
        channel = libssh2_channel_open_session(session->get());
        return channel != nullptr ? 0 : libssh2_session_last_errno(session->get());
      });
      if (channel != nullptr) return channel;
      if (is_new || code == LIBSSH2_ERROR_TIMEOUT)
        return ssh_error(*session, code, "opening a channel");
      session.reset();
    }
  }

  static Result<CommandResult> execute(const Session& session, LIBSSH2_CHANNEL* opened,
                                       const std::string& command, const CommandOptions& options,
                                       Deadline deadline) {
    const Channel channel(session, opened);
    const auto lost = [&](int code, std::string_view what) {
      const bool is_late = code == LIBSSH2_ERROR_TIMEOUT;
      return Error(is_late ? errors::timed_out : errors::connection_lost,
                   fmt::format("SSH: {}", what))
          .with_effect(Effect::unknown)
          .with_blame(Blame::network)
          .with_detail(is_late ? std::string() : session.last_words());
    };
    int code = session.repeat(deadline, [&] {
      return libssh2_channel_process_startup(channel.get(), "exec", 4, command.c_str(),
                                             static_cast<unsigned>(command.size()));
    });
    if (code != 0) return lost(code, "the command was sent and not answered");
    CommandResult result;
    std::string_view input = options.input;
    bool is_input_ended = false;
    while (true) {
      bool has_moved = false;
      if (!input.empty()) {
        const ssize_t count = libssh2_channel_write(channel.get(), input.data(),
                                                    std::min<std::size_t>(input.size(), 32768));
        if (count > 0) {
          input.remove_prefix(static_cast<std::size_t>(count));
          has_moved = true;
        } else if (count < 0 && count != LIBSSH2_ERROR_EAGAIN) {
          // A program may end without reading its input; what it says and its exit code still
          // count.
          if (count != LIBSSH2_ERROR_CHANNEL_CLOSED && count != LIBSSH2_ERROR_CHANNEL_EOF_SENT) {
            return lost(static_cast<int>(count), "the connection ended while sending input");
          }
          input = {};
          is_input_ended = true;
        }
      } else if (!is_input_ended) {
        code = libssh2_channel_send_eof(channel.get());
        is_input_ended = code != LIBSSH2_ERROR_EAGAIN;
      }
      PLAN_TRY(has_output,
               take(session, channel, 0, result.output, options.output_bytes_max, true));
      PLAN_TRY(has_errors, take(session, channel, SSH_EXTENDED_DATA_STDERR, result.errors,
                                kErrorsBytesMax, false));
      if (has_moved || has_output || has_errors || is_anything_kept(channel)) continue;
      if (libssh2_channel_eof(channel.get()) != 0) break;
      if (!session.wait(deadline))
        return lost(LIBSSH2_ERROR_TIMEOUT, "the command did not end in time");
    }
    code = session.repeat(deadline, [&] { return libssh2_channel_close(channel.get()); });
    if (code == 0)
      code = session.repeat(deadline, [&] { return libssh2_channel_wait_closed(channel.get()); });
    if (code != 0) return lost(code, "the exit code was lost");
    result.exit_code = libssh2_channel_get_exit_status(channel.get());
    char* signal_name = nullptr;
    libssh2_channel_get_exit_signal(channel.get(), &signal_name, nullptr, nullptr, nullptr, nullptr,
                                    nullptr);
    if (signal_name != nullptr) {
      result.exit_code = 128 + 9;
      libssh2_free(session.get(), signal_name);
    }
    return result;
  }

  /// A look for one stream takes from the socket what has come for both: what came for the other
  /// one meanwhile is in libssh2 already, and the socket may never have anything again.
  static bool is_anything_kept(const Channel& channel) {
    unsigned long bytes = 0;
    libssh2_channel_window_read_ex(channel.get(), &bytes, nullptr);
    return bytes > 0;
  }

  /// Reads what is there of one stream; true when there was something.
  static Result<bool> take(const Session& session, const Channel& channel, int stream,
                           std::string& kept, std::size_t kept_max, bool is_bound_hard) {
    std::array<char, 32768> chunk;
    const ssize_t count =
        libssh2_channel_read_ex(channel.get(), stream, chunk.data(), chunk.size());
    if (count == LIBSSH2_ERROR_EAGAIN || count == 0) return false;
    if (count < 0) {
      return Error(errors::connection_lost, "SSH: the connection ended while the command ran")
          .with_effect(Effect::unknown)
          .with_blame(Blame::network)
          .with_detail(session.last_words());
    }
    const std::size_t size = static_cast<std::size_t>(count);
    const std::size_t room = kept_max - kept.size();
    kept.append(chunk.data(), std::min(room, size));
    if (size > room && is_bound_hard) {
      return Error(errors::answer_too_large,
                   fmt::format("the command wrote more than {} bytes", kept_max))
          .with_effect(Effect::unknown);
    }
    return true;
  }

  SshOptions options_;
  std::mutex mutex_;
  std::condition_variable turn_;
  std::vector<std::unique_ptr<Session>> idle_;
  std::size_t busy_ = 0;  // sessions in use, or being made
};

/// Who and where of a block of `hosts:`, `user@host:port`; without its key.
Result<SshOptions> address_of(const ir::Value& host_block) {
  SshOptions options;
  std::string where(host_block["ssh"].string_or({}));
  if (const std::size_t at = where.find('@'); at != std::string::npos) {
    options.user = where.substr(0, at);
    where.erase(0, at + 1);
  }
  const std::size_t colon = where.rfind(':');
  if (colon != std::string::npos && where.find(':') == colon) {  // more colons: an IPv6 address
    const auto read =
        std::from_chars(where.data() + colon + 1, where.data() + where.size(), options.port);
    if (read.ec != std::errc() || read.ptr != where.data() + where.size()) {
      return Error(errors::ssh_failed,
                   fmt::format("`{}` has no port number behind the colon", printable(where)))
          .with_argument("ssh");
    }
    where.erase(colon);
  }
  options.host = where;
  return options;
}

/// A key that is not there looks like one that the server refuses, and one that others can read is
/// nobody's secret.
Outcome check_key_file(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) {
    return Error(errors::file_unreadable, fmt::format("{}: {}", file, errno_text(errno)))
        .with_blame(Blame::plan)
        .with_argument("key");
  }
  if ((status.st_mode & 077U) != 0) {
    return Error(errors::ssh_failed, fmt::format("the key {} can be read by others (mode {:o}); "
                                                 "make it `chmod 600`",
                                                 file, status.st_mode & 0777U))
        .with_blame(Blame::plan)
        .with_argument("key");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Host>> ssh_host(const SshOptions& options, Deadline deadline) {
  if (options.host_key_sha256_base64.empty()) {
    return Error(errors::ssh_failed,
                 fmt::format("no host key of {} is pinned: run plan fetch", options.host))
        .with_blame(Blame::plan);
  }
  auto host = std::make_unique<SshHost>(options);
  PLAN_TRY(session, host->open(deadline));
  host->keep(std::move(session));
  return std::unique_ptr<Host>(std::move(host));
}

Result<std::string> ssh_host_key_sha256(const std::string& host, std::uint16_t port,
                                        Deadline deadline) {
  PLAN_TRY(session, shake_hands(host, port, kEd25519First, deadline));
  std::string key = session->host_key();
  if (key.empty()) return Error(errors::ssh_failed, fmt::format("{} shows no host key", host));
  return key;
}

Result<std::string> shown_host_key(const ir::Value& host_block, Deadline deadline) {
  if (host_block["ssh"].is_null()) return std::string();
  PLAN_TRY(options, address_of(host_block));
  PLAN_TRY(first, ssh_host_key_sha256(options.host, options.port, deadline));
  const std::string pinned = bare_pin(std::string(host_block["host_key"].string_or({})));
  if (pinned.empty() || first == pinned) return first;
  const auto other = shake_hands(options.host, options.port, kEcdsaOnly, deadline);
  return other && (*other)->host_key() == pinned ? pinned : first;
}

struct HostPool::State {
  std::filesystem::path plan_directory = {};
  std::mutex mutex = {};
  std::unique_ptr<Host> local = local_host();
  std::map<std::string, std::unique_ptr<Host>> by_block = {};
};

HostPool::HostPool(std::string plan_directory) : state_(std::make_unique<State>()) {
  state_->plan_directory = std::move(plan_directory);
}
HostPool::~HostPool() = default;

Result<Host*> HostPool::open(const ir::Value& host_block, Deadline deadline) {
  if (host_block["ssh"].is_null()) return state_->local.get();
  const std::string key = ir::canonical_json(host_block);
  const std::lock_guard lock(state_->mutex);
  if (const auto found = state_->by_block.find(key); found != state_->by_block.end())
    return found->second.get();
  PLAN_TRY(options, address_of(host_block));
  const ir::Value& private_key = host_block["key"];
  if (private_key.is_secret() && private_key.as_secret().provider == "file") {
    options.private_key_file = (state_->plan_directory / private_key.as_secret().name).string();
  } else if (private_key.is_string()) {
    options.private_key_file = (state_->plan_directory / private_key.as_string()).string();
  } else {
    return Error(errors::ssh_failed, "a key file is needed: `key: !secret file:PATH`")
        .with_argument("key");
  }
  PLAN_TRY_VOID(check_key_file(options.private_key_file));
  options.host_key_sha256_base64 = host_block["host_key"].string_or({});
  PLAN_TRY(host, ssh_host(options, deadline));
  return state_->by_block.emplace(key, std::move(host)).first->second.get();
}

}  // namespace plan::net
