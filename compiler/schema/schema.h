#pragma once
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ir/digest.h"
#include "compiler/ir/value.h"
#include "compiler/schema/type.h"
#include "compiler/source/result.h"

namespace plan::schema {

/// The types of one server, from the document that it serves (reference/stalwart-admin.md 1) or
/// from the facts-only file of the repository. Immutable after loading: may be read from any
/// thread. Cheap to copy.
class Schema {
 public:
  /// Reads the text of either form. Errors: bad-json, json-too-large, bad-schema (parts are missing
  /// or have the wrong shape). What is only unknown is a warning: a later server has more.
  [[nodiscard]] static Result<Schema> read(std::string_view json);
  /// The document of a server, already parsed.
  [[nodiscard]] static Result<Schema> load(const ir::Value& document);
  /// The layout of scripts/schema-facts.py: names, types, ranges, defaults, references.
  [[nodiscard]] static Result<Schema> load_facts(const ir::Value& document);

  /// By the name on the wire ("x:Domain", "Mailbox", "x:Account/User") or without the prefix
  /// ("Domain"). An exact name wins: "AddressBook" is the standard type, not x:AddressBook. Null:
  /// no such type.
  [[nodiscard]] const ObjectType* object(std::string_view name) const;
  /// The same, a view replaced by the type that it shows.
  [[nodiscard]] const ObjectType* resolved(std::string_view name) const;
  [[nodiscard]] const EnumType* enumeration(std::string_view name) const;
  [[nodiscard]] const Struct* structure(std::string_view name) const;

  /// All types in the order of the document; addressable ones first.
  [[nodiscard]] const std::deque<ObjectType>& objects() const { return data_->objects; }
  [[nodiscard]] const std::deque<Struct>& structures() const { return data_->structs; }
  [[nodiscard]] const std::deque<EnumType>& enumerations() const { return data_->enums; }
  /// The addressable type that `word` probably means; empty when none is near.
  [[nodiscard]] std::string nearest_object(std::string_view word) const;

  /// One line for every construct that this program does not know: "x:Foo.bar: type `matrix`".
  [[nodiscard]] const std::vector<std::string>& warnings() const { return data_->warnings; }
  /// Version of the server, where the document says it (the facts file does, a server's does not).
  [[nodiscard]] const std::string& version() const { return data_->version; }
  /// Digest over all facts in a canonical order: equal for the server's document and the facts made
  /// from it.
  [[nodiscard]] ir::Sha256 facts_digest() const;
  /// The facts of these types and of everything that they are made of, in the layout that
  /// load_facts reads; of what they only refer to by its id there is the kind. Names that are no
  /// type are left out.
  [[nodiscard]] ir::Value facts_of(const std::vector<std::string>& types) const;

  /// The properties that identify an object of this type (5.1): {"name"}, {"name","domainId"};
  /// empty when nothing is unique. `is_checked_by_server` false: our own choice, the server would
  /// take duplicates.
  struct NaturalKey {
    std::vector<std::string> properties = {};
    bool is_checked_by_server = false;
  };
  [[nodiscard]] static NaturalKey natural_key(std::string_view object);

 private:
  friend class Loader;
  struct Data {
    std::deque<ObjectType> objects;
    std::deque<Struct> structs;
    std::deque<EnumType> enums;
    std::unordered_map<std::string, const ObjectType*> objects_by_name;
    std::unordered_map<std::string, Struct*> structs_by_name;
    std::unordered_map<std::string, const EnumType*> enums_by_name;
    std::vector<std::string> warnings;
    std::string version;
  };
  explicit Schema(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

}  // namespace plan::schema
