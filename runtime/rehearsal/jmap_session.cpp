// The session object (RFC 8620, 2; reference/stalwart-admin.md 3.2).
#include <array>

#include "runtime/rehearsal/http_front.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/push_key.h"
#include "runtime/rehearsal/schema_facts.h"

namespace plan::rehearsal {
namespace {

ir::Value core_capability(const World& world) {
  const auto limit = [&world](std::string_view name, std::int64_t fallback) {
    return limit_of(world, "x:Jmap", name, fallback);
  };
  return ir::Value::map(
      {{"maxSizeUpload", limit("maxUploadSize", 50'000'000)},
       {"maxConcurrentUpload", limit("maxConcurrentUploads", 4)},
       {"maxSizeRequest", limit("maxRequestSize", 10'000'000)},
       {"maxConcurrentRequests", limit("maxConcurrentRequests", 4)},
       {"maxCallsInRequest", limit("maxMethodCalls", 16)},
       {"maxObjectsInGet", limit("getMaxResults", 500)},
       {"maxObjectsInSet", limit("setMaxObjects", 500)},
       {"collationAlgorithms",
        ir::Value::list({"i;ascii-numeric", "i;ascii-casemap", "i;unicode-casemap"})}});
}

std::string urn(std::string_view name) { return "urn:ietf:params:jmap:" + std::string(name); }

ir::Value mail_capability(const World& world) {
  const auto limit = [&world](std::string_view name, std::int64_t fallback) {
    return limit_of(world, "x:Email", name, fallback);
  };
  return ir::Value::map(
      {{"maxMailboxesPerEmail", {}},
       {"maxMailboxDepth", limit("maxMailboxDepth", 10)},
       {"maxSizeMailboxName", limit("maxMailboxNameLength", 255)},
       {"maxSizeAttachmentsPerEmail", limit("maxAttachmentSize", 50'000'000)},
       {"emailQuerySortOptions",
        ir::Value::list({"receivedAt", "size", "from", "to", "subject", "sentAt", "hasKeyword",
                         "allInThreadHaveKeyword", "someInThreadHaveKeyword"})},
       {"mayCreateTopLevelMailbox", true}});
}

ir::Value sieve_capability(const World& world) {
  ir::Value extensions = ir::Value::list();
  for (const std::string& name : world.schema->enum_values("SieveCapability"))
    if (!name.starts_with("vnd.")) extensions.push_back(name);
  const auto limit = [&world](std::string_view name, std::int64_t fallback) {
    return limit_of(world, "x:SieveUserInterpreter", name, fallback);
  };
  return ir::Value::map({{"maxSizeScriptName", limit("maxScriptNameLength", 512)},
                         {"maxSizeScript", limit("maxScriptSize", 102'400)},
                         {"maxNumberScripts", limit("maxScripts", 100)},
                         {"maxNumberRedirects", limit("maxRedirects", 1)},
                         {"sieveExtensions", std::move(extensions)},
                         {"notificationMethods", ir::Value::list({"mailto"})},
                         {"externalLists", {}}});
}

ir::Value file_capability() {
  ir::Value names = ir::Value::list({".", "..", "CON", "PRN", "AUX", "NUL"});
  for (const char* device : {"COM", "LPT"})
    for (int number = 0; number < 10; ++number) names.push_back(device + std::to_string(number));
  return ir::Value::map(
      {{"maxFileNodeDepth", {}},
       {"maxSizeFileNodeName", 255},
       {"forbiddenNameChars", "/<>:\"\\|?*"},
       {"forbiddenNodeNames", std::move(names)},
       {"fileNodeQuerySortOptions", ir::Value::list({"name", "size", "nodeType"})},
       {"mayCreateTopLevelFileNode", true},
       {"caseInsensitiveNames", false},
       {"webTrashUrl", {}},
       {"webUrlTemplate", {}},
       {"webWriteUrlTemplate", {}}});
}

ir::Value account_capabilities(const World& world, const std::string& self) {
  ir::Value out = ir::Value::map();
  out.set(urn("mail"), mail_capability(world));
  out.set(urn("submission"),
          ir::Value::map(
              {{"maxDelayedSend", 2'592'000},
               {"submissionExtensions", ir::Value::map({{"FUTURERELEASE", ir::Value::list()},
                                                        {"SIZE", ir::Value::list()},
                                                        {"DSN", ir::Value::list()},
                                                        {"DELIVERYBY", ir::Value::list()},
                                                        {"MT-PRIORITY", ir::Value::list({"MIXER"})},
                                                        {"REQUIRETLS", ir::Value::list()}})}}));
  out.set(urn("vacationresponse"), ir::Value::map());
  out.set(urn("contacts"),
          ir::Value::map({{"maxAddressBooksPerCard", {}}, {"mayCreateAddressBook", true}}));
  out.set(urn("contacts:parse"), ir::Value::map());
  out.set(urn("calendars"), ir::Value::map({{"maxCalendarsPerEvent", {}},
                                            {"minDateTime", "0001-01-01T00:00:00Z"},
                                            {"maxDateTime", "9999-12-31T23:59:59Z"},
                                            {"maxExpandedQueryDuration", "P52W1D"},
                                            {"maxParticipantsPerEvent",
                                             limit_of(world, "x:Calendar", "maxAttendees", 20)},
                                            {"mayCreateCalendar", true}}));
  out.set(urn("calendars:parse"), ir::Value::map());
  out.set(urn("websocket"), ir::Value::map());
  out.set(urn("sieve"), sieve_capability(world));
  out.set(urn("blob"),
          ir::Value::map(
              {{"maxSizeBlobSet", 7'499'488},
               {"maxDataSources", 16},
               {"supportedTypeNames", ir::Value::list({"Email", "Thread", "SieveScript"})},
               {"supportedDigestAlgorithms", ir::Value::list({"sha", "sha-256", "sha-512"})}}));
  out.set(urn("quota"), ir::Value::map());
  out.set(urn("principals"), ir::Value::map({{"currentUserPrincipalId", self}}));
  out.set(urn("principals:availability"), ir::Value::map({{"maxAvailabilityDuration", "P52W1D"}}));
  out.set(urn("filenode"), file_capability());
  out.set(urn("mail:share"), ir::Value::map());
  out.set("urn:stalwart:jmap", ir::Value::map());
  return out;
}

ir::Value server_capabilities(const World& world, const std::string& base) {
  ir::Value out = ir::Value::map({{urn("core"), core_capability(world)}});
  for (const char* name :
       {"mail", "calendars", "calendars:parse", "contacts", "contacts:parse", "filenode",
        "principals", "principals:availability", "submission", "vacationresponse", "blob", "quota"})
    out.set(urn(name), ir::Value::map());
  out.set(urn("sieve"), ir::Value::map({{"implementation", "plan rehearsal target"}}));
  // Web push and its key come with the first normal start.
  if (const auto key = application_server_key(
          world.live->singleton("x:Jmap")["webPushKey"]["secret"].string_or("")))
    out.set(urn("webpush-vapid"), ir::Value::map({{"applicationServerKey", *key}}));
  // http becomes ws; without a base the real server leaves a lone "ws".
  const std::string socket = "ws" + (base.starts_with("http") ? base.substr(4) : std::string{});
  out.set(urn("websocket"), ir::Value::map({{"url", socket + "/jmap/ws"}, {"supportsPush", true}}));
  return out;
}

}  // namespace

std::string public_url(const World& world) {
  if (world.options.is_recovery_mode) return {};
  if (!world.options.public_url.empty()) {
    std::string out = world.options.public_url;
    while (out.ends_with('/')) out.pop_back();
    return out;
  }
  return "https://" + world.hostname();
}

ir::Value jmap_session(World& world, const Login* login) {
  const std::lock_guard lock(world.mutex);
  const std::string base = public_url(world);
  ir::Value accounts = ir::Value::map();
  ir::Value primary = ir::Value::map();
  if (login != nullptr) {
    const std::string id = encode_id(login->account);
    const ir::Value own = account_capabilities(world, id);
    accounts.set(id, ir::Value::map({{"name", login->name},
                                     {"isPersonal", true},
                                     {"isReadOnly", false},
                                     {"accountCapabilities", own}}));
    for (const auto& [name, value] : own.members()) primary.set(name, id);
    if (const ir::Value* account = world.registry.find("x:Account", login->account))
      for (const auto& [group, is_in] : (*account)["memberGroupIds"].members())
        if (const ir::Value* shared = world.registry.find("x:Account", parse_id(group).value_or(0)))
          accounts.set(group, ir::Value::map({{"name", address_of(world, *shared)},
                                              {"isPersonal", false},
                                              {"isReadOnly", false},
                                              {"accountCapabilities", own}}));
  }
  return ir::Value::map(
      {{"capabilities", server_capabilities(world, base)},
       {"accounts", std::move(accounts)},
       {"primaryAccounts", std::move(primary)},
       {"username", login != nullptr ? ir::Value(login->name) : ir::Value("")},
       {"apiUrl", base + "/jmap/"},
       {"downloadUrl", base + "/jmap/download/{accountId}/{blobId}/{name}?accept={type}"},
       {"uploadUrl", base + "/jmap/upload/{accountId}/"},
       {"eventSourceUrl",
        base + "/jmap/eventsource/?types={types}&closeafter={closeafter}&ping={ping}"},
       {"state", login != nullptr ? world.session_state : std::string("0")}});
}

}  // namespace plan::rehearsal
