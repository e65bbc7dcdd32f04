// Prevents: an object of one tenant that refers to an object of another, or of none. The target
// refuses it, while the migration runs (reference/stalwart-admin.md 3.7: nothing global can be
// borrowed; a global object may refer to one of a tenant).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_objects.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// Types that belong to a tenant or to nobody.
bool has_tenant(std::string_view type) {
  constexpr std::array<std::string_view, 9> kTypes = {"Account",       "AcmeProvider", "Directory",
                                                      "DkimSignature", "DnsServer",    "Domain",
                                                      "MailingList",   "OAuthClient",  "Role"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

/// A tenant by the step that makes it or by its id; empty: the object is nobody's.
using Tenant = std::string;

class Tenants {
 public:
  explicit Tenants(const GraphView& view) : view_(view), objects_(view) {}

  [[nodiscard]] const WrittenObjects& objects() const { return objects_; }

  /// Nothing when the steps and the lock do not say.
  [[nodiscard]] std::optional<Tenant> of(const WrittenObject& object) const {
    const ir::Value& tenant = object.member("memberTenantId");
    if (tenant.is_output()) {
      const WrittenObject* made = objects_.by_step(tenant.as_output().step);
      return made == nullptr ? tenant.as_output().step : "tenant " + made->name();
    }
    if (tenant.is_string()) return by_id(tenant.as_string());
    const bool is_domain = object.type == "Domain";
    if (is_domain || object.type == "Role") {
      const std::string name(object.match[is_domain ? "name" : "description"].string_or(""));
      for (const ir::Value& known :
           setting(view_.migration(),
                   is_domain ? "target.Domain.memberTenantId" : "target.Role.roleIds")
               .items()) {
        if (known[is_domain ? "name" : "description"].string_or("") == name &&
            !known["tenant"].string_or("").empty())
          return by_id(known["tenant"].as_string());
      }
    }
    if (!object.is_made) return std::nullopt;
    return Tenant();
  }

  [[nodiscard]] std::optional<Tenant> of(const Reference& reference) const {
    if (!reference.step.empty()) {
      const WrittenObject* object = objects_.by_step(reference.step);
      return object == nullptr ? std::nullopt : of(*object);
    }
    if (reference.type != "Role") return std::nullopt;
    for (const ir::Value& role : setting(view_.migration(), "target.Role.roleIds").items()) {
      if (role["id"].string_or("") != reference.id) continue;
      const std::string_view tenant = role["tenant"].string_or("");
      return tenant.empty() ? Tenant() : by_id(tenant);
    }
    return std::nullopt;
  }

 private:
  /// The tenant of an id is that of the step which finds it by its name.
  [[nodiscard]] Tenant by_id(std::string_view id) const {
    for (const ir::Value& tenant : setting(view_.migration(), "target.Tenant.name").items()) {
      if (tenant["id"].string_or("") == id)
        return fmt::format("tenant {}", tenant["name"].string_or(""));
    }
    return fmt::format("tenant {}", id);
  }

  const GraphView& view_;
  WrittenObjects objects_;
};

}  // namespace

void tenant_mismatch(const GraphView& view, Sink& sink) {
  const bool has_any =
      std::any_of(view.writes().begin(), view.writes().end(), [](const TargetWrite& write) {
        return !write.set["memberTenantId"].is_null() ||
               (write.match.is_map() && !write.match["memberTenantId"].is_null());
      });
  const bool is_known = setting(view.migration(), "target.Domain.memberTenantId").size() > 0;
  if (!has_any && !is_known) return;
  const Tenants tenants(view);
  for (const WrittenObject& object : tenants.objects().all()) {
    if (!has_tenant(object.type)) continue;
    const auto tenant = tenants.of(object);
    if (!tenant || tenant->empty()) continue;
    for (const TargetWrite* write : object.writes) {
      for (const Reference& reference : references_of(*write)) {
        if (!has_tenant(reference.type)) continue;
        const auto other = tenants.of(reference);
        if (!other || *other == *tenant) continue;
        report_write(
            view, *write, Kind::tenant_mismatch,
            fmt::format("gives {} `{}` of {} a {} of {} (`{}`)", object.type,
                        printable(object.name(), 80), printable(*tenant, 80), reference.type,
                        other->empty() ? "no tenant" : printable(*other, 80), reference.member),
            sink)
            .label("the target refuses it: an object of a tenant refers to its tenant's only")
            .help(fmt::format("give both the same `memberTenantId`, or make a {} for the tenant",
                              reference.type));
        break;
      }
    }
  }
}

}  // namespace plan::check::rules
