#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/schema_facts.h"

namespace plan::rehearsal {

// The parts of the `x:` methods. All expect the lock to be held.

[[nodiscard]] MethodResult registry_get(JmapContext& context, const ObjectType& type,
                                        const std::string& account, const ir::Value& arguments);
[[nodiscard]] MethodResult registry_query(JmapContext& context, const ObjectType& type,
                                          const std::string& account, const ir::Value& arguments);
[[nodiscard]] MethodResult registry_set(JmapContext& context, const ObjectType& type,
                                        const std::string& account, const ir::Value& arguments);
/// x:QueuedMessage, whose objects are the queue.
[[nodiscard]] MethodResult queue_method(JmapContext& context, std::string_view verb,
                                        const std::string& account, const ir::Value& arguments);
/// x:Action/set.
[[nodiscard]] MethodResult action_set(JmapContext& context, const std::string& account,
                                      const ir::Value& arguments);
/// x:AppPassword and x:ApiKey: objects of one account, the secret is shown once.
[[nodiscard]] MethodResult secondary_method(JmapContext& context, const ObjectType& type,
                                            std::string_view verb, std::uint64_t account,
                                            const ir::Value& arguments);

/// x:Bootstrap: the form of the first start, which answers in bootstrap mode only. There nothing
/// else does: `bootstrap_refusal` is the error for any other `x:` method then.
[[nodiscard]] MethodResult bootstrap_method(JmapContext& context, const ObjectType& type,
                                            std::string_view verb, const std::string& account,
                                            const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> bootstrap_refusal(const World& world,
                                                            const ObjectType& type,
                                                            std::string_view verb);

/// What a type's own rules say after the patch: passwords, certificates, scripts. `before` is null
/// for a create.
[[nodiscard]] std::optional<ir::Value> apply_type_rules(JmapContext& context,
                                                        const ObjectType& type,
                                                        const ir::Value* before, ir::Value& object);

/// Why a stored certificate cannot be loaded: no key, or one that does not fit. Nothing: it can.
[[nodiscard]] std::optional<std::string> certificate_complaint(const ir::Value& object);

/// ReloadSettings: all or nothing. The SetError, or nothing when it is done. `is_checked` false: a
/// start, which nothing refuses.
[[nodiscard]] std::optional<ir::Value> reload_settings(World& world, bool is_checked = true);
void reload_lookups(World& world);
void reload_blocked(World& world);

/// What the first normal start makes (reference 4.3).
void seed_defaults(World& world);

/// Value of a reference "#name" by the ids created in this request, or the text as it is; nothing:
/// unresolved.
[[nodiscard]] std::optional<std::string> resolve_creation(const JmapContext& context,
                                                          std::string_view text);

}  // namespace plan::rehearsal
