#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace plan::check {

/// What the proof of the mail makes of a property of the target that a step writes.
enum class Bearing : std::uint8_t {
  followed,  ///< the proof, or a rule of its own, evaluates it
  said,      ///< it may change where mail ends, and nothing evaluates it
  none,      ///< it cannot change where mail ends
};

struct TargetProperty {
  std::string_view object = {};  ///< "MtaStageData", all its variants
  std::string_view name = {};    ///< "*": every one, and what destroys the object
  Bearing bearing = Bearing::none;
  /// Of one that is said: of no bearing where each of its results is one of these, or a number that
  /// is not less than `enough` (0: no number is).
  std::array<std::string_view, 2> without = {};
  double enough = 0;
  std::string_view why = {};  ///< of one without bearing
};

/// Every property that the proof follows or that is said, and of the types that decide how the
/// target takes mail in and sends it on (`decides_about_mail`) all of them.
[[nodiscard]] std::span<const TargetProperty> target_properties();

/// The row of a property, by the object's type without `x:` and a variant; null when it has none.
[[nodiscard]] const TargetProperty* target_property(std::string_view object,
                                                    std::string_view property);

/// Is this a type of which each property has to be looked at? One that has no row is of a later
/// server.
[[nodiscard]] bool decides_about_mail(std::string_view object);

}  // namespace plan::check
