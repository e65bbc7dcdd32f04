#include "runtime/command/command_table.h"
#include "runtime/command/commands.h"
#include "runtime/command/usual_options.h"

namespace plan::command {
namespace {

const OptionSpec kPartial{"--partial", "", "", "a part is meant: exit code 0 all the same"};
const OptionSpec kEndMarks{"--end-marks", "", "", "end every frame with an LZ4 end mark"};
const OptionSpec kChecksums{"--checksums", "", "", "and with a checksum of its content"};

// What `plan dump export` and `import` have in common.
const OptionSpec kStoreArgument{
    "store", "STORE", "",
    "sqlite:FILE, rocksdb:FOLDER, postgresql://USER@HOST:PORT/DATABASE, "
    "mysql://..., or config:FILE (a 0.16 server's config.json)",
    true};
const OptionSpec kSubspaces{
    "--subspaces", "LIST", "", "families, names or letters, with commas; without it all",
    false,         true};
const OptionSpec kBlobs{"--blobs", "FOLDER", "", "the server's file-system blob store"};
const OptionSpec kBlobDepth{"--blob-depth",   "N", "2", "its depth, 0 to 5", false, false,
                            NumberRange{0, 5}};
const OptionSpec kParallel{
    "--parallel", "N", "2", "subspaces at the same time, 1 to 8", false, false, NumberRange{1, 8}};
const OptionSpec kPort{"--port", "LIST",
                       "",       "the server's ports here, 1 to 65535; nothing may answer there",
                       false,    true};
const OptionSpec kPasswordFile{
    "--password-file", "FILE", "",
    "password of the database, `-` is standard input; else PLAN_STORE_PASSWORD"};
const OptionSpec kRocksdbLibrary{"--rocksdb-library", "FILE", "",
                                 "librocksdbjni-linux64.so; else the variable "
                                 "PLAN_ROCKSDB_LIBRARY, else the usual folders"};

}  // namespace

std::vector<CommandSpec> dump_commands() {
  return {
      {.name = "dump inspect",
       .summary = "says what is in a dump of a Stalwart server",
       .text = "A folder that `stalwart --export` or `plan dump export` wrote, or one file of it: "
               "subspaces, records, bytes and digests of each file, whatever is wrong with the "
               "others. Files of 0.8 to 0.14 are read too. Of a store, named as in `plan dump "
               "export`: its schema, which subspaces hold anything, its bytes. Nothing is changed.",
       .example = "plan dump inspect /srv/dump --format json",
       .options = {{"path", "DUMP", "", "a folder, one file, or a store", true},
                   kBlobs,
                   kBlobDepth,
                   kPasswordFile,
                   kRocksdbLibrary,
                   kFormat},
       .run = run_dump_inspect},
      {.name = "dump verify",
       .summary = "reads a dump to its end and says how far it can be trusted",
       .text = "Every frame, record, key and value hash, and what subspaces say of one another. "
               "Grades: proved (equal to a manifest), intact, unprovable (nothing is wrong, but a "
               "dump of the server's own has no end mark, and some losses would leave no trace), "
               "damaged (what, where, and how much can be read). Exit code 1 when damaged.",
       .example = "plan dump verify /srv/dump",
       .options = {{"path", "DUMP", "", "a folder, or one file", true},
                   {"--manifest", "FILE", "",
                    "prove it by this manifest; without it the one beside the dump is taken, `-` "
                    "takes none"},
                   kFormat},
       .run = run_dump_verify},
      {.name = "dump manifest",
       .summary = "writes the manifest by which a dump can be proved later",
       .text = "Make it right after the export, on the machine that wrote the dump: it says what "
               "is there now. A damaged dump is refused. It lies beside the folder as "
               "DUMP.manifest.json, never inside, where the importer would take it for data.",
       .example = "plan dump manifest /srv/dump",
       .options = {{"path", "DUMP", "", "a folder, or one file", true},
                   {"--output", "FILE", "", "where to write it"},
                   {"--replace", "", "", "write over one that is there and does not fit"},
                   kFormat},
       .run = run_dump_manifest},
      {.name = "dump list",
       .summary = "lists what a dump holds",
       .text = "WHAT is accounts, objects (how many of which kind each account has), messages, "
               "records (of one subspace) or registry (0.16: objects by type). --account narrows "
               "all but the last.",
       .example = "plan dump list /srv/dump --what messages --account alice",
       .options = {{"path", "DUMP", "", "a folder", true},
                   {"--what", "WHAT", "accounts",
                    "`accounts`, `objects`, `messages`, `records` or `registry`", false, false,
                    std::nullopt, true},
                   {"--subspace", "LETTER", "", "for records: letter or name"},
                   {"--account", "ACCOUNT", "", "only this one: id, name or address"},
                   {"--limit", "N", "1000", "at most so many, 0 to 100,000", false, false,
                    NumberRange{0, 100'000}},
                   {"--after", "KEY", "", "for records: begin behind this key, in hexadecimal"},
                   kFormat},
       .run = run_dump_list},
      {.name = "dump get",
       .summary = "writes one message or one record of a dump",
       .text = "A message comes out byte for byte as its owner would download it: the header lines "
               "that the server keeps for each recipient, then the shared blob, which is compared "
               "with its hash. A record comes as its value, blobs decoded.",
       .example = "plan dump get /srv/dump --account alice --message 7 --output 7.eml",
       .options = {{"path", "DUMP", "", "a folder", true},
                   {"--account", "ACCOUNT", "", "whose message: id, name or address"},
                   {"--message", "ID", "", "document number, or the id that JMAP shows"},
                   {"--subspace", "LETTER", "", "or a record of this subspace"},
                   {"--key", "KEY", "", "its key in hexadecimal"},
                   {"--output", "FILE", "-", "a new file; `-` is stdout"},
                   kFormat},
       .run = run_dump_get},
      {.name = "dump select",
       .summary = "writes a dump with a part of another",
       .text = "By subspace or family (--only), and by account, domain or tenant, which bring what "
               "they refer to: their rows everywhere, links and blobs. What the chosen subspaces "
               "refer to and would not find is listed (exit code 2); --complete takes it along. "
               "A manifest beside the dump has to fit it; one is written beside the result.",
       .example = "plan dump select /srv/dump --account alice --output /srv/alice",
       .options =
           {{"path", "DUMP", "", "a folder", true},
            {"--output", "FOLDER", "", "a new or empty folder", true},
            {"--only", "WHAT", "", "letters, names or families, with commas", false, true},
            {"--account", "ACCOUNT", "", "id, name or address; may be repeated", false, true},
            {"--domain", "DOMAIN", "", "all accounts of a domain; may be repeated", false, true},
            {"--tenant", "TENANT", "", "all accounts of a tenant; may be repeated", false, true},
            {"--complete", "", "", "take the subspaces along that are referred to"},
            kPartial,
            kEndMarks,
            kChecksums,
            kFormat},
       .run = run_dump_select},
      {.name = "dump merge",
       .summary = "writes one dump from several",
       .text = "Dumps of one schema whose records do not contradict one another: families exported "
               "one by one, or accounts selected from one dump. Under one key the values must be "
               "equal. Choosing, manifests and the exit code are as in `plan dump select`.",
       .example = "plan dump merge /srv/mail /srv/registry --output /srv/whole",
       .options =
           {{"dumps", "DUMP", "", "folders", true, true},
            {"--output", "FOLDER", "", "a new or empty folder", true},
            {"--only", "WHAT", "", "letters, names or families, with commas", false, true},
            {"--account", "ACCOUNT", "", "id, name or address; may be repeated", false, true},
            {"--domain", "DOMAIN", "", "all accounts of a domain; may be repeated", false, true},
            {"--tenant", "TENANT", "", "all accounts of a tenant; may be repeated", false, true},
            kPartial,
            kEndMarks,
            kChecksums,
            kFormat},
       .run = run_dump_merge},
      {.name = "dump diff",
       .summary = "compares two dumps record by record",
       .text = "Whatever their frames look like. Exit code 2 when they differ.",
       .example = "plan dump diff /srv/before /srv/after",
       .options = {{"first", "DUMP", "", "a folder or a file", true},
                   {"second", "DUMP", "", "another", true},
                   kFormat},
       .run = run_dump_diff},
      {.name = "dump convert",
       .summary = "writes a dump anew, for another version or with end marks and checksums",
       .text = "The importer takes end marks and checksums, and only with them can a cut or a "
               "changed byte be told without a manifest. Versions of one schema have the same "
               "layouts. From 0.15 to 0.16 only the mail can go (--mail-only), without accounts "
               "and settings; whatever else is asked for between the two is refused with the "
               "reason. Manifests and the exit code are as in `plan dump select`.",
       .example = "plan dump convert /srv/dump --checksums --output /srv/sealed",
       .options = {{"path", "DUMP", "", "a folder", true},
                   {"--output", "FOLDER", "", "a new or empty folder", true},
                   {"--to", "VERSION", "", "the version that will import it"},
                   {"--mail-only", "", "", "from 0.15 to 0.16: what both lay out alike"},
                   kPartial,
                   kEndMarks,
                   kChecksums,
                   kFormat},
       .run = run_dump_convert},
      {.name = "dump repair",
       .summary = "writes a dump with what can be read of a damaged one",
       .text = "Past blocks that do not decode, damaged headers and further frames, to the next "
               "place where records begin; values that fail their own hash are dropped. Lists "
               "what is gone and what still refers to it. Exit code 2 when anything is lost.",
       .example = "plan dump repair /srv/dump --output /srv/repaired",
       .options = {{"path", "DUMP", "", "a folder, or one file", true},
                   {"--output", "FOLDER", "", "a new or empty folder", true},
                   kFormat},
       .run = run_dump_repair},
      {.name = "dump export",
       .summary = "writes a dump of a stopped server's store, with our own reader",
       .text =
           "The store is only read: not one byte of it changes. It must be stopped on every node: "
           "processes with its files open, locks, other sessions in the database and the ports "
           "named are looked at first. The files are those that `stalwart --export` writes, with a "
           "manifest beside the folder. After a kill the same command goes on. FoundationDB, S3 "
           "and Azure are moved through the server's own binary. RocksDB needs "
           "librocksdbjni-linux64.so of the Maven package org.rocksdb:rocksdbjni.",
       .example = "plan dump export sqlite:/srv/mail/store.sqlite3 /srv/dump",
       .options = {kStoreArgument,
                   {"folder", "DUMP", "", "the new folder", true},
                   kSubspaces,
                   kBlobs,
                   kBlobDepth,
                   kParallel,
                   kPort,
                   kPasswordFile,
                   kRocksdbLibrary,
                   kEndMarks,
                   kChecksums,
                   {"--skip-damaged-blobs", "", "", "leave damaged blobs out, and list them"},
                   kFormat},
       .run = run_dump_export},
      {.name = "dump import",
       .summary = "puts a dump into an empty store, and reads back what it wrote",
       .text =
           "Every file is walked to its end first, and compared with the manifest when one lies "
           "beside the folder. A target that holds anything is refused. What was written is noted "
           "in the target's own transactions: after a kill anywhere the same command goes on, and "
           "nothing is put twice. The schema version, without which no server starts, is written "
           "last, when everything was read back and compared. Blobs go into the store that is "
           "named, or with --blobs into files: the server looks for them where its settings say, "
           "which are in the dump (docs/dump.md has the way with a blob store of its own).",
       .example = "plan dump import postgresql://mail@db.internal/mail /srv/dump",
       .options =
           {kStoreArgument,
            {"folder", "DUMP", "", "the folder of the dump", true},
            kSubspaces,
            kBlobs,
            kBlobDepth,
            kParallel,
            kPort,
            kPasswordFile,
            kRocksdbLibrary,
            {"--compress-blobs", "", "",
             "for 0.15 whose store has compression = \"lz4\"; 0.16 always does"},
            {"--without-data", "", "",
             "import although the schema version (family data) is not among the files"},
            {"--second-part", "", "", "other subspaces of the target may hold rows"},
            {"--compare", "", "", "only compare the store with the dump"},
            {"--take-back", "", "",
             "empty the store again, when it holds this dump or the beginning of its import "
             "and nothing else"},
            {"--empty", "", "",
             "empty the store whatever its tables hold; needs `--yes`, DUMP is not looked at"},
            kYes,
            kFormat},
       .run = run_dump_import},
  };
}

}  // namespace plan::command
