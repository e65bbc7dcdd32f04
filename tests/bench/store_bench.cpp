// links: dump test_support
// Export from and import into each kind of store, on this machine, beside what the real program was
// recorded with (reference/stalwart-store.md 0.1) and beside a plain COPY of the same rows.
// PLAN_BENCH_MB sets how much (default 512 MB of messages of 4 kB and 60 kB, which compress as mail
// does). Every figure is of one run.
#include <blake3.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include "runtime/dump/frame_writer.h"
#include "runtime/dump/manifest.h"
#include "runtime/dump/store/export_store.h"
#include "runtime/dump/store/import_store.h"
#include "runtime/dump/store/sql_connections.h"
#include "runtime/dump/subspace.h"
#include "tests/support/database_server.h"
#include "tests/support/temp_dir.h"

namespace {

using Clock = std::chrono::steady_clock;
using plan::dump::Record;

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

void print(std::string_view figure, double value, std::string_view unit, std::string_view peer,
           double peer_value, double goal, bool is_higher_better = true) {
  std::printf(
      R"({"figure":"%s","value":%.1f,"unit":"%s","better":"%s","peer":"%s","peer_value":%.1f,"ratio":%.2f,"goal":%.2f})"
      "\n",
      std::string(figure).c_str(), value, std::string(unit).c_str(),
      is_higher_better ? "higher" : "lower", std::string(peer).c_str(), peer_value,
      peer_value > 0 ? value / peer_value : 0.0, goal);
  std::fflush(stdout);
}

std::string blake3(std::string_view bytes) {
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  std::string digest(BLAKE3_OUT_LEN, '\0');
  blake3_hasher_finalize(&hasher, reinterpret_cast<std::uint8_t*>(digest.data()), digest.size());
  return digest;
}

// Words of a small vocabulary and base64-like lines: about half the size when packed, as mail is.
std::string message(std::mt19937_64& random, std::size_t bytes) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = fmt::format("Message-ID: <{}@example.org>\r\n\r\n", random());
  while (text.size() < bytes) {
    if (random() % 2 == 0) {
      text += "the quick brown fox jumps over the lazy dog, said somebody else again\r\n";
    } else {
      for (int i = 0; i < 72; ++i) text += kLetters[random() % kLetters.size()];
      text += "\r\n";
    }
  }
  text.resize(bytes);
  return text;
}

/// A dump of 0.16 with the subspaces that matter for speed; returns keys and values in bytes.
std::uint64_t make_dump(const std::string& folder, std::uint64_t wanted) {
  std::filesystem::create_directories(folder);
  std::mt19937_64 random(7);
  std::map<std::string, std::uint64_t> blobs;  // digest -> seed: content is made again when written
  std::map<std::string, std::size_t> sizes;
  std::uint64_t bytes = 0;
  for (std::uint64_t seed = 1; bytes < wanted; ++seed) {
    const std::size_t size = seed % 8 == 0 ? 60'000 : 4'000;
    std::mt19937_64 own(seed);
    const std::string digest = blake3(message(own, size));
    blobs[digest] = seed;
    sizes[digest] = size;
    bytes += size;
  }
  std::vector<plan::dump::WrittenFile> files;
  std::uint64_t total = 0;
  const auto write = [&](char letter, const auto& rows) {
    auto writer = plan::dump::FrameWriter::create(folder + "/" + plan::dump::file_name_of(letter),
                                                  {letter, 6}, {.is_behind = true});
    rows([&](std::string_view key, std::string_view value) {
      total += key.size() + value.size();
      if (!(*writer)->append({key, value})) std::abort();
    });
    files.push_back(*(*writer)->finish());
  };
  write('t', [&](const auto& put) {
    for (const auto& [digest, seed] : blobs) {
      std::mt19937_64 own(seed);
      put(digest, message(own, sizes[digest]));
    }
  });
  const std::string tail("\0\0\0\1\0\0\0\0\1", 9);
  write('k', [&](const auto& put) {
    for (const auto& [digest, seed] : blobs) put(digest + tail, "");
  });
  write('p', [&](const auto& put) {
    put(std::string_view("\0", 1), std::string_view("\0\0\0\6", 4));
    for (std::uint32_t number = 1; number <= blobs.size(); ++number) {
      std::string key("\0\0\0\1\0\x47\0\0\0\0", 10);
      for (unsigned i = 0; i < 4; ++i) key[9 - i] = static_cast<char>(number >> (8 * i) & 0xFFU);
      put(key, std::string(600, 'm'));
    }
  });
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  if (!plan::dump::write_manifest(plan::dump::manifest_of(files),
                                  plan::dump::manifest_path_of(folder))) {
    std::abort();
  }
  return total;
}

struct Measured {
  double seconds = 0;
  double processor_seconds =
      0;  // ours, without the database server's: what a busy machine leaves alone
  double peak_mib = 0;
};

/// In a process of its own, so that its peak memory is that of this one transfer.
template <class Work>
Measured measure(std::string_view what, const Work& work) {
  const auto begun = Clock::now();
  const pid_t child = fork();
  if (child == 0) {
    const auto report = work();
    if (!report) std::fprintf(stderr, "%s\n", report.error().to_line().c_str());
    _exit(report ? 0 : 1);
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  if (status != 0) {
    std::fprintf(stderr, "%s failed\n", std::string(what).c_str());
    return {};
  }
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {seconds_since(begun), of(usage.ru_utime) + of(usage.ru_stime),
          static_cast<double>(usage.ru_maxrss) / 1024.0};
}

/// The same rows through COPY of psql's kind: read from memory-sized pieces, one transaction a
/// table, no notes, no reading back.
double copy_rows(const plan::dump::StoreAddress& address, const std::string& folder) {
  const Measured measured = measure("COPY", [&]() -> plan::Result<int> {
    PLAN_TRY(connection, plan::dump::open_postgresql(address));
    for (const char letter : {'t', 'k', 'p'}) {
      PLAN_TRY_VOID(connection.execute(
          fmt::format("CREATE TABLE {} (k BYTEA PRIMARY KEY, v BYTEA NOT NULL)", letter)));
      PLAN_TRY_VOID(connection.begin_copy_in(
          fmt::format("COPY {} (k, v) FROM STDIN (FORMAT binary)", letter)));
      PLAN_TRY(reader, plan::dump::FrameReader::open(
                           folder + "/" + plan::dump::file_name_of(letter), {.is_ahead = true}));
      std::string rows;
      while (true) {
        PLAN_TRY(record, reader->next_record());
        if (!record) break;
        plan::store::append_copied_row(rows, record->key, record->value);
        if (rows.size() < (std::size_t{1} << 20U)) continue;
        PLAN_TRY_VOID(connection.copy_in(rows));
        rows.clear();
      }
      PLAN_TRY_VOID(connection.copy_in(rows));
      PLAN_TRY_VOID(connection.end_copy_in());
    }
    return 0;
  });
  return measured.seconds;
}

}  // namespace

int main() {
  const char* variable = std::getenv("PLAN_BENCH_MB");
  const std::uint64_t wanted = (variable == nullptr ? 512 : std::strtoull(variable, nullptr, 10))
                               << 20U;
  plan::test::TempDir folder;
  const std::string dump = folder.file("dump");
  const double megabytes = static_cast<double>(make_dump(dump, wanted)) / 1e6;
  std::string why;
  const std::string library = plan::test::rocksdb_library(why);
  const auto postgres = plan::test::PostgresServer::start(why);
  const auto maria = plan::test::MariaServer::start(why);

  const auto both = [&](std::string_view name, const plan::dump::StoreAddress& address,
                        double import_peer, double export_peer, double import_goal,
                        double export_goal, std::string_view peer) {
    const std::string out = folder.file(std::string(name));
    const Measured in =
        measure("import", [&] { return plan::dump::import_store(address, {.folder = dump}); });
    print(fmt::format("import into {}, read back", name), megabytes / in.seconds, "MB/s", peer,
          import_peer, import_goal);
    const Measured back =
        measure("export", [&] { return plan::dump::export_store(address, {.folder = out}); });
    print(fmt::format("export from {}", name), megabytes / back.seconds, "MB/s", peer, export_peer,
          export_goal);
    print(fmt::format("import into {}, by our processor time", name),
          megabytes / in.processor_seconds, "MB/s", peer, import_peer, import_goal);
    print(fmt::format("export from {}, by our processor time", name),
          megabytes / back.processor_seconds, "MB/s", peer, export_peer, export_goal);
    print(fmt::format("memory of import into {}", name), in.peak_mib, "MiB", "bound", 64, 1, false);
    print(fmt::format("memory of export from {}", name), back.peak_mib, "MiB", "bound", 64, 1,
          false);
    std::filesystem::remove_all(out);
  };
  plan::dump::StoreAddress sqlite;
  sqlite.path = folder.file("store.sqlite");
  both("SQLite", sqlite, 61, 107, 2, 2, "stalwart 0.16.15, recorded");
  std::filesystem::remove(sqlite.path);
  if (!library.empty()) {
    plan::dump::StoreAddress rocksdb;
    rocksdb.kind = plan::dump::StoreKind::rocksdb;
    rocksdb.path = folder.file("rocks");
    rocksdb.rocksdb_library = library;
    both("RocksDB", rocksdb, 82, 45.5, 1, 3, "stalwart 0.16.15, recorded");
    std::filesystem::remove_all(rocksdb.path);
  }
  if (postgres) {
    const auto copied = plan::dump::parse_store_address(postgres->new_database("copied"));
    const auto ours = plan::dump::parse_store_address(postgres->new_database("ours"));
    const double seconds = copy_rows(*copied, dump);
    both("PostgreSQL", *ours, megabytes / seconds, 0, 0.7, 0, "COPY of the same rows");
  }
  if (maria) {
    const auto ours = plan::dump::parse_store_address(maria->new_database("ours"));
    both("MariaDB", *ours, 0, 0, 0, 0, "none");
  }
  return 0;
}
