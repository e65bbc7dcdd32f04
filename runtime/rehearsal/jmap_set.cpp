#include "runtime/rehearsal/jmap_set.h"

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"

namespace plan::rehearsal {

MethodResult SetAnswer::finish(const MailAccount& account, ChangeKind kind,
                               const std::string& old_state) {
  ir::Value out = ir::Value::map({{"accountId", encode_id(account.id)},
                                  {"oldState", old_state},
                                  {"newState", state_of(account, kind)}});
  if (created.size() > 0) out.set("created", std::move(created));
  if (updated.size() > 0) out.set("updated", std::move(updated));
  if (destroyed.size() > 0) out.set("destroyed", std::move(destroyed));
  if (not_created.size() > 0) out.set("notCreated", std::move(not_created));
  if (not_updated.size() > 0) out.set("notUpdated", std::move(not_updated));
  if (not_destroyed.size() > 0) out.set("notDestroyed", std::move(not_destroyed));
  return MethodResult::answer(std::move(out));
}

ir::Value only_properties(const ir::Value& object, const ir::Value& properties) {
  if (!properties.is_list()) return object;
  ir::Value out = ir::Value::map();
  for (const ir::Value& name : properties.items())
    if (const ir::Value* member = object.members().find(name.string_or("")))
      out.set(std::string(name.string_or("")), *member);
  out.set("id", object["id"]);
  return out;
}

namespace {

constexpr std::string_view kTooLarge =
    "The number of ids requested by the client exceeds the maximum number the server is willing to "
    "process in a single method call.";

}  // namespace

std::optional<MethodResult> too_many_objects(const World& world, const ir::Value& arguments) {
  const std::size_t count =
      arguments["create"].size() + arguments["update"].size() + arguments["destroy"].size();
  if (static_cast<std::int64_t>(count) <= limit_of(world, "x:Jmap", "setMaxObjects", 500))
    return std::nullopt;
  return MethodResult::error("requestTooLarge", kTooLarge);
}

std::optional<MethodResult> too_many_ids(const World& world, const ir::Value& ids) {
  if (!ids.is_null() && !ids.is_list())
    return MethodResult::error("invalidArguments", "invalid type: expected a sequence");
  if (static_cast<std::int64_t>(ids.size()) <= limit_of(world, "x:Jmap", "getMaxResults", 500))
    return std::nullopt;
  return MethodResult::error("requestTooLarge", kTooLarge);
}

std::optional<std::uint32_t> read_id(const JmapContext& context, std::string_view text) {
  std::optional<std::uint64_t> number;
  if (text.starts_with('#')) {
    const auto found = context.created_ids.find(text.substr(1));
    if (found != context.created_ids.end()) number = parse_id(found->second);
  } else {
    number = parse_id(text);
  }
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

bool write_pointer(ir::Value& object, std::string_view pointer, const ir::Value& given) {
  ir::Value* at = &object;
  const auto segments = split(pointer, '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    std::string name(segments[i]);
    for (std::size_t mark = 0; (mark = name.find('~', mark)) != std::string::npos; ++mark)
      if (mark + 1 < name.size() && (name[mark + 1] == '0' || name[mark + 1] == '1'))
        name.replace(mark, 2, name[mark + 1] == '1' ? "/" : "~");
    if (!at->is_map()) return false;
    if (i + 1 == segments.size()) {
      if (given.is_null())
        at->as_map().erase(name);
      else
        at->set(name, given);
      return true;
    }
    ir::Value* next = at->as_map().find(name);
    if (next == nullptr) {
      if (i > 0) return false;
      at->set(name, ir::Value::map());
      next = at->as_map().find(name);
    }
    at = next;
  }
  return false;
}

}  // namespace plan::rehearsal
