// The only file that includes nlohmann/json: it costs seconds to compile and its type is not ours
// to pass around.
#include "compiler/ir/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "compiler/ir/errors.h"
#include "compiler/source/json_string.h"
#include "compiler/source/text.h"

namespace plan::ir {
namespace {

// Builds Values from parser events, with the depth bounded before anything recurses.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(std::size_t depth_max) : depth_max_(depth_max) {}

  bool null() override { return add(Value()); }
  bool boolean(bool value) override { return add(Value(value)); }
  bool number_integer(number_integer_t value) override { return add(Value(std::int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) override {
    return value <= INT64_MAX ? add(Value(static_cast<std::int64_t>(value)))
                              : add(Value(static_cast<double>(value)));
  }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    return add(Value(value));
  }
  bool string(string_t& value) override { return add(Value(std::move(value))); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return open(Value(Map())); }
  bool key(string_t& value) override {
    if (stack_.back().members().contains(value)) {
      problem_ = fmt::format("member `{}` is there twice", printable(value, 80));
      return false;
    }
    keys_.back() = std::move(value);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*size*/) override { return open(Value(List())); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string& /*last*/,
                   const nlohmann::detail::exception& error) override {
    position_ = position;
    problem_ = error.what();
    return false;
  }

  Value result;
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// None where the text is JSON, and has a member twice.
  [[nodiscard]] std::optional<std::size_t> position() const { return position_; }
  [[nodiscard]] bool is_too_deep() const { return is_too_deep_; }

 private:
  bool add(Value value) {
    if (stack_.empty()) {
      result = std::move(value);
    } else if (stack_.back().is_map()) {
      // The key was compared with all others before; appending keeps large maps linear.
      stack_.back().as_map().set(std::move(keys_.back()), std::move(value));
    } else {
      stack_.back().as_list().push_back(std::move(value));
    }
    return true;
  }
  bool open(Value value) {
    if (stack_.size() >= depth_max_) {
      is_too_deep_ = true;
      return false;
    }
    stack_.push_back(std::move(value));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    Value value = std::move(stack_.back());
    stack_.pop_back();
    keys_.pop_back();
    return add(std::move(value));
  }

  std::vector<Value> stack_;
  std::vector<std::string> keys_;
  std::string problem_;
  std::optional<std::size_t> position_;
  std::size_t depth_max_;
  bool is_too_deep_ = false;
};

void write_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
  } else if (value == std::floor(value) && std::abs(value) < 9.0e15) {
    out += fmt::format("{:.0f}", value + 0.0);  // -0 is read as the integer 0
  } else {
    out += fmt::format("{}", value);
  }
}

struct Style {
  int indent = 0;
  bool is_sorted = false;
};

void write(std::string& out, const Value& value, const Style& style, int depth);

void write_break(std::string& out, const Style& style, int depth) {
  if (style.indent == 0) return;
  out += '\n';
  out.append(static_cast<std::size_t>(style.indent * depth), ' ');
}

void write_map(std::string& out, const Map& map, const Style& style, int depth) {
  std::vector<const Map::Entry*> entries;
  for (const auto& entry : map) entries.push_back(&entry);
  const auto is_before = [](const auto* a, const auto* b) { return a->first < b->first; };
  if (style.is_sorted && !std::is_sorted(entries.begin(), entries.end(), is_before))
    std::sort(entries.begin(), entries.end(), is_before);
  out += '{';
  bool is_first = true;
  for (const auto* entry : entries) {
    if (!is_first) out += ',';
    is_first = false;
    write_break(out, style, depth + 1);
    append_json_string(out, entry->first);
    out += style.indent == 0 ? ":" : ": ";
    write(out, entry->second, style, depth + 1);
  }
  if (!is_first) write_break(out, style, depth);
  out += '}';
}

void write(std::string& out, const Value& value, const Style& style, int depth) {
  switch (value.type()) {
    case Value::Type::null:
      out += "null";
      return;
    case Value::Type::boolean:
      out += value.bool_or(false) ? "true" : "false";
      return;
    case Value::Type::integer:
      out += std::to_string(value.as_integer());
      return;
    case Value::Type::number:
      write_number(out, value.number_or(0));
      return;
    case Value::Type::string:
      append_json_string(out, value.as_string());
      return;
    case Value::Type::list: {
      out += '[';
      bool is_first = true;
      for (const Value& item : value.items()) {
        if (!is_first) out += ',';
        is_first = false;
        write_break(out, style, depth + 1);
        write(out, item, style, depth + 1);
      }
      if (!is_first) write_break(out, style, depth);
      out += ']';
      return;
    }
    case Value::Type::map:
      write_map(out, value.as_map(), style, depth);
      return;
    case Value::Type::secret: {
      const SecretRef& ref = value.as_secret();
      write(out,
            Value::map({{"$secret", Value::map({{"name", ref.name}, {"provider", ref.provider}})}}),
            style, depth);
      return;
    }
    case Value::Type::output: {
      const OutputRef& ref = value.as_output();
      write(out, Value::map({{"$output", Value::map({{"field", ref.field}, {"step", ref.step}})}}),
            style, depth);
      return;
    }
  }
}

Value restore(Value value) {
  if (value.is_list()) {
    for (Value& item : value.as_list()) item = restore(std::move(item));
  } else if (value.is_map()) {
    if (value.size() == 1) {
      if (const Value& secret = value["$secret"]; secret.is_map()) {
        return SecretRef{std::string(secret["provider"].string_or("")),
                         std::string(secret["name"].string_or(""))};
      }
      if (const Value& output = value["$output"]; output.is_map()) {
        return OutputRef{std::string(output["step"].string_or("")),
                         std::string(output["field"].string_or(""))};
      }
    }
    for (auto& [key, member] : value.as_map()) member = restore(std::move(member));
  }
  return value;
}

}  // namespace

Result<Value> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return Error(errors::json_too_large,
                 fmt::format("JSON text has {}, at most {} are read", show_bytes(text.size()),
                             show_bytes(limits.bytes_max)));
  }
  Builder builder(limits.depth_max);
  bool is_read = false;
  try {
    is_read = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  } catch (const std::exception& failure) {
    return Error(errors::bad_json, "text is not JSON").with_detail(failure.what());
  }
  if (builder.is_too_deep()) {
    return Error(errors::json_too_large,
                 fmt::format("JSON text is nested deeper than {}", limits.depth_max));
  }
  if (!is_read) {
    if (!builder.position())
      return Error(errors::bad_json, "text cannot be read as JSON").with_detail(builder.problem());
    const std::size_t at = std::min(*builder.position(), text.size());
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
    return Error(errors::bad_json, fmt::format("text is not JSON, line {}, byte {}", line, at))
        .with_detail(builder.problem());
  }
  return std::move(builder.result);
}

std::string write_json(const Value& value, int indent) {
  std::string out;
  write(out, value, Style{indent, false}, 0);
  return out;
}

std::string canonical_json(const Value& value) {
  std::string out;
  write(out, value, Style{0, true}, 0);
  return out;
}

Result<Value> read_canonical(std::string_view text, const JsonLimits& limits) {
  PLAN_TRY(value, parse_json(text, limits));
  return restore(std::move(value));
}

}  // namespace plan::ir
