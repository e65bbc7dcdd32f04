// links: dump
// A generated dump of 0.16 with messages of 4 KB metadata and 60 KB blobs, 2 GB decoded;
// PLAN_BENCH_DUMP_MB=10240 makes it 10 GB. Every figure is measured in a process of its own, so
// that its memory is its own, and beside the same files decoded by the lz4 command in the same run.
#include <blake3.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "runtime/dump/frame_writer.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/rewrite.h"
#include "runtime/dump/verify.h"

namespace {

namespace fs = std::filesystem;
using plan::dump::FrameWriter;

constexpr std::size_t kBlobBytes = 60'000;
constexpr std::size_t kMetadataBytes = 4'000;
constexpr std::size_t kPoolBytes = std::size_t{4} << 20U;
constexpr std::uint32_t kAccounts = 200;
constexpr double kMegabyte = 1e6;
constexpr long kKilobytesPerMebibyte = 1024;

/// Words in random order: what headers and text bodies compress like.
std::string make_pool() {
  std::mt19937 random(1);
  std::vector<std::string> words;
  for (int i = 0; i < 20'000; ++i) {
    std::string word;
    for (std::size_t n = 2 + random() % 9; n-- > 0;) word += static_cast<char>('a' + random() % 26);
    words.push_back(word);
  }
  std::string pool;
  while (pool.size() < kPoolBytes) {
    // Most words are frequent ones.
    const std::size_t rank = random() % 4 == 0 ? random() % words.size() : random() % 400;
    pool += words[rank] + (random() % 12 == 0 ? ".\r\n" : " ");
  }
  return pool;
}

void fill(std::string& out, const std::string& pool, std::uint64_t seed, std::size_t bytes) {
  std::minstd_rand random(static_cast<unsigned>(seed * 2654435761U + 1));
  out.clear();
  while (out.size() < bytes) {
    const std::size_t size = std::min<std::size_t>(bytes - out.size(), 200 + random() % 600);
    out.append(pool, random() % (pool.size() - 1000), size);
  }
}

std::string blob_hash(const std::string& blob) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, blob.data(), blob.size());
  std::string hash(BLAKE3_OUT_LEN, '\0');
  blake3_hasher_finalize(&hasher, reinterpret_cast<std::uint8_t*>(hash.data()), hash.size());
  return hash;
}

void check(bool is_right, const char* what) {
  if (is_right) return;
  std::fprintf(stderr, "bench_dump: %s\n", what);
  std::exit(1);
}

std::unique_ptr<FrameWriter> writer_of(const fs::path& folder, char letter) {
  auto writer = FrameWriter::create(folder / plan::dump::file_name_of(letter),
                                    {.letter = letter, .schema = 6}, {.is_behind = true});
  check(writer.has_value(), "cannot write the dump");
  return std::move(*writer);
}

/// Returns the decoded bytes.
std::uint64_t generate(const fs::path& folder, std::uint64_t bytes) {
  fs::create_directories(folder);
  const std::string pool = make_pool();
  const std::size_t blobs = bytes / 2 / kBlobBytes;
  const std::size_t messages = bytes / 2 / kMetadataBytes;
  std::string content;
  std::vector<std::pair<std::string, std::uint64_t>> order;
  for (std::uint64_t i = 0; i < blobs; ++i) {
    fill(content, pool, i, kBlobBytes);
    order.emplace_back(blob_hash(content), i);
  }
  std::sort(order.begin(), order.end());
  std::uint64_t total = 0;
  const auto finish = [&](std::unique_ptr<FrameWriter> writer) {
    const auto written = writer->finish();
    check(written.has_value(), "cannot finish a file of the dump");
    total += written->key_bytes + written->value_bytes;
  };
  for (const char letter : {'a', 'i', 'u'}) finish(writer_of(folder, letter));
  auto t = writer_of(folder, 't');
  for (const auto& [hash, seed] : order) {
    fill(content, pool, seed, kBlobBytes);
    check(t->append({.key = hash, .value = content}).has_value(), "cannot write t");
  }
  finish(std::move(t));
  const auto per_account = static_cast<std::uint32_t>(messages / kAccounts);
  auto p = writer_of(folder, 'p');
  auto n = writer_of(folder, 'n');
  check(p->append({.key = std::string(1, '\0'), .value = std::string("\0\0\0\6", 4)}).has_value(),
        "cannot write p");
  std::vector<std::vector<std::string>> links(order.size());
  for (std::uint32_t account = 1; account <= kAccounts; ++account) {
    std::string counter_key, counter;
    plan::dump::append_big(counter_key, account, 4);
    counter_key += '\0';
    plan::dump::append_little(counter, per_account, 8);
    check(n->append({.key = counter_key, .value = counter}).has_value(), "cannot write n");
    for (std::uint32_t document = 0; document < per_account; ++document) {
      const std::size_t blob = (std::size_t{account} * per_account + document) % order.size();
      std::string key;
      plan::dump::append_big(key, account, 4);
      key += std::string("\x00\x47", 2);
      plan::dump::append_big(key, document, 4);
      fill(content, pool, std::uint64_t{account} << 32U | document, kMetadataBytes - 73);
      content += std::string(4, '\0');
      plan::dump::append_little(content, 1'790'000'000, 8);
      content += order[blob].first;
      plan::dump::append_little(content, 600, 4);  // the body's place in the blob
      content += std::string(8, '\0');
      const auto place = static_cast<std::uint32_t>(content.size());
      plan::dump::append_little(content, 0U - place, 4);  // the header lines stand at the front
      plan::dump::append_little(content, 600, 4);
      content += std::string(4, '\0');
      plan::dump::append_big(content, XXH3_64bits(content.data(), content.size()) & 0xFFFFFFFFU, 4);
      content += '\xA0';
      check(p->append({.key = key, .value = content}).has_value(), "cannot write p");
      links[blob].push_back(key.substr(0, 5) + key.substr(6));
    }
  }
  finish(std::move(p));
  finish(std::move(n));
  auto k = writer_of(folder, 'k');
  for (std::size_t blob = 0; blob < order.size(); ++blob) {
    std::sort(links[blob].begin(), links[blob].end());
    bool is_written = k->append({.key = order[blob].first}).has_value();
    for (const std::string& link : links[blob])
      is_written = is_written && k->append({.key = order[blob].first + link}).has_value();
    check(is_written, "cannot write k");
  }
  finish(std::move(k));
  return total;
}

std::uint64_t decoded_bytes(const fs::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    auto reader = plan::dump::FrameReader::open(entry.path());
    check(reader.has_value(), "cannot read the dump");
    while (*(*reader)->next()) {
    }
    bytes += (*reader)->key_bytes() + (*reader)->value_bytes_total();
  }
  return bytes;
}

std::uint64_t file_bytes_in(const fs::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder)) bytes += entry.file_size();
  return bytes;
}

/// What the disk alone takes for as many bytes: written and synced, nothing else.
bool write_plainly(const fs::path& path, const std::string& piece, std::uint64_t bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool is_written = file >= 0;
  while (is_written && bytes > 0) {
    const ssize_t count = ::write(file, piece.data(), std::min<std::uint64_t>(bytes, piece.size()));
    is_written = count > 0;
    if (is_written) bytes -= static_cast<std::uint64_t>(count);
  }
  is_written = is_written && ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  ::unlink(path.c_str());
  return is_written;
}

struct Measured {
  double seconds = 0;
  double cpu_seconds = 0;
  double mebibytes = 0;
};

/// Runs `work` in a child; its exit code is whether it went well.
Measured measure(const std::function<bool()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = fork();
  check(child >= 0, "cannot fork");
  if (child == 0) _exit(work() ? 0 : 1);
  int status = 0;
  struct rusage usage = {};
  check(wait4(child, &status, 0, &usage) == child, "cannot wait");
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "what was measured failed");
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {
      .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
      .cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
      .mebibytes = static_cast<double>(usage.ru_maxrss) / kKilobytesPerMebibyte};
}

void print(std::string_view figure, double value, std::string_view unit, std::string_view better,
           std::string_view peer, double peer_value, double ratio, std::string_view goal) {
  fmt::print(
      R"({{"figure":"{}","value":{:.3f},"unit":"{}","better":"{}","peer":"{}","peer_value":{:.3f},"ratio":{:.3f},"goal":"{}"}})"
      "\n",
      figure, value, unit, better, peer, peer_value, ratio, goal);
}

}  // namespace

int main() {
  const char* wanted = ::getenv("PLAN_BENCH_DUMP_MB");
  const std::uint64_t megabytes = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 2048;
  std::string pattern = (fs::temp_directory_path() / "plan-bench-XXXXXX").string();
  check(mkdtemp(pattern.data()) != nullptr, "no temporary folder");
  const fs::path folder = pattern;
  const fs::path dump = folder / "dump";
  const Measured generation = measure([&] { return generate(dump, megabytes * 1'000'000) > 0; });
  const std::uint64_t decoded = decoded_bytes(dump);
  std::fprintf(stderr, "generated %.0f MB in %.1f s\n", static_cast<double>(decoded) / kMegabyte,
               generation.seconds);
  const std::string decode = fmt::format(
      "for f in '{}'/*; do lz4 -dcq \"$f\" > /dev/null 2>&1; done; true", dump.string());
  const auto best_of_three = [](const std::function<Measured()>& run) {
    Measured best = run();
    for (int i = 0; i < 2; ++i) {
      const Measured again = run();
      if (again.seconds < best.seconds) best.seconds = again.seconds;
      best.cpu_seconds = std::min(best.cpu_seconds, again.cpu_seconds);
      best.mebibytes = std::max(best.mebibytes, again.mebibytes);
    }
    return best;
  };
  const Measured lz4 =
      best_of_three([&] { return measure([&] { return std::system(decode.c_str()) == 0; }); });
  const auto verify = [&](bool is_digested) {
    return best_of_three([&] {
      return measure([&] {
        const auto report =
            plan::dump::verify_dump(dump, {.is_digested = is_digested, .manifest = "-"});
        return report && report->grade == plan::dump::Grade::unprovable;
      });
    });
  };
  const Measured verified = verify(false);
  std::fprintf(stderr, "processor time: verify %.2f s, lz4 %.2f s\n", verified.cpu_seconds,
               lz4.cpu_seconds);
  print("dump verify", verified.seconds, "s", "lower", "lz4 -dc", lz4.seconds,
        verified.seconds / lz4.seconds, "<=1.25");
  const Measured digested = verify(true);
  print("dump verify with SHA-256 of files and records", digested.seconds, "s", "lower", "lz4 -dc",
        lz4.seconds, digested.seconds / lz4.seconds, "<=3");
  print("dump verify memory", std::max(verified.mebibytes, digested.mebibytes), "MiB", "lower", "",
        0, 0, "<=64");
  // Of what is read, decoded.
  const auto rate = [&](const Measured& measured, std::uint64_t more = 0) {
    return static_cast<double>(decoded + more) / kMegabyte / measured.seconds;
  };
  const auto rewrite = [&](std::vector<std::string> dumps, const std::string& name,
                           plan::dump::RewriteOptions options) {
    // What earlier files and removals still have to do on the disk is not this one's.
    const Measured measured = best_of_three([&] {
      fs::remove_all(folder / name);
      fs::remove(folder / (name + ".manifest.json"));
      ::sync();
      return measure([&] {
        const auto done = plan::dump::rewrite_dumps(dumps, folder / name, options);
        if (!done) std::fprintf(stderr, "%s\n", done.error().to_line().c_str());
        return done.has_value();
      });
    });
    std::fprintf(stderr, "processor time: %s %.2f s\n", name.c_str(), measured.cpu_seconds);
    return measured;
  };
  // Beside each figure what the disk alone makes of the bytes of that result, in the same run: most
  // of what is written here is waited for.
  const auto print_rate = [&](std::string_view figure, const Measured& measured,
                              const std::string& result, std::uint64_t more = 0) {
    static const std::string pool = make_pool();
    const std::uint64_t bytes = file_bytes_in(folder / result);
    const Measured plain = best_of_three([&] {
      ::sync();
      return measure([&] { return write_plainly(folder / "plain", pool, bytes); });
    });
    print(figure, rate(measured, more), "MB/s", "higher", "write and fsync of as many bytes",
          rate(plain, more), rate(measured, more) / rate(plain, more), ">=500");
  };
  double memory = 0;
  const Measured families = rewrite({dump}, "families", {});
  print_rate("dump select of families", families, "families");
  std::vector<std::string> half;
  for (std::uint32_t account = 1; account <= kAccounts / 2; ++account)
    half.push_back(std::to_string(account));
  const Measured accounts = rewrite({dump}, "half", {.wanted = {.accounts = half}});
  print_rate("dump select of half of the accounts", accounts, "half");
  std::vector<std::string> parts;
  for (const std::string family : {"data", "blob"}) {
    memory =
        std::max(memory, rewrite({dump}, family, {.wanted = {.subspaces = {family}}}).mebibytes);
    parts.push_back(folder / family);
  }
  const Measured merged = rewrite(parts, "merged", {});
  print_rate("dump merge of families", merged, "merged");
  const Measured overlapping = rewrite({(folder / "half").string(), dump.string()}, "both", {});
  print_rate("dump merge of overlapping dumps", overlapping, "both",
             decoded_bytes(folder / "half"));
  for (const Measured& measured : {families, accounts, merged, overlapping})
    memory = std::max(memory, measured.mebibytes);
  print("dump select and merge memory", memory, "MiB", "lower", "", 0, 0, "<=64");
  fs::remove_all(folder);
  return 0;
}
