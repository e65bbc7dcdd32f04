#pragma once
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/net/host.h"

namespace plan::server::source {

/// One run at a time, seen from the source (design.md section 8). It never runs out by itself. One
/// thread.
///
/// Errors: source-lease-taken with the words of the one who holds it; source-lease-lost; those of
/// what it is kept in. A lost reply is resolved by calling again: acquire and release may be
/// repeated with the same token.
class Lease {
 public:
  Lease() = default;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  virtual ~Lease() = default;

  /// Makes `token` the holder. Succeeds when it is already.
  [[nodiscard]] virtual Outcome acquire(std::string_view token) = 0;
  /// Still ours? Changes nothing.
  [[nodiscard]] virtual Outcome renew(std::string_view token) = 0;
  /// Gives it back when it is `token`'s, does nothing when it is not.
  [[nodiscard]] virtual Outcome release(std::string_view token) = 0;
  /// Puts `token` in the place of whoever holds it.
  [[nodiscard]] virtual Outcome take_over(std::string_view token) = 0;

  struct Holder {
    std::string token = {};  ///< empty: nobody
    std::string words = {};
  };
  [[nodiscard]] virtual Result<Holder> look() = 0;
};

/// The lease as a file on the source's machine, whose creation is the compare-and-set. Its first
/// line is the token, its second says who, for people.
class SourceLease final : public Lease {
 public:
  /// `holder`: "alice@laptop". The host must outlive this.
  SourceLease(net::Host& host, std::string path, std::string holder, net::Clock& clock)
      : host_(host), path_(std::move(path)), holder_(std::move(holder)), clock_(clock) {}

  Outcome acquire(std::string_view token) override;
  Outcome renew(std::string_view token) override;
  Outcome release(std::string_view token) override;
  Outcome take_over(std::string_view token) override;
  Result<Holder> look() override;

 private:
  [[nodiscard]] std::string text_of(std::string_view token) const;

  net::Host& host_;
  std::string path_;
  std::string holder_;
  net::Clock& clock_;
};

}  // namespace plan::server::source
