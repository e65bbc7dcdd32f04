#include "runtime/command/program_digest.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include "compiler/ir/digest.h"

namespace plan::command {
namespace {

constexpr std::string_view kGnu{"GNU\0", 4};

struct Found {
  ir::Sha256Stream ids = {};
  bool is_complete = true;
};

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

/// The build id among the notes of one loaded segment; empty when there is none.
std::string_view build_id_in(std::string_view notes) {
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header = {};
    std::memcpy(&header, notes.data(), sizeof header);
    notes.remove_prefix(sizeof header);
    const std::size_t name_size = padded(header.n_namesz);
    const std::size_t value_size = padded(header.n_descsz);
    if (name_size > notes.size() || value_size > notes.size() - name_size) return {};
    if (header.n_type == NT_GNU_BUILD_ID && notes.substr(0, header.n_namesz) == kGnu)
      return notes.substr(name_size, header.n_descsz);
    notes.remove_prefix(name_size + value_size);
  }
  return {};
}

int look(dl_phdr_info* object, std::size_t /*size*/, void* data) {
  auto& found = *static_cast<Found*>(data);
  for (ElfW(Half) i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = object->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const auto* begin =
        reinterpret_cast<const char*>(object->dlpi_addr + header.p_vaddr);  // NOLINT
    const std::string_view id = build_id_in({begin, header.p_memsz});
    if (id.empty()) continue;
    found.ids.update(ir::to_hex(id) + "\n");
    return 0;
  }
  // What the kernel brings itself is no part of how a plan is compiled.
  if (std::strncmp(object->dlpi_name, "linux-", 6) != 0) found.is_complete = false;
  return 0;
}

}  // namespace

std::optional<std::string> program_digest() {
  Found found;
  dl_iterate_phdr(look, &found);
  if (!found.is_complete) return std::nullopt;
  return found.ids.finish().hex();
}

}  // namespace plan::command
