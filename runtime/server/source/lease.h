#pragma once
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/net/host.h"

namespace plan::server::source {

/// One run at a time, seen from the source: a file there whose creation is the compare-and-set
/// (design.md section 8). Its first line is the token, its second says who, for people. It never
/// runs out by itself. One thread.
///
/// Errors: source-lease-taken with the words of the one who holds it; source-lease-lost; those of
/// Host. A lost reply is resolved by calling again: acquire and release may be repeated with the
/// same token.
class SourceLease {
 public:
  /// `holder`: "alice@laptop". The host must outlive this.
  SourceLease(net::Host& host, std::string path, std::string holder, net::Clock& clock)
      : host_(host), path_(std::move(path)), holder_(std::move(holder)), clock_(clock) {}

  /// Makes `token` the holder. Succeeds when it is already.
  [[nodiscard]] Outcome acquire(std::string_view token);
  /// Still ours? Changes nothing.
  [[nodiscard]] Outcome renew(std::string_view token);
  /// Gives it back when it is `token`'s, does nothing when it is not.
  [[nodiscard]] Outcome release(std::string_view token);
  /// Puts `token` in the place of whoever holds it.
  [[nodiscard]] Outcome take_over(std::string_view token);
  [[nodiscard]] std::string name() const { return "source"; }

  struct Holder {
    std::string token = {};  ///< empty: nobody
    std::string words = {};
  };
  [[nodiscard]] Result<Holder> look();

 private:
  [[nodiscard]] std::string text_of(std::string_view token) const;

  net::Host& host_;
  std::string path_;
  std::string holder_;
  net::Clock& clock_;
};

}  // namespace plan::server::source
