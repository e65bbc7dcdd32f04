#pragma once
#include <string>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/http_client.h"
#include "runtime/net/jmap/pool.h"
#include "runtime/secret/secret.h"

namespace plan::server::stalwart {

/// The schema document of a server (reference/stalwart-admin.md 1.1).
struct SchemaDocument {
  std::string json = {};  ///< unpacked
  std::string digest =
      {};  ///< SHA-256 of `json`, hex: what the lock has, and the name of the file in the cache
  std::string server_hash =
      {};  ///< the server's own name for it: SHA-256 of the packed bytes, URL-safe base64
};

/// Fetches it and checks it against the server's hash. Bounded, also when unpacked. Errors:
/// schema-damaged, not-json, http-status, those of HttpClient.
[[nodiscard]] Result<SchemaDocument> fetch_schema(net::HttpClient& http, net::Deadline deadline);

/// The version that serves a schema with this hash, for the versions that were tried; empty
/// otherwise. The server itself tells its version nowhere.
[[nodiscard]] std::string version_of_schema(std::string_view server_hash);

struct SurveyOptions {
  /// Where the schema document goes, as `DIGEST.json`; empty: nowhere.
  std::string schema_directory = {};
  /// Without a pinned certificate: take the one that the server shows now (it goes into the lock,
  /// to be reviewed). Else the system's certificate store decides.
  bool may_trust_first_certificate = true;
};

/// Asks a Stalwart target everything that a lock wants to know; the shape of the document is
/// compiler/facts/survey.md. Reads only. `target` is the resolved block of the plan. What could not
/// be asked is missing, with a measurement that says why. Errors: those that leave no target to
/// speak of (connection, certificate, login, no administrator).
[[nodiscard]] Result<ir::Value> survey_target(const ir::Value& target,
                                              net::jmap::ClientPool& clients,
                                              secret::SecretSource& secrets,
                                              const SurveyOptions& options, net::Clock& clock);

}  // namespace plan::server::stalwart
