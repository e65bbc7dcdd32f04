#pragma once
#include <optional>
#include <string_view>

#include "compiler/check/graph_view.h"
#include "compiler/check/unproved_mail.h"
#include "compiler/ir/value.h"

namespace plan::check {

/// What a step of the kinds admin.upsert, admin.update and admin.destroy does to an object.
struct ObjectStep {
  ir::StepId step = {};
  ir::StepKind kind = {};
  std::string_view object = {};  ///< "Account", without `x:` and without a variant
  const ir::Value& match;
  const ir::Value& set;
};

/// Why the proof of the mail does not follow what a step does to one of the objects that it follows
/// in other steps: it cannot tell which one it is, or that one has another name afterwards, or its
/// key is a pattern. Nothing: it does follow it, or the step changes nothing about mail.
[[nodiscard]] std::optional<UnprovedMail> unfollowed(const GraphView& view, const ObjectStep& step);

/// Is this member of a `set` the path of a part ("recipients/a@x") of a property that the proof
/// reads as a whole?
[[nodiscard]] bool is_part_of_followed(std::string_view object, std::string_view member);

/// The property that a member of a `set` is, or is a part of: "recipients".
[[nodiscard]] std::string_view property_of(std::string_view member);

}  // namespace plan::check
