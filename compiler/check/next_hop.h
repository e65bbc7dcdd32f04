#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plan::check {

/// The right side of Postfix's transport map: `smtp:[203.0.113.20]:25`.
struct NextHop {
  std::string_view transport = {};  ///< "smtp"
  std::string_view host = {};       ///< without brackets; empty: none, or its `[` is not closed
  std::string_view behind = {};     ///< what stands behind the host: ":25"
  bool is_bracketed = false;        ///< Postfix asks for no MX of it
  std::int64_t port = 0;            ///< 0: not given, or none that can be read
};

/// Reads what can be read; `flaw_of` says whether that is all.
[[nodiscard]] NextHop next_hop_of(std::string_view text);

/// What becomes of mail that Postfix hands to a transport.
enum class TransportKind : std::uint8_t {
  sends,     ///< to the machine that the next hop names
  keeps,     ///< it waits in the source's own queue, or is lost
  delivers,  ///< into a mailbox or a program of the source itself
  unknown,   ///< a stock master.cf has no such service
};
[[nodiscard]] TransportKind kind_of_transport(const NextHop& hop);
/// The transport of stock master.cf that has this name in another case; empty: none.
[[nodiscard]] std::string_view transport_in_other_case(std::string_view transport);

/// Why Postfix could not send there, as the end of a sentence ("`99999` is no port").
struct HopFlaw {
  std::string why = {};
  bool is_sure = true;  ///< false: the source may know a word that is not known here
};
[[nodiscard]] std::optional<HopFlaw> flaw_of(const NextHop& hop);

}  // namespace plan::check
