#include "compiler/ir/value.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "compiler/ir/secrets.h"

namespace plan::ir {
namespace {
constexpr std::size_t kIndexedFrom = 48;

const Value& null_value() {
  static const Value kNull;
  return kNull;
}
}  // namespace

struct Map::Index {
  std::unordered_multimap<std::size_t, std::size_t>
      positions;  // hash of the key -> position in entries_
};

Map::Map() = default;
Map::~Map() = default;
Map::Map(Map&& other) noexcept = default;
Map& Map::operator=(Map&& other) noexcept = default;
Map::Map(const Map& other)
    : entries_(other.entries_),
      index_(other.index_ ? std::make_unique<Index>(*other.index_) : nullptr) {}
Map& Map::operator=(const Map& other) {
  if (this != &other) *this = Map(other);
  return *this;
}

std::size_t Map::position_of(std::string_view key) const {
  if (index_) {
    const auto [first, last] = index_->positions.equal_range(std::hash<std::string_view>{}(key));
    for (auto it = first; it != last; ++it) {
      if (entries_[it->second].first == key) return it->second;
    }
    return entries_.size();
  }
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.first == key; });
  return static_cast<std::size_t>(found - entries_.begin());
}

const Value* Map::find(std::string_view key) const {
  const std::size_t at = position_of(key);
  return at == entries_.size() ? nullptr : &entries_[at].second;
}

Value* Map::find(std::string_view key) {
  const std::size_t at = position_of(key);
  return at == entries_.size() ? nullptr : &entries_[at].second;
}

const Value& Map::operator[](std::string_view key) const {
  const Value* found = find(key);
  return found == nullptr ? null_value() : *found;
}

void Map::set(std::string key, Value value) {
  if (Value* found = find(key)) {
    *found = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (entries_.size() == kIndexedFrom) {
    index_ = std::make_unique<Index>();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      index_->positions.emplace(std::hash<std::string_view>{}(entries_[i].first), i);
    }
  } else if (index_) {
    index_->positions.emplace(std::hash<std::string_view>{}(entries_.back().first),
                              entries_.size() - 1);
  }
}

bool Map::erase(std::string_view key) {
  const std::size_t at = position_of(key);
  if (at == entries_.size()) return false;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(at));
  if (index_) {
    index_->positions.clear();
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      index_->positions.emplace(std::hash<std::string_view>{}(entries_[i].first), i);
    }
  }
  return true;
}

void Map::reserve(std::size_t count) { entries_.reserve(count); }

std::size_t Map::size() const { return entries_.size(); }
std::vector<Map::Entry>::const_iterator Map::begin() const { return entries_.begin(); }
std::vector<Map::Entry>::const_iterator Map::end() const { return entries_.end(); }
std::vector<Map::Entry>::iterator Map::begin() { return entries_.begin(); }
std::vector<Map::Entry>::iterator Map::end() { return entries_.end(); }

bool operator==(const Map& left, const Map& right) {
  if (left.size() != right.size()) return false;
  return std::all_of(left.begin(), left.end(), [&](const Map::Entry& entry) {
    const Value* other = right.find(entry.first);
    return other != nullptr && *other == entry.second;
  });
}

bool operator==(const Value& left, const Value& right) { return left.data_ == right.data_; }

Value Value::map(std::vector<std::pair<std::string, Value>> entries) {
  Map map;
  for (auto& [key, value] : entries) map.set(std::move(key), std::move(value));
  return Value(std::move(map));
}

bool Value::bool_or(bool fallback) const {
  const bool* value = std::get_if<bool>(&data_);
  return value == nullptr ? fallback : *value;
}

std::int64_t Value::integer_or(std::int64_t fallback) const {
  const std::int64_t* value = std::get_if<std::int64_t>(&data_);
  return value == nullptr ? fallback : *value;
}

double Value::number_or(double fallback) const {
  if (const double* value = std::get_if<double>(&data_)) return *value;
  if (const std::int64_t* value = std::get_if<std::int64_t>(&data_))
    return static_cast<double>(*value);
  return fallback;
}

std::string_view Value::string_or(std::string_view fallback) const {
  const std::string* value = std::get_if<std::string>(&data_);
  return value == nullptr ? fallback : std::string_view(*value);
}

const Value& Value::operator[](std::string_view key) const {
  const Map* map = std::get_if<Map>(&data_);
  return map == nullptr ? null_value() : (*map)[key];
}

const Value& Value::item(std::size_t index) const {
  const List* list = std::get_if<List>(&data_);
  return list == nullptr || index >= list->size() ? null_value() : (*list)[index];
}

const List& Value::items() const {
  static const List kNone;
  const List* list = std::get_if<List>(&data_);
  return list == nullptr ? kNone : *list;
}

const Map& Value::members() const {
  static const Map kNone;
  const Map* map = std::get_if<Map>(&data_);
  return map == nullptr ? kNone : *map;
}

std::size_t Value::size() const { return is_list() ? items().size() : members().size(); }

void Value::set(std::string key, Value value) {
  if (is_null()) data_ = Map();
  as_map().set(std::move(key), std::move(value));
}

void Value::push_back(Value value) {
  if (is_null()) data_ = List();
  as_list().push_back(std::move(value));
}

std::string_view to_string(Value::Type type) {
  switch (type) {
    case Value::Type::null:
      return "null";
    case Value::Type::boolean:
      return "boolean";
    case Value::Type::integer:
      return "integer";
    case Value::Type::number:
      return "number";
    case Value::Type::string:
      return "string";
    case Value::Type::list:
      return "list";
    case Value::Type::map:
      return "map";
    case Value::Type::secret:
      return "secret";
    case Value::Type::output:
      return "output";
  }
  return "null";
}

bool holds_secret(const Value& value) {
  if (value.is_secret()) return true;
  const auto is_holder = [](const auto& item) { return holds_secret(item); };
  const List& items = value.items();
  if (std::any_of(items.begin(), items.end(), is_holder)) return true;
  for (const auto& [unused, member] : value.members()) {
    if (holds_secret(member)) return true;
  }
  return false;
}

}  // namespace plan::ir
