#include "runtime/server/stalwart/admin_tool.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/stalwart/errors.h"
#include "runtime/server/stalwart/wire_value.h"

namespace plan::server::stalwart {
namespace {

using ir::Value;

std::string bare(std::string_view type) {
  return std::string(type.starts_with("x:") ? type.substr(2) : type);
}

/// A method that the server does not know means a type that it does not know.
Error with_type(Error error, std::string_view type) {
  if (!error.is(net::jmap::errors::method_refused) ||
      error.message().find("unknownMethod") == std::string::npos)
    return error;
  return Error(errors::object_type_unknown,
               fmt::format("the target has no type `{}`", printable(type, 100)))
      .with_blame(Blame::target);
}

Value list_of(ir::List objects) { return Value(std::move(objects)); }

}  // namespace

Result<Value> AdminTool::get(std::string_view type, const std::vector<std::string>& ids) {
  const std::string name = bare(type);
  Registry& registry = target_->registry();
  if (!ids.empty()) {
    auto objects = registry.get(name, ids);
    if (!objects) return with_type(std::move(objects).error(), name);
    return list_of(std::move(*objects));
  }
  auto objects = registry.all(name);
  if (objects) return list_of(std::move(*objects));
  // A singleton has no /query at all.
  if (!objects.error().is(net::jmap::errors::method_refused)) return std::move(objects).error();
  auto single = registry.singleton(name);
  if (!single) return with_type(std::move(single).error(), name);
  ir::List list;
  if (!single->is_null()) list.push_back(std::move(*single));
  return list_of(std::move(list));
}

Result<Value> AdminTool::query(std::string_view type, const Value& filter) {
  const std::string name = bare(type);
  auto ids = target_->registry().ids(name, filter);
  if (!ids) return with_type(std::move(ids).error(), name);
  Value list = Value::list();
  for (const std::string& id : *ids) list.push_back(id);
  return Value::map({{"ids", std::move(list)}, {"total", static_cast<std::int64_t>(ids->size())}});
}

Result<Value> AdminTool::create(std::string_view type, const Value& object,
                                secret::SecretSource& secrets) {
  const std::string name = bare(type);
  PLAN_TRY(body, with_secrets(to_wire(object), secrets));
  auto id = target_->registry().create(name, body, fmt::format("an object of type {}", name), {});
  if (name == "Domain") target_->forget_domains();
  if (name == "MailingList") target_->forget_lists();
  if (!id) return with_type(std::move(id).error(), name);
  return Value::map({{"id", *id}});
}

Result<Value> AdminTool::update(std::string_view type, const std::string& id, const Value& set,
                                secret::SecretSource& secrets) {
  const std::string name = bare(type);
  const std::string what = fmt::format("{} `{}`", name, printable(id, 100));
  const Value wanted = to_wire(set);
  auto read = target_->registry().object(name, id);
  if (!read) return with_type(std::move(read).error(), name);
  if (read->is_null()) {
    return Error(net::jmap::errors::object_missing, fmt::format("{} is not on the target", what))
        .with_blame(Blame::target);
  }
  std::vector<ir::Difference> before;
  compare_members(wanted, *read, before);
  PLAN_TRY(patch, with_secrets(patch_for(wanted, *read), secrets));
  PLAN_TRY_VOID(target_->registry().update(name, id, patch, what, {}));
  if (name == "Domain") target_->forget_domains();
  Value changed = Value::list();
  for (const ir::Difference& difference : before) {
    changed.push_back(
        Value::map({{"path", difference.path}, {"is", difference.wanted}, {"was", difference.is}}));
  }
  return Value::map({{"id", id}, {"changed", std::move(changed)}});
}

Result<Value> AdminTool::destroy(std::string_view type, const std::vector<std::string>& ids,
                                 bool may_destroy_accounts) {
  const std::string name = bare(type);
  if (name == "Account" && !may_destroy_accounts) {
    return Error(errors::destroys_data, "destroying an account destroys its mail")
        .with_blame(Blame::plan);
  }
  Value gone = Value::list();
  for (const std::string& id : ids) {
    PLAN_TRY_VOID(
        target_->registry().destroy(name, id, fmt::format("{} `{}`", name, printable(id, 100))));
    gone.push_back(id);
  }
  if (name == "Domain") target_->forget_domains();
  if (name == "MailingList") target_->forget_lists();
  return Value::map({{"destroyed", std::move(gone)}});
}

}  // namespace plan::server::stalwart
