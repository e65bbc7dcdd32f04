#include "compiler/check/target_property.h"

#include <algorithm>
#include <array>

namespace plan::check {
namespace {

constexpr TargetProperty followed(std::string_view object, std::string_view name) {
  return {object, name, Bearing::followed, {}, 0, {}};
}

/// Whatever it is, or unless each of its results is one of two.
constexpr TargetProperty said(std::string_view object, std::string_view name,
                              std::string_view without = {}, std::string_view or_this = {}) {
  return {object, name, Bearing::said, {without, or_this}, 0, {}};
}

/// A bound, by what the server has of itself or what mail needs.
constexpr TargetProperty said_below(double enough, std::string_view object, std::string_view name) {
  return {object, name, Bearing::said, {}, enough, {}};
}

constexpr TargetProperty none(std::string_view object, std::string_view name,
                              std::string_view why) {
  return {object, name, Bearing::none, {}, 0, why};
}

constexpr std::string_view kOffer = "an extension: who asks for it has it his way, others do not";
constexpr std::string_view kText = "a text";
constexpr std::string_view kHeader = "a header";
constexpr double kSecond = 1'000;
constexpr double kMinute = 60 * kSecond;

constexpr std::array kProperties = {
    // Names.
    followed("Domain", "name"),
    followed("Domain", "allowRelaying"),
    followed("Domain", "catchAllAddress"),
    followed("Domain", "subAddressing"),
    said("Domain", "isEnabled", "true"),
    said("Domain", "aliases"),
    followed("Account", "name"),
    followed("Account", "domainId"),
    followed("Account", "aliases"),
    followed("Account", "permissions"),
    followed("Account", "roles"),
    followed("MailingList", "name"),
    followed("MailingList", "domainId"),
    followed("MailingList", "recipients"),
    said("MailingList", "aliases"),
    said("MaskedEmail", "*"),
    followed("MemoryLookupKey", "namespace"),
    followed("MemoryLookupKey", "key"),
    followed("MemoryLookupKey", "isGlobPattern"),
    said("MemoryLookupKeyValue", "*"),
    said("HttpLookup", "*"),
    said("StoreLookup", "*"),
    // How mail comes in.
    said("BlockedIp", "*"),
    said("SpamSettings", "greylistFor"),
    said("SpamSettings", "scoreDiscard"),
    said("SpamSettings", "scoreReject"),
    followed("MtaInboundThrottle", "enable"),
    followed("MtaInboundThrottle", "key"),
    followed("MtaInboundThrottle", "match"),
    followed("MtaInboundThrottle", "rate"),
    none("MtaInboundThrottle", "description", "its name"),
    said_below(10 * kMinute, "MtaInboundSession", "maxDuration"),
    said_below(5 * kMinute, "MtaInboundSession", "timeout"),
    said_below(262'144'000, "MtaInboundSession", "transferLimit"),
    none("MtaStageConnect", "hostname", kText),
    none("MtaStageConnect", "smtpGreeting", kText),
    said("MtaStageConnect", "script", "false"),
    none("MtaStageEhlo", "require", "every server says who it is"),
    said("MtaStageEhlo", "rejectNonFqdn", "false"),
    said("MtaStageEhlo", "script", "false"),
    followed("MtaStageAuth", "require"),
    said("MtaStageAuth", "saslMechanisms"),
    none("MtaStageAuth", "mustMatchSender", "who sends as himself may in either case"),
    none("MtaStageAuth", "maxFailures", "whoever sends mail has logged in"),
    none("MtaStageAuth", "waitOnFail", "whoever sends mail has logged in"),
    said("MtaStageMail", "isSenderAllowed", "true"),
    said("MtaStageMail", "rewrite", "false"),
    said("MtaStageMail", "script", "false"),
    followed("MtaStageRcpt", "allowRelaying"),
    said_below(5, "MtaStageRcpt", "maxFailures"),
    said_below(100, "MtaStageRcpt", "maxRecipients"),
    said("MtaStageRcpt", "rewrite", "false"),
    said("MtaStageRcpt", "script", "false"),
    none("MtaStageRcpt", "waitOnFail", "how long a refusal takes"),
    none("MtaStageData", "addAuthResultsHeader", kHeader),
    none("MtaStageData", "addDateHeader", kHeader),
    none("MtaStageData", "addDeliveredToHeader", kHeader),
    none("MtaStageData", "addMessageIdHeader", kHeader),
    none("MtaStageData", "addReceivedHeader", kHeader),
    none("MtaStageData", "addReceivedSpfHeader", kHeader),
    none("MtaStageData", "addReturnPathHeader", kHeader),
    said("MtaStageData", "enableSpamFilter", "false", "is_empty(authenticated_as)"),
    said_below(104'857'600, "MtaStageData", "maxMessageSize"),
    followed("MtaStageData", "maxMessages"),
    said_below(50, "MtaStageData", "maxReceivedHeaders"),
    said("MtaStageData", "script", "false"),
    none("MtaExtensions", "chunking", kOffer),
    none("MtaExtensions", "deliverBy", kOffer),
    none("MtaExtensions", "dsn", kOffer),
    none("MtaExtensions", "expn", kOffer),
    none("MtaExtensions", "futureRelease", kOffer),
    none("MtaExtensions", "mtPriority", kOffer),
    none("MtaExtensions", "noSoliciting", kOffer),
    none("MtaExtensions", "pipelining", kOffer),
    none("MtaExtensions", "requireTls", kOffer),
    none("MtaExtensions", "vrfy", kOffer),
    said("MtaMilter", "*"),
    said("MtaHook", "*"),
    // What is only measured unless it is strict; forwarded mail fails SPF (split-delivery.md 5).
    said("SenderAuth", "arcVerify", "relaxed", "disable"),
    said("SenderAuth", "dkimVerify", "relaxed", "disable"),
    said("SenderAuth", "dmarcVerify", "relaxed", "disable"),
    said("SenderAuth", "reverseIpVerify", "relaxed", "disable"),
    said("SenderAuth", "spfEhloVerify", "relaxed", "disable"),
    said("SenderAuth", "spfFromVerify", "relaxed", "disable"),
    none("SenderAuth", "dkimSignDomain", kHeader),
    none("SenderAuth", "dkimStrict", "what counts as a signature; `dkimVerify` says what follows"),
    // How mail is kept and sent on.
    followed("MtaOutboundStrategy", "route"),
    said("MtaOutboundStrategy", "schedule"),
    said("MtaOutboundStrategy", "connection"),
    said("MtaOutboundStrategy", "tls"),
    followed("MtaRoute", "@type"),
    followed("MtaRoute", "name"),
    followed("MtaRoute", "address"),
    followed("MtaRoute", "port"),
    followed("MtaRoute", "protocol"),
    followed("MtaRoute", "implicitTls"),
    none("MtaRoute", "description", kText),
    none("MtaRoute", "allowInvalidCerts", "the same way, to the same server"),
    none("MtaRoute", "authSecret", "the same way, to the same server"),
    none("MtaRoute", "authUsername", "the same way, to the same server"),
    none("MtaRoute", "ipLookupStrategy", "the same servers, by another of their addresses"),
    none("MtaRoute", "maxMultihomed", "the same servers, by fewer of their addresses"),
    none("MtaRoute", "maxMxHosts", "fewer of the same domain's servers"),
    said("MtaDeliverySchedule", "*"),
    said("MtaVirtualQueue", "*"),
    said("MtaConnectionStrategy", "*"),
    said("MtaTlsStrategy", "*"),
    said("MtaOutboundThrottle", "*"),
    said("MtaQueueQuota", "*"),
    said("QueuedMessage", "*"),
    // What other servers are told.
    said("MtaSts", "mode", "testing", "disable"),
    said("MtaSts", "mxHosts"),
    none("MtaSts", "maxAge", "how long others keep what `mode` and `mxHosts` say"),
};

}  // namespace

std::span<const TargetProperty> target_properties() { return kProperties; }

const TargetProperty* target_property(std::string_view object, std::string_view property) {
  const auto find = [&](std::string_view name) {
    const auto* const found = std::find_if(
        kProperties.begin(), kProperties.end(),
        [&](const TargetProperty& one) { return one.object == object && one.name == name; });
    return found == kProperties.end() ? nullptr : found;
  };
  const TargetProperty* const own = find(property);
  return own != nullptr ? own : find("*");
}

bool decides_about_mail(std::string_view object) {
  return object.starts_with("Mta") || object == "QueuedMessage" || object == "SenderAuth";
}

}  // namespace plan::check
