#include "runtime/server/probe/probe_message.h"

#include <fmt/format.h>

#include <array>
#include <ctime>
#include <random>

namespace plan::server::probe {
namespace {

/// RFC 5322 3.3, in UTC.
std::string mail_date(std::int64_t wall_ms) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000",
                     kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                     kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

}  // namespace

ProbeMessage make_probe(std::string_view account, std::string_view entry, std::string_view random,
                        std::int64_t wall_ms) {
  ProbeMessage probe;
  probe.message_id = fmt::format("<plan-probe.{}.{}@plan.invalid>", random, entry);
  probe.text = fmt::format(
      "From: plan probe <probe@plan.invalid>\r\n"
      "To: <{}>\r\n"
      "Subject: plan probe {} by way of {}\r\n"
      "Date: {}\r\n"
      "Message-ID: {}\r\n"
      "Auto-Submitted: auto-generated\r\n"
      "Precedence: junk\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=us-ascii\r\n"
      "\r\n"
      "This message proves where mail for this account is delivered while it is moved to "
      "another\r\n"
      "server. It is removed as soon as it was found. If you read it, it may be deleted.\r\n",
      account, random, entry, mail_date(wall_ms), probe.message_id);
  return probe;
}

std::string random_name() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

}  // namespace plan::server::probe
