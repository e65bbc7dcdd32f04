#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/directory.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// What a method call comes to.
struct MethodResult {
  enum class Kind : std::uint8_t {
    answer,       ///< `arguments` under the method's own name
    error,        ///< `arguments` is {type, description}
    not_request,  ///< the whole request is refused: 400 notRequest
    dropped,      ///< the connection is closed without an answer
  };
  Kind kind = Kind::answer;
  ir::Value arguments = {};
  /// A call that follows by itself, with the same id (onSuccessUpdateEmail).
  std::string then_method = {};
  ir::Value then_arguments = {};

  static MethodResult answer(ir::Value arguments) {
    return {Kind::answer, std::move(arguments), {}, {}};
  }
  static MethodResult error(std::string_view type, std::string_view description = {});
  static MethodResult not_request() { return {Kind::not_request, {}, {}, {}}; }
  static MethodResult dropped() { return {Kind::dropped, {}, {}, {}}; }
};

/// One request while it is worked on. The World's lock is held.
struct JmapContext {
  World& world;
  const Login& login;
  std::map<std::string, std::string, std::less<>>& created_ids;
  std::string peer_address = {};
};

struct JmapResponse {
  int status = 200;
  ir::Value body = {};
  bool is_dropped = false;
};

/// A whole request: limits, result references, calls in order.
[[nodiscard]] JmapResponse run_jmap(World& world, const Login& login, std::string_view body,
                                    const std::string& peer_address);

/// Shape of problem+json for a request-level error: "notRequest", "limit" (with the name of the
/// limit).
[[nodiscard]] ir::Value request_error(std::string_view type, std::string_view detail,
                                      std::string_view limit = {});

// Methods by family; nothing when the name is not of that family.
[[nodiscard]] std::optional<MethodResult> registry_method(JmapContext& context,
                                                          std::string_view name,
                                                          const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> mailbox_method(JmapContext& context,
                                                         std::string_view name,
                                                         const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> email_method(JmapContext& context, std::string_view name,
                                                       const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> account_method(JmapContext& context,
                                                         std::string_view name,
                                                         const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> blob_method(JmapContext& context, std::string_view name,
                                                      const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> folder_method(JmapContext& context, std::string_view name,
                                                        const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> entry_method(JmapContext& context, std::string_view name,
                                                       const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> file_method(JmapContext& context, std::string_view name,
                                                      const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> submission_method(JmapContext& context,
                                                            std::string_view name,
                                                            const ir::Value& arguments);
[[nodiscard]] std::optional<MethodResult> people_method(JmapContext& context, std::string_view name,
                                                        const ir::Value& arguments);

// For the methods.

/// The account a standard method is about, or the error.
struct AccountAccess {
  std::uint64_t id = 0;
  std::optional<MethodResult> failed = {};
};
[[nodiscard]] AccountAccess account_of(const JmapContext& context, const ir::Value& arguments,
                                       std::string_view member = "accountId");
[[nodiscard]] ir::Value set_error(std::string_view type, std::string_view description = {},
                                  std::string_view property = {});
[[nodiscard]] std::string state_of(const MailAccount& account, ChangeKind kind);
/// `/changes` of one kind.
[[nodiscard]] MethodResult changes_of(JmapContext& context, MailAccount& account, ChangeKind kind,
                                      const ir::Value& arguments);
/// ifInState: nothing when it fits.
[[nodiscard]] std::optional<MethodResult> check_state(const MailAccount& account, ChangeKind kind,
                                                      const ir::Value& arguments);
[[nodiscard]] std::int64_t limit_of(const World& world, std::string_view type,
                                    std::string_view property, std::int64_t fallback);
/// Bytes of a blob id that `login` may read for `account`.
struct FoundBlob {
  std::string hash = {};
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length = {};
};
[[nodiscard]] std::optional<FoundBlob> find_blob(const World& world, const Login& login,
                                                 std::uint64_t account, std::string_view blob_id);
[[nodiscard]] std::optional<std::string> read_blob(const World& world, const FoundBlob& found);
[[nodiscard]] std::string upload_blob_id(const std::string& hash, std::uint64_t account);
[[nodiscard]] std::string email_blob_id(const std::string& hash, std::uint64_t account,
                                        std::uint32_t document);
[[nodiscard]] std::string part_blob_id(const std::string& hash, std::uint64_t account,
                                       std::uint64_t offset, std::uint64_t size);
/// Window of a query's ids: position, anchor, limit. The error anchorNotFound.
[[nodiscard]] MethodResult query_window(const World& world, std::string_view account_id,
                                        const std::string& state, std::vector<std::string> ids,
                                        const ir::Value& arguments);

}  // namespace plan::rehearsal
