#include "compiler/source/error.h"

#include "compiler/source/text.h"

namespace plan {
namespace {
constexpr std::size_t kDetailBytesMax = 500;
constexpr std::size_t kLineBytesMax = 8000;
}  // namespace

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::none:
      return "none";
    case Effect::applied:
      return "applied";
    case Effect::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view to_string(Retry retry) {
  switch (retry) {
    case Retry::never:
      return "never";
    case Retry::safe:
      return "safe";
    case Retry::after:
      return "after";
  }
  return "never";
}

std::string_view to_string(Blame blame) {
  switch (blame) {
    case Blame::plan:
      return "plan";
    case Blame::source:
      return "source";
    case Blame::target:
      return "target";
    case Blame::proxy:
      return "proxy";
    case Blame::network:
      return "network";
    case Blame::local:
      return "local";
  }
  return "local";
}

Error&& Error::with_detail(std::string_view said) && {
  detail_ = printable(said, kDetailBytesMax);
  return std::move(*this);
}

std::string Error::to_line() const {
  std::string line = message_;
  if (!context_.empty()) {
    line += " (";
    for (std::size_t i = 0; i < context_.size(); ++i) {
      if (i != 0) line += ", ";
      line += "while ";
      line += context_[i];
    }
    line += ")";
  }
  if (!detail_.empty()) {
    line += ": ";
    line += detail_;
  }
  // Names of accounts, mailboxes and files may be in it.
  line = printable(line, kLineBytesMax);
  line += " [";
  line += code_->name;
  line += "]";
  return line;
}

}  // namespace plan
