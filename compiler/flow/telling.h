#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "compiler/flow/copy.h"
#include "compiler/flow/model.h"
#include "compiler/schema/mta_container.h"

namespace plan::flow {

/// The words of a message's way, hop by hop. Where nobody reads them none are made: the ends alone
/// cost a fraction.
class Telling {
 public:
  Telling(const World& world, bool tells) : world_(world), tells_(tells) {}

  [[nodiscard]] bool tells() const { return tells_; }

  /// Where the plan says what decides: `World::origins` by kind and name.
  [[nodiscard]] Span origin(std::string_view kind, std::string_view name = {}) const {
    return tells_ ? find_origin(kind, name) : Span{};
  }
  /// The step that writes this member of a domain, else the one that makes the domain.
  [[nodiscard]] Span origin_of(std::string_view member, const std::string& domain) const;

  template <typename... Parts>
  [[nodiscard]] std::string say(fmt::format_string<Parts...> text, Parts&&... parts) const {
    return tells_ ? fmt::format(text, std::forward<Parts>(parts)...) : std::string();
  }
  /// A rule that always has the same words.
  [[nodiscard]] std::string rule(const char* text) const {
    return tells_ ? std::string(text) : std::string();
  }
  /// The condition of an expression that chose, by the expression's name.
  [[nodiscard]] std::string rule_of(const schema::MtaContainer& container, std::size_t arm,
                                    std::string_view name) const;

  void add(Copy& copy, Hop hop) const {
    if (tells_) copy.hops.push_back(std::move(hop));
  }

 private:
  [[nodiscard]] Span find_origin(std::string_view kind, std::string_view name) const;

  const World& world_;
  bool tells_ = true;
};

}  // namespace plan::flow
