#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/secret/secret.h"

namespace plan::proxy {

/// What a client logs in with. Never printed, never stored; wiped with its owner.
struct Credential {
  std::string login = {};         ///< authentication name, byte for byte
  std::string authorize_as = {};  ///< SASL authorization name; empty in all but master logins
  secret::Secret password = {};

  /// The name that decides the way: whose mailbox it is, not who vouches for it.
  [[nodiscard]] const std::string& routed_name() const {
    return authorize_as.empty() ? login : authorize_as;
  }
  /// Within bounds and free of NUL, CR, LF and other control characters in the names.
  [[nodiscard]] bool is_usable() const;
  /// RFC 4616 message in base64.
  [[nodiscard]] std::string plain_base64() const;
};

/// The server's side of SASL PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), pure.
class SaslServer {
 public:
  enum class Mechanism : std::uint8_t { plain = 0, login = 1 };
  enum class Progress : std::uint8_t {
    challenge = 0,  ///< send challenge_base64(), then call answer()
    ready = 1,      ///< take() has the credential
    malformed = 2,
    cancelled = 3,  ///< the client sent `*`
  };

  [[nodiscard]] static std::optional<Mechanism> mechanism_by_name(std::string_view name);
  /// `initial` is the client's initial response in base64 (`=` is an empty one), absent when there
  /// was none.
  [[nodiscard]] Progress start(Mechanism mechanism, std::optional<std::string_view> initial);
  [[nodiscard]] Progress answer(std::string_view base64);
  /// Empty for PLAIN.
  [[nodiscard]] std::string challenge_base64() const;
  [[nodiscard]] Credential take() { return std::move(credential_); }

 private:
  enum class Wanted : std::uint8_t { plain = 0, login_name = 1, login_password = 2 };
  [[nodiscard]] Progress message(const std::string& text);

  Wanted wanted_ = Wanted::plain;
  Credential credential_;
};

}  // namespace plan::proxy
