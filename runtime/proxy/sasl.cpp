#include "runtime/proxy/sasl.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/proxy/limits.h"

namespace plan::proxy {
namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace

bool Credential::is_usable() const {
  const std::string& text = password.reveal_for("measuring it");
  return !login.empty() && !text.empty() && login.size() <= kNameBytesMax &&
         authorize_as.size() <= kNameBytesMax && text.size() <= kCredentialBytesMax &&
         !has_control(login) && !has_control(authorize_as) &&
         // A line end in a password would be a second command of POP3's PASS.
         text.find_first_of(std::string_view("\0\r\n", 3)) == std::string::npos;
}

std::string Credential::plain_base64() const {
  std::string message = authorize_as;
  message += '\0';
  message += login;
  message += '\0';
  message += password.reveal_for("passing the client's login on");
  std::string encoded = ir::to_base64(message);
  OPENSSL_cleanse(message.data(), message.size());
  return encoded;
}

std::optional<SaslServer::Mechanism> SaslServer::mechanism_by_name(std::string_view name) {
  if (equals_ignoring_case(name, "PLAIN")) return Mechanism::plain;
  if (equals_ignoring_case(name, "LOGIN")) return Mechanism::login;
  return std::nullopt;
}

SaslServer::Progress SaslServer::start(Mechanism mechanism,
                                       std::optional<std::string_view> initial) {
  credential_ = Credential();
  wanted_ = mechanism == Mechanism::plain ? Wanted::plain : Wanted::login_name;
  if (!initial) return Progress::challenge;
  return answer(*initial == "=" ? std::string_view() : *initial);
}

SaslServer::Progress SaslServer::answer(std::string_view base64) {
  if (base64 == "*") return Progress::cancelled;
  if (base64.size() > 4 * kCredentialBytesMax) return Progress::malformed;
  bool is_valid = false;
  std::string text = ir::from_base64(base64, &is_valid);
  const Progress progress = is_valid ? message(text) : Progress::malformed;
  OPENSSL_cleanse(text.data(), text.size());
  return progress;
}

SaslServer::Progress SaslServer::message(const std::string& text) {
  switch (wanted_) {
    case Wanted::plain: {
      const std::size_t first = text.find('\0');
      if (first == std::string::npos) return Progress::malformed;
      const std::size_t second = text.find('\0', first + 1);
      if (second == std::string::npos || text.find('\0', second + 1) != std::string::npos)
        return Progress::malformed;
      credential_.authorize_as = text.substr(0, first);
      credential_.login = text.substr(first + 1, second - first - 1);
      credential_.password = secret::Secret(text.substr(second + 1));
      // The same name twice is no impersonation, and not every server takes an authorization name.
      if (credential_.authorize_as == credential_.login) credential_.authorize_as.clear();
      return credential_.is_usable() ? Progress::ready : Progress::malformed;
    }
    case Wanted::login_name:
      credential_.login = text;
      wanted_ = Wanted::login_password;
      return text.empty() ? Progress::malformed : Progress::challenge;
    case Wanted::login_password:
      credential_.password = secret::Secret(text);
      return credential_.is_usable() ? Progress::ready : Progress::malformed;
  }
  return Progress::malformed;
}

std::string SaslServer::challenge_base64() const {
  switch (wanted_) {
    case Wanted::plain:
      return "";
    case Wanted::login_name:
      return "VXNlcm5hbWU6";
    case Wanted::login_password:
      return "UGFzc3dvcmQ6";
  }
  return "";
}

}  // namespace plan::proxy
