#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/jmap.h"

namespace plan::rehearsal {

/// The answer of a /set with its empty maps left out.
struct SetAnswer {
  ir::Value created = ir::Value::map();
  ir::Value updated = ir::Value::map();
  ir::Value destroyed = ir::Value::list();
  ir::Value not_created = ir::Value::map();
  ir::Value not_updated = ir::Value::map();
  ir::Value not_destroyed = ir::Value::map();

  [[nodiscard]] bool has_failed() const {
    return not_created.size() + not_updated.size() + not_destroyed.size() > 0;
  }
  [[nodiscard]] MethodResult finish(const MailAccount& account, ChangeKind kind,
                                    const std::string& old_state);
};

/// The members that a /get asked for, and `id`; all of them without a list of properties.
[[nodiscard]] ir::Value only_properties(const ir::Value& object, const ir::Value& properties);

/// `ids` that are no list: `invalidArguments`; more than the session allows: `requestTooLarge`.
[[nodiscard]] std::optional<MethodResult> too_many_ids(const World& world, const ir::Value& ids);

/// More objects in one /set than the session allows: the error `requestTooLarge`.
[[nodiscard]] std::optional<MethodResult> too_many_objects(const World& world,
                                                           const ir::Value& arguments);

/// Reads an id, "#name" by what this request created. Nothing when it leads nowhere.
[[nodiscard]] std::optional<std::uint32_t> read_id(const JmapContext& context,
                                                   std::string_view text);

/// Writes one member of a JMAP patch (RFC 8620, 5.3) into `object`: "name", "name/full",
/// "addressBookIds/b"; null removes. False: the way does not lead through objects.
[[nodiscard]] bool write_pointer(ir::Value& object, std::string_view pointer,
                                 const ir::Value& given);

}  // namespace plan::rehearsal
