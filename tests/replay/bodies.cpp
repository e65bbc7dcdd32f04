#include "bodies.h"

#include <array>
#include <charconv>
#include <random>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::replay {
namespace {

using ir::Value;

std::size_t number_in(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  std::size_t number = 0;
  bool has_digit = false;
  for (std::size_t i = at == std::string_view::npos ? text.size() : at + before.size();
       i < text.size(); ++i) {
    if (text[i] == ',' && has_digit) continue;  // 9,999,800
    if (text[i] < '0' || text[i] > '9') break;
    number = number * 10 + static_cast<std::size_t>(text[i] - '0');
    has_digit = true;
  }
  return number;
}

std::string call(std::string_view method, std::string_view arguments) {
  return R"({"using": ["urn:ietf:params:jmap:core", "urn:stalwart:jmap"], "methodCalls": [[")" +
         std::string(method) + "\", " + std::string(arguments) + R"(, "c0"]]})";
}

// The creation id that the answer names: the object was called the same in lower case.
std::string creation_id(const Value& record) {
  const Value& answer = record["response"]["body"]["methodResponses"].item(0).item(1);
  for (const char* list : {"created", "notCreated"})
    for (const auto& [name, value] : answer[list].members()) return name;
  return {};
}

std::string quoted(std::string_view text) { return ir::write_json(Value(text)); }

// A request that the recording describes in words.
std::optional<std::string> described(const Value& record, std::string_view how,
                                     const Captures& captures) {
  const std::string id = creation_id(record);
  const std::string name = lower_ascii(id);
  if (how.starts_with("recipients user")) {
    const std::size_t count = number_in(how, "..user") + 1;
    std::string recipients;
    for (std::size_t i = 0; i < count; ++i) {
      std::string digits = std::to_string(i);
      digits.insert(0, 6 - digits.size(), '0');
      recipients += (i == 0 ? "\"user" : ", \"user") + digits +
                    "@some-longer-domain-name.example.org\": true";
    }
    const auto domain = captures.find("d1");
    return call("x:MailingList/set", "{\"create\": {" + quoted(id) +
                                         ": {\"name\": " + quoted(name) + ", \"domainId\": \"" +
                                         (domain == captures.end() ? "b" : domain->second) +
                                         "\", \"recipients\": {" + recipients + "}}}}");
  }
  if (how.starts_with("\"# \" + ")) {
    const std::size_t count = number_in(how, "\"# \" + ");
    std::string content = "# ";
    if (how.find("random") != std::string_view::npos) {
      std::mt19937 random(7);
      constexpr std::string_view kAlphabet =
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
      for (std::size_t i = 0; i < count; ++i) content += kAlphabet[random() % 64];
    } else {
      for (std::size_t i = 0; i < count; ++i) content += "0123456789abcdef";
    }
    content += "\nkeep;\n";
    return call("x:SieveSystemScript/set", "{\"create\": {" + quoted(id) +
                                               ": {\"name\": " + quoted(name) +
                                               ", \"contents\": " + quoted(content) + "}}}");
  }
  if (how.starts_with("Core/echo with {\"a\": "))
    return call("Core/echo", "{\"a\": \"" + std::string(number_in(how, "{\"a\": "), 'x') + "\"}");
  if (how.starts_with("Core/echo with an argument of "))
    return call("Core/echo",
                "{\"a\": \"" + std::string(number_in(how, "an argument of "), 'x') + "\"}");
  return std::nullopt;
}

// An upload of which size and beginning are kept: what it says does not matter to the exchange.
std::optional<std::string> of_size(const Value& record, const Value& body) {
  const auto size = static_cast<std::size_t>(body["$size"].integer_or(0));
  const Value& type = record["request"]["headers"]["content-type"];
  std::string out(body["$head"].string_or(""));
  if (body["$fill"].is_string()) {
    const std::string tail(body["$tail"].string_or(""));
    if (out.size() + tail.size() > size) return std::nullopt;
    return out + std::string(size - out.size() - tail.size(), body["$fill"].as_string()[0]) + tail;
  }
  if (out.empty() && type.string_or("") == "message/rfc822") {
    // Distinct ones stay distinct.
    out = "From: a@b.test\r\nSubject: " + std::string(body["$sha256"].string_or("")).substr(0, 16) +
          "\r\n\r\n";
  } else if (out.empty() && type.string_or("") == "application/sieve") {
    out = "# ";
  }
  if (out.empty() || out.size() > size) return std::nullopt;
  const char fill = out.find("\r\n\r\n") == std::string::npos ? 'h' : 'z';
  const std::string end = fill == 'h' && out.starts_with("Subject") ? "\r\n\r\nx\r\n" : "\r\n";
  out.resize(size - std::min(size, end.size()), fill);
  return out + end;
}

}  // namespace

std::string substitute(std::string text, const Captures& captures) {
  std::size_t at = 0;
  while ((at = text.find("${", at)) != std::string::npos) {
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) break;
    const std::string name = text.substr(at + 2, end - at - 2);
    std::string value;
    if (name.starts_with("repeat:") && name.size() > 9) {
      value = std::string(static_cast<std::size_t>(std::stoul(name.substr(9))), name[7]);
    } else if (const auto found = captures.find(name); found != captures.end()) {
      value = found->second;
    } else {
      at = end;
      continue;
    }
    text.replace(at, end - at + 1, value);
    at += value.size();
  }
  return text;
}

Value substitute(const Value& value, const Captures& captures) {
  if (value.is_string()) return substitute(value.as_string(), captures);
  if (value.is_list()) {
    Value out = Value::list();
    for (const Value& item : value.items()) out.push_back(substitute(item, captures));
    return out;
  }
  if (!value.is_map()) return value;
  Value out = Value::map();
  for (const auto& [name, member] : value.members())
    out.set(substitute(name, captures), substitute(member, captures));
  return out;
}

std::optional<std::string> request_body(const Value& record, const Captures& captures) {
  const Value& request = record["request"];
  const Value& body =
      request.members().contains("bodyTemplate") ? request["bodyTemplate"] : request["body"];
  if (body.is_null()) return std::string{};
  if (body.is_string()) return substitute(body.as_string(), captures);
  if (body.is_map() && (body.members().contains("$size") || body.members().contains("$how"))) {
    const Value& words = body["$how"].is_string() ? body["$how"] : body["$text"];
    if (words.is_string()) return described(record, words.as_string(), captures);
    return of_size(record, body);
  }
  if (body["$text"].is_string()) return substitute(body["$text"].as_string(), captures);
  if (body["$base64"].is_string()) {
    bool is_valid = false;
    return ir::from_base64(body["$base64"].as_string(), &is_valid);
  }
  return ir::write_json(substitute(body, captures));
}

}  // namespace plan::replay
