#include "compiler/schema/check_value.h"

#include <cmath>

#include <fmt/format.h>

#include "compiler/schema/formats.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/mta_container.h"
#include "compiler/schema/required.h"
#include "compiler/schema/value_words.h"
#include "compiler/source/text.h"

namespace plan::schema {

namespace {

/// A secret flows only into what the server itself keeps as one.
[[nodiscard]] bool may_be_secret(const Type& type) {
  return type.kind == TypeKind::string && (type.string_format == StringFormat::secret ||
                                           type.string_format == StringFormat::secret_text);
}

/// A wire key of a list: digits only.
[[nodiscard]] bool is_index(std::string_view key) {
  if (key.empty() || key.size() > 9) return false;
  for (const char c : key) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

class Walker {
 public:
  Walker(const Schema& schema, const CheckOptions& options)
      : schema_(schema), options_(options), required_(schema) {}

  std::vector<Problem> problems;

  /// Where the walk is: both spellings of a path grow and shrink together.
  class Step {
   public:
    Step(Walker& walker, std::string_view name)
        : walker_(walker),
          path_size_(walker.path_.size()),
          property_size_(walker.property_.size()) {
      if (!walker.path_.empty()) walker.path_ += '.';
      walker.path_ += name;
      if (!walker.property_.empty()) walker.property_ += '/';
      walker.property_ += name;
    }
    ~Step() {
      walker_.path_.resize(path_size_);
      walker_.property_.resize(property_size_);
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Walker& walker_;
    std::size_t path_size_;
    std::size_t property_size_;
  };

  void begin() { path_ = options_.path; }

  Problem& report(ProblemCode code, Refusal refusal, std::string message) {
    static thread_local Problem dropped;
    if (problems.size() >= kProblemsMax) return dropped;
    Problem& problem = problems.emplace_back();
    problem.path = path_;
    problem.property = property_;
    problem.code = code;
    problem.refusal = refusal;
    problem.message = std::move(message);
    return problem;
  }

  void check_top(std::string_view type_name, const ir::Value& value) {
    const ObjectType* object = addressable(type_name);
    if (object == nullptr) return;
    if (!value.is_map()) {
      report(ProblemCode::wrong_type, Refusal::invalid_patch,
             fmt::format("{} takes an object, this is {}", plain_name(object->name), shown(value)));
      return;
    }
    if (options_.use == Use::create) {
      check_object(*object, value, Use::create, 0, true);
      return;
    }
    for (const auto& [key, member] : value.members()) {
      if (key == "@type") {
        if (object->is_multiple && object->variant(member.string_or("")) == nullptr) {
          unknown_variant(*object, member);
        }
        continue;
      }
      check_patch_key(*object, value["@type"].string_or(""), key, member);
    }
  }

  const ObjectType* addressable(std::string_view type_name) {
    const ObjectType* object = schema_.object(type_name);
    if (object == nullptr || object->kind == ObjectKind::embedded) {
      report(ProblemCode::unknown_type, Refusal::invalid_patch,
             object == nullptr
                 ? fmt::format("the server has no object type `{}`", printable(type_name, 60))
                 : fmt::format("`{}` exists only inside other objects", printable(type_name, 60)))
          .nearest = schema_.nearest_object(type_name);
      return nullptr;
    }
    if (object->kind == ObjectKind::view) {
      report(ProblemCode::unknown_type, Refusal::invalid_patch,
             fmt::format("`{}` is a view of `{}`, objects are written under that name",
                         object->name, plain_name(object->view_of)))
          .nearest = plain_name(object->view_of);
      return nullptr;
    }
    return object;
  }

  /// What an object is looked for by may also be what only the server writes.
  void check_looked_for(const ObjectType& object, std::string_view property,
                        const ir::Value& value) {
    if (property == "id") return;
    if (property != "@type" || !object.is_multiple) {
      check_patch_key(object, "", property, value, true);
    } else if (object.variant(value.string_or("")) == nullptr) {
      unknown_variant(object, value);
    }
  }

  /// One property by name, or by pointer, of an update.
  void check_patch_key(const ObjectType& object, std::string_view variant, std::string_view key,
                       const ir::Value& value, bool is_looked_for = false) {
    std::string_view rest = key;
    if (rest.starts_with('/')) rest.remove_prefix(1);
    const auto segments = split(rest, '/');
    const Property* property = nullptr;
    const Struct* owner = nullptr;
    for (const Variant& each : object.variants) {
      if (each.fields == nullptr ||
          (!variant.empty() && object.is_multiple && each.name != variant))
        continue;
      property = each.fields->find(segments.front());
      owner = each.fields;
      if (property != nullptr) break;
    }
    const Step step(*this, segments.front());
    if (property == nullptr) {
      unknown_property(object, owner, segments.front());
      return;
    }
    if (!is_looked_for && !may_write(*property, Use::update)) return;
    if (segments.size() == 1) {
      check(property->type, property->validator, value, Use::update, 0);
      check_expressions(owner->name, *property, value);
      return;
    }
    check_pointer(property->type, property->validator, segments, 1, value, key);
  }

  void check_pointer(const Type& type, Validator validator,
                     const std::vector<std::string_view>& segments, std::size_t at,
                     const ir::Value& value, std::string_view key) {
    const bool is_last = at + 1 == segments.size();
    std::string name(segments[at]);
    for (std::size_t found = 0; (found = name.find('~', found)) != std::string::npos; ++found) {
      const std::string_view escape = std::string_view(name).substr(found, 2);
      if (escape == "~1") name.replace(found, 2, "/");
      if (escape == "~0") name.replace(found, 2, "~");
    }
    const Step step(*this, name);
    if (at > kValueDepthMax) {
      report(ProblemCode::too_deep, Refusal::invalid_patch, "the pointer has too many parts");
      return;
    }
    switch (type.kind) {
      case TypeKind::object: {
        const ObjectType* object = schema_.resolved(type.reference);
        if (object == nullptr) return;
        if (name == "@type") {
          report(
              ProblemCode::bad_pointer, Refusal::invalid_patch,
              "the variant cannot be changed by a pointer: write the whole value with its `@type`");
          return;
        }
        const Struct* owner = nullptr;
        for (const Variant& each : object->variants) {
          const Property* property = each.fields == nullptr ? nullptr : each.fields->find(name);
          if (each.fields != nullptr) owner = each.fields;
          if (property == nullptr) continue;
          if (!may_write(*property, Use::update)) return;
          if (is_last) {
            // The mask is taken for "unchanged" at exactly one place (reference 2.3).
            if (value.string_or("") == "****" && segments.front() == "credentials") return;
            check(property->type, property->validator, value, Use::update, static_cast<int>(at));
          } else {
            check_pointer(property->type, property->validator, segments, at + 1, value, key);
          }
          return;
        }
        unknown_property(*object, owner, name);
        return;
      }
      case TypeKind::object_list: {
        if (!is_index(name)) {
          report(
              ProblemCode::bad_pointer, Refusal::invalid_patch,
              fmt::format("the members of a list have numbers, this is `{}`", printable(name, 60)));
          return;
        }
        Type element = type;
        element.kind = TypeKind::object;
        element.is_nullable = true;
        if (is_last) {
          check(element, Validator::none, value, Use::update, static_cast<int>(at));
        } else {
          check_pointer(element, Validator::none, segments, at + 1, value, key);
        }
        return;
      }
      case TypeKind::set:
        if (!is_last) break;
        if (!value.is_null() && !value.is_bool()) {
          report(ProblemCode::wrong_type, Refusal::invalid_patch,
                 fmt::format("a member of a set is true (add) or null (remove), this is {}",
                             shown(value)));
        }
        check_set_member(type, validator, name);
        return;
      case TypeKind::map:
        if (type.key) check_scalar_text(*type.key, Validator::none, name, false);
        if (!type.value) return;
        if (is_last) {
          if (!value.is_null())
            check(*type.value, Validator::none, value, Use::create, static_cast<int>(at));
        } else {
          check_pointer(*type.value, Validator::none, segments, at + 1, value, key);
        }
        return;
      case TypeKind::unknown:
        return;
      default:
        break;
    }
    report(ProblemCode::bad_pointer, Refusal::invalid_patch,
           fmt::format("`{}` leads into a {}, which has no members", printable(key, 80),
                       to_string(type.kind)));
  }

  void check(const Type& type, Validator validator, const ir::Value& value, Use use, int depth) {
    if (depth > static_cast<int>(kValueDepthMax) || ++nodes_ > kValueNodesMax) {
      report(ProblemCode::too_deep, Refusal::invalid_patch,
             fmt::format("the value is deeper than {} or has more than {} members", kValueDepthMax,
                         show_count(kValueNodesMax)));
      return;
    }
    if (type.kind == TypeKind::unknown) return;
    if (options_.is_plan_value && value.is_output()) return check_output(type, value.as_output());
    if (value.is_null()) {
      if (!type.is_nullable) {
        report(ProblemCode::not_nullable, Refusal::invalid_patch, "cannot be null");
      }
      return;
    }
    switch (type.kind) {
      case TypeKind::string:
      case TypeKind::enumeration:
      case TypeKind::date:
      case TypeKind::blob_id:
      case TypeKind::object_id:
        if (options_.is_plan_value && value.is_secret() && may_be_secret(type)) return;
        if (!value.is_string()) return wrong_type(type, value);
        check_scalar_text(type, validator, value.as_string(), true);
        return;
      case TypeKind::number:
        check_number(type, value);
        return;
      case TypeKind::boolean:
        if (!value.is_bool()) wrong_type(type, value);
        return;
      case TypeKind::object: {
        const ObjectType* object = schema_.resolved(type.reference);
        if (object == nullptr) return;  // warned about when the schema was loaded
        if (!value.is_map()) return wrong_type(type, value);
        // A union is replaced as a whole, a single struct is merged (reference 2.2).
        check_object(*object, value, object->is_multiple ? Use::create : use, depth, false);
        return;
      }
      case TypeKind::object_list:
        check_list(type, value, depth);
        return;
      case TypeKind::set:
        check_set(type, validator, value);
        return;
      case TypeKind::map: {
        if (!value.is_map()) return wrong_type(type, value);
        check_count(type, value.size());
        for (const auto& [key, member] : value.members()) {
          const Step step(*this, key);
          if (type.key) check_scalar_text(*type.key, Validator::none, key, false);
          if (type.value) check(*type.value, Validator::none, member, Use::create, depth + 1);
        }
        return;
      }
      case TypeKind::unknown:
        return;
    }
  }

  void check_expressions(const std::string& structure, const Property& property,
                         const ir::Value& value) {
    if (property.type.kind != TypeKind::object || property.type.reference != "x:Expression" ||
        !value.is_map())
      return;
    for (const ExpressionProblem& each : check_container(
             value, context_of(structure, property.name), result_of(structure, property.name))) {
      const Step step(*this, each.part);
      Problem& problem = report(
          ProblemCode::bad_expression,
          each.is_refused_by_server ? Refusal::validation_failed : Refusal::accepted, each.message);
      problem.nearest = each.nearest;
      problem.offset = each.offset;
    }
  }

 private:
  void wrong_type(const Type& type, const ir::Value& value) {
    report(ProblemCode::wrong_type, Refusal::invalid_patch,
           fmt::format("needs {}, this is {}", wanted_words(type), shown(value)));
  }

  /// Gives back the name that was probably meant, or an empty one.
  std::string unknown_property(const ObjectType& object, const Struct* fields,
                               std::string_view name) {
    std::vector<std::string_view> names;
    if (fields != nullptr) {
      for (const Property& property : fields->properties()) names.push_back(property.name);
    }
    std::string owner = plain_name(object.name);
    if (object.is_multiple && fields != nullptr) owner = plain_name(fields->name);
    std::string meant(nearest(name, names).value_or(""));
    report(ProblemCode::unknown_property, Refusal::invalid_patch,
           name == "id" ? fmt::format("`id` cannot be written, the server gives it")
                        : fmt::format("{} has no property `{}`", owner, printable(name, 60)))
        .nearest = meant;
    return meant;
  }

  void unknown_variant(const ObjectType& object, const ir::Value& given) {
    std::vector<std::string_view> names;
    for (const Variant& variant : object.variants) names.push_back(variant.name);
    const Step step(*this, "@type");
    if (given.is_null()) {
      std::string list;
      for (std::size_t i = 0; i < names.size() && i < 6; ++i)
        list += (i == 0 ? "" : ", ") + std::string(names[i]);
      if (names.size() > 6) list += ", …";
      report(ProblemCode::missing_variant, Refusal::invalid_patch,
             fmt::format("{} needs `@type`: {}", plain_name(object.name), list));
      return;
    }
    report(ProblemCode::unknown_variant, Refusal::invalid_patch,
           fmt::format("{} has no variant {}", plain_name(object.name), shown(given)))
        .nearest = std::string(nearest(given.string_or(""), names).value_or(""));
  }

  [[nodiscard]] bool may_write(const Property& property, Use use) {
    if (property.update == Update::server_set) {
      report(ProblemCode::server_set, Refusal::invalid_patch,
             fmt::format("`{}` is written by the server only", property.name));
      return false;
    }
    if (property.update == Update::immutable && use == Use::update) {
      report(ProblemCode::immutable, Refusal::invalid_patch,
             fmt::format(
                 "`{}` cannot be changed after the object was made, not even to the same value",
                 property.name));
      return false;
    }
    return true;
  }

  void check_object(const ObjectType& object, const ir::Value& value, Use use, int depth,
                    bool is_top) {
    const Struct* fields = object.fields();
    if (object.is_multiple) {
      const ir::Value& tag = value["@type"];
      const Variant* variant = object.variant(tag.string_or(""));
      if (variant == nullptr || !tag.is_string()) {
        unknown_variant(object, tag);
        return;
      }
      fields = variant->fields;
    }
    std::vector<std::string> meant;  // by properties that are not there
    for (const auto& [name, member] : value.members()) {
      if (name == "@type" && object.is_multiple) continue;
      const Step step(*this, name);
      const Property* property = fields == nullptr ? nullptr : fields->find(name);
      if (property == nullptr) {
        meant.push_back(unknown_property(object, fields, name));
        continue;
      }
      if (!may_write(*property, use)) continue;
      check(property->type, property->validator, member, use, depth + 1);
      check_expressions(fields->name, *property, member);
    }
    if (use == Use::create && fields != nullptr)
      check_required(*fields, value, depth, is_top, meant);
  }

  /// The rule of reference 1.5, found by trying: there is no marker for "required" in the document.
  /// A property that was written with another spelling is not missing.
  void check_required(const Struct& fields, const ir::Value& value, int depth, bool is_top,
                      const std::vector<std::string>& meant) {
    for (const Property& property : fields.properties()) {
      if (value.members().contains(property.name)) continue;
      if (std::find(meant.begin(), meant.end(), property.name) != meant.end()) continue;
      if (!required_.is_required(property, depth)) continue;
      const Step step(*this, property.name);
      report(ProblemCode::missing_property, Refusal::validation_failed,
             fmt::format("{}`{}` is required", is_top ? "" : plain_name(fields.name) + ": ",
                         property.name));
    }
  }

  void check_scalar_text(const Type& type, Validator validator, std::string_view text,
                         bool is_value) {
    if (text.empty()) {
      report(is_value ? ProblemCode::empty_text : ProblemCode::bad_key, Refusal::invalid_patch,
             type.is_nullable ? "is empty: the server wants null here" : "is empty");
      return;
    }
    switch (type.kind) {
      case TypeKind::string: {
        if (options_.is_plan_value && is_value && text == "****" && may_be_secret(type)) {
          report(ProblemCode::masked_secret, Refusal::accepted,
                 "is the mask that the server shows instead of a secret; written back it becomes "
                 "the secret");
          return;
        }
        if (type.length_max && text.size() > *type.length_max) {
          report(ProblemCode::too_many, Refusal::validation_failed,
                 fmt::format("has {} bytes, at most {} are allowed", text.size(), *type.length_max))
              .limit = static_cast<double>(*type.length_max);
        }
        if (type.length_min && text.size() < *type.length_min) {
          report(ProblemCode::too_few, Refusal::validation_failed,
                 fmt::format("has {} bytes, at least {} are needed", text.size(), *type.length_min))
              .limit = static_cast<double>(*type.length_min);
        }
        if (const auto problem = format_problem(type.string_format, validator, text)) {
          report(ProblemCode::bad_format, Refusal::invalid_patch,
                 fmt::format("`{}` {}", printable(text, 100), *problem));
        }
        return;
      }
      case TypeKind::enumeration: {
        const EnumType* values = schema_.enumeration(type.reference);
        if (values == nullptr || values->contains(text)) return;
        std::vector<std::string_view> names(values->values.begin(), values->values.end());
        report(ProblemCode::unknown_enum_value, Refusal::invalid_patch,
               fmt::format("{} has no value `{}`", type.reference, printable(text, 60)))
            .nearest = std::string(nearest(text, names).value_or(""));
        return;
      }
      case TypeKind::date:
        if (!is_date(text)) {
          report(
              ProblemCode::bad_format, Refusal::invalid_patch,
              fmt::format("`{}` is no date such as 2026-01-31T10:00:00Z of the years 1970 to 3000",
                          printable(text, 60)));
        }
        return;
      case TypeKind::object_id:
        if (text.front() == '#' && text.size() > 1) {
          // On the wire an object of the same request. A step's request has no other.
          if (options_.is_plan_value)
            report(
                ProblemCode::bad_format, Refusal::invalid_patch,
                fmt::format("`{}` is no object that an earlier step makes", printable(text, 60)));
          return;
        }
        if (!is_object_id(text)) {
          report(ProblemCode::bad_format, Refusal::invalid_patch,
                 fmt::format("`{}` is no id of the server", printable(text, 60)));
        }
        return;
      case TypeKind::number: {  // key of a map
        return;
      }
      default:
        return;
    }
  }

  void check_number(const Type& type, const ir::Value& value) {
    if (!value.is_number()) return wrong_type(type, value);
    const double number = value.number_or(0);
    if (type.number_format != NumberFormat::floating && !value.is_integer() &&
        std::floor(number) != number) {
      report(ProblemCode::wrong_type, Refusal::invalid_patch,
             fmt::format("needs a whole number, this is {}", shown(value)));
      return;
    }
    const bool is_signed = type.number_format == NumberFormat::integer ||
                           type.number_format == NumberFormat::floating ||
                           type.number_format == NumberFormat::other;
    if (!is_signed && number < 0) {
      report(ProblemCode::wrong_type, Refusal::invalid_patch,
             fmt::format("cannot be negative, this is {}", shown(value)));
      return;
    }
    if (type.number_format == NumberFormat::duration && number == 0) {
      report(ProblemCode::wrong_type, Refusal::invalid_patch,
             "a duration is at least 1 millisecond, this is 0");
      return;
    }
    if (type.minimum && number < *type.minimum) {
      report(ProblemCode::below_minimum, Refusal::validation_failed,
             fmt::format("is {}, at least {} is needed", shown(value), *type.minimum))
          .limit = *type.minimum;
    }
    if (type.maximum && number > *type.maximum) {
      report(ProblemCode::above_maximum, Refusal::validation_failed,
             fmt::format("is {}, at most {} is allowed", shown(value), *type.maximum))
          .limit = *type.maximum;
    }
  }

  void check_count(const Type& type, std::size_t count) {
    if (type.items_min && count < *type.items_min) {
      report(ProblemCode::too_few, Refusal::validation_failed,
             fmt::format("has {} members, at least {} are needed", count, *type.items_min))
          .limit = static_cast<double>(*type.items_min);
    }
    if (type.items_max && count > *type.items_max) {
      report(ProblemCode::too_many, Refusal::validation_failed,
             fmt::format("has {} members, at most {} are allowed", count, *type.items_max))
          .limit = static_cast<double>(*type.items_max);
    }
  }

  void check_list(const Type& type, const ir::Value& value, int depth) {
    Type element = type;
    element.kind = TypeKind::object;
    element.is_nullable = false;
    if (options_.is_plan_value && value.is_list()) {
      check_count(type, value.size());
      for (std::size_t i = 0; i < value.size(); ++i) {
        const Step step(*this, std::to_string(i));
        check(element, Validator::none, value.item(i), Use::create, depth + 1);
      }
      return;
    }
    if (!value.is_map()) return wrong_type(type, value);
    check_count(type, value.size());
    for (const auto& [key, member] : value.members()) {
      const Step step(*this, key);
      if (!is_index(key)) {
        report(ProblemCode::bad_key, Refusal::invalid_patch,
               fmt::format("the members of a list have numbers, this is `{}`", printable(key, 60)));
        continue;
      }
      check(element, Validator::none, member, Use::create, depth + 1);
    }
  }

  void check_set_member(const Type& type, Validator validator, std::string_view member) {
    if (!type.value) return;
    const std::size_t before = problems.size();
    check_scalar_text(*type.value, validator, member, false);
    // Members are parsed but not run through the validators of 1.7: what a property would refuse is
    // stored and matches nothing later.
    for (std::size_t i = before; i < problems.size(); ++i) {
      if (problems[i].code == ProblemCode::bad_format &&
          (validator != Validator::none ||
           type.value->string_format == StringFormat::email_address)) {
        problems[i].refusal = Refusal::accepted;
      }
    }
  }

  /// The server looks whether there is an object of that id, not of which type, where the ids of
  /// several types have numbers of the same kind (1.9).
  void check_output(const Type& type, const ir::OutputRef& output) {
    if (type.kind != TypeKind::object_id || !options_.object_of) return;
    const std::string made = options_.object_of(output);
    const std::string wanted = plain_name(type.reference);
    if (made.empty() || made == wanted) return;
    const bool is_of_any_variant = wanted.find('/') == std::string::npos;
    const bool is_variant_told = made.find('/') != std::string::npos;
    const std::string_view made_type = std::string_view(made).substr(0, made.find('/'));
    const std::string_view wanted_type = std::string_view(wanted).substr(0, wanted.find('/'));
    if (made_type == wanted_type && (is_of_any_variant || !is_variant_told)) return;
    report(ProblemCode::wrong_type, Refusal::accepted,
           fmt::format("needs the id of an object {}, and step `{}` makes {}", wanted,
                       printable(output.step, 120), made));
  }

  void check_set(const Type& type, Validator validator, const ir::Value& value) {
    if (options_.is_plan_value && value.is_list()) {
      check_count(type, value.size());
      for (std::size_t i = 0; i < value.size(); ++i) {
        const Step step(*this, std::to_string(i));
        if (value.item(i).is_output()) {
          if (type.value) check_output(*type.value, value.item(i).as_output());
          continue;
        }
        if (!value.item(i).is_string()) {
          report(ProblemCode::wrong_type, Refusal::invalid_patch,
                 fmt::format("a member of a set is a text, this is {}", shown(value.item(i))));
          continue;
        }
        check_set_member(type, validator, value.item(i).as_string());
      }
      return;
    }
    if (!value.is_map()) return wrong_type(type, value);
    std::size_t count = 0;
    for (const auto& [key, member] : value.members()) {
      const Step step(*this, key);
      if (!member.is_bool()) {
        report(ProblemCode::wrong_type, Refusal::invalid_patch,
               fmt::format("a member of a set is true, this is {}", shown(member)));
        continue;
      }
      if (!member.bool_or(false)) {
        if (options_.is_plan_value) {
          report(ProblemCode::bad_key, Refusal::accepted,
                 "a member that is false vanishes without a word");
        }
        continue;
      }
      ++count;
      check_set_member(type, validator, key);
    }
    check_count(type, count);
  }

  const Schema& schema_;
  const CheckOptions& options_;
  RequiredProperties required_;
  std::string path_;
  std::string property_;
  std::size_t nodes_ = 0;
};

}  // namespace

std::vector<Problem> check_value(const Schema& schema, std::string_view type,
                                 const ir::Value& value, const CheckOptions& options) {
  Walker walker(schema, options);
  walker.begin();
  walker.check_top(type, value);
  return std::move(walker.problems);
}

std::vector<Problem> check_property(const Schema& schema, std::string_view type,
                                    std::string_view property, const ir::Value& value,
                                    const CheckOptions& options) {
  Walker walker(schema, options);
  walker.begin();
  const ObjectType* object = walker.addressable(type);
  if (object != nullptr) walker.check_looked_for(*object, property, value);
  return std::move(walker.problems);
}

}  // namespace plan::schema
