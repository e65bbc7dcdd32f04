#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/flow/model.h"

namespace plan::flow {

/// Whose mailbox a message belongs to, and where it is read.
struct Reader {
  enum class Side : std::uint8_t { source, target, outside };
  std::string address = {};
  Side side = Side::source;
  std::string_view whose = {};  ///< "account", "group", ...

  [[nodiscard]] bool is_reached(const Delivery& delivery) const;
};
[[nodiscard]] Reader reads_at(std::string address, bool is_target, std::string_view whose);

/// What is wrong with where a message went.
struct Failure {
  std::string_view what = {};  ///< "premature", "stale", "loop", "lost", "twice", "waits", ...
  Delivery delivery = {};      ///< the copy that goes wrong
  std::string claim = {};
  bool is_supposed = false;  ///< it hangs on what nobody has measured
};
using Judged = std::optional<Failure>;

/// How strict the judgement is.
struct Expected {
  std::string_view account = {};  ///< whose states are looked at
  bool is_settled = false;  ///< its steps are all done: nothing lets go what still waits for it
  bool is_alone = true;     ///< nobody else is behind the address: a refusal is a loss
  /// How many copies the source gave each reader before the migration, where that is not one: whom
  /// a list reaches in two ways may get as many.
  std::map<std::string, std::size_t, std::less<>> copies_before = {};
};

/// Exactly once to each reader, where he reads; waiting is fine as long as something is to come.
[[nodiscard]] Judged judge_letter(const Letter& letter, const std::vector<Delivery>& deliveries,
                                  std::span<const Reader> readers, const Expected& expected);
/// For an address that nobody has: anything but going round.
[[nodiscard]] Judged judge_unknown(const std::vector<Delivery>& deliveries);
/// For another domain: a stranger is refused, everybody else's mail goes out.
[[nodiscard]] Judged judge_foreign(Entry entry, const std::vector<Delivery>& deliveries);
/// For another domain of which no fact tells where it lives: by `relay_domains` or `mydestination`,
/// which nobody measures, the source may take what it is supposed to refuse.
[[nodiscard]] Judged judge_unmeasured_domain(Entry entry, const std::vector<Delivery>& deliveries);
/// For a domain that only the target has.
[[nodiscard]] Judged judge_domain_of_target(const std::vector<Delivery>& deliveries);

/// For a domain that the source keeps: it may come there as well.
[[nodiscard]] Judged judge_domain_of_source(Entry entry, const std::vector<Delivery>& deliveries);

/// What to do about a kind of failure.
[[nodiscard]] std::string_view remedy_for(std::string_view what);

}  // namespace plan::flow
