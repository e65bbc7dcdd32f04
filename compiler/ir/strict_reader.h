#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"

namespace plan::ir {

/// Where a value stands in a document: a member or an item of what is around it. Made a text only
/// for a refusal; the place around it has to outlive it.
class Place {
 public:
  explicit Place(std::string_view name) : name_(name) {}

  [[nodiscard]] Place member(std::string_view name) const { return {this, name, std::nullopt}; }
  [[nodiscard]] Place item(std::size_t at) const { return {this, {}, at}; }
  [[nodiscard]] std::string text() const;  ///< "graph.waves[1].parallel"

 private:
  Place(const Place* around, std::string_view name, std::optional<std::size_t> at)
      : around_(around), name_(name), at_(at) {}

  const Place* around_ = nullptr;
  std::string_view name_;
  std::optional<std::size_t> at_ = {};
};

/// Reads values that have to be as our own writer makes them. What is something else, is missing,
/// or stands there besides is refused and never read as absent: a bound that is not read would be
/// no bound. The first refusal is kept; what is given back behind it means nothing.
class StrictReader {
 public:
  using Names = std::initializer_list<std::string_view>;

  /// An object with all members of `required`, perhaps some of `optional`, and no others.
  void object(const Value& value, Names required, Names optional, const Place& place);
  void object_or_null(const Value& value, const Place& place);
  /// The items of a list of `least` to `most` ones (`least` above 1: a tuple); nothing after a
  /// refusal.
  const List& list(const Value& value, std::size_t least, std::size_t most, const Place& place);
  const List& list(const Value& value, const Place& place);
  [[nodiscard]] std::string text(const Value& value, const Place& place);
  [[nodiscard]] bool flag(const Value& value, const Place& place);
  /// An integer from `least` to `most`.
  [[nodiscard]] std::uint64_t count(const Value& value, std::uint64_t least, std::uint64_t most,
                                    const Place& place);
  /// An integer from 0, or null: it was not measured.
  [[nodiscard]] std::optional<std::uint64_t> measured(const Value& value, const Place& place);

  /// `wanted` ends "and has to be ".
  void refuse(const Place& place, const Value& value, std::string_view wanted);

  [[nodiscard]] bool is_refused() const { return refusal_.has_value(); }
  /// In words, with the place; nothing so far.
  [[nodiscard]] const std::optional<std::string>& refusal() const { return refusal_; }

 private:
  void refuse(std::string words);

  std::optional<std::string> refusal_ = {};
};

}  // namespace plan::ir
