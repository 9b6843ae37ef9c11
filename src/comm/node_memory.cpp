// Shared memory as an anonymous file (memfd_create), which other processes open through /proc. The first page holds a
// token: a process of another host or container may find another file under the same name.
#include "h5score/comm/node_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace h5score::comm {
namespace {

constexpr std::string_view link_prefix = "/memfd:h5score";

std::span<std::byte> map(int file, u64 offset, u64 bytes) {
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, static_cast<off_t>(offset));
  if (memory == MAP_FAILED) return {};
  return {static_cast<std::byte*>(memory), bytes};
}

/// Opens what `ticket` names only if it is memory of that length and token; -1 if not.
int open_memory(const NodeMemoryTicket& ticket) {
  // A name taken over from another host may lead anywhere: look before opening, which alone may have effects.
  std::array<char, 64> link{};
  const ssize_t length = readlink(ticket.path.c_str(), link.data(), link.size());
  if (length < 0 || !std::string_view(link.data(), static_cast<std::size_t>(length)).starts_with(link_prefix))
    return -1;
  const int file = open(ticket.path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return -1;
  struct stat status {};
  u64 token = 0;
  if (fstat(file, &status) == 0 && static_cast<u64>(status.st_size) == NodeMemory::page + ticket.bytes &&
      pread(file, &token, sizeof token, 0) == static_cast<ssize_t>(sizeof token) && token == ticket.token)
    return file;
  close(file);
  return -1;
}

}  // namespace

std::optional<NodeMemory> NodeMemory::create(u64 bytes) {
  NodeMemory memory;
  u64 token = 0;
  memory.file_ = memfd_create("h5score", MFD_CLOEXEC);
  if (memory.file_ < 0 || ftruncate(memory.file_, static_cast<off_t>(page + bytes)) != 0 ||
      getrandom(&token, sizeof token, 0) != static_cast<ssize_t>(sizeof token) ||
      pwrite(memory.file_, &token, sizeof token, 0) != static_cast<ssize_t>(sizeof token))
    return std::nullopt;
  memory.span_ = map(memory.file_, page, bytes);
  if (memory.span_.empty()) return std::nullopt;
  memory.ticket_ = {"/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(memory.file_), token, bytes};
  return memory;
}

std::optional<NodeMemory> NodeMemory::attach(const NodeMemoryTicket& ticket, u64 offset, u64 bytes) {
  NodeMemory memory;
  memory.file_ = open_memory(ticket);
  // Without fallocate, a lack of memory would end the process at a later access.
  if (memory.file_ < 0 || fallocate(memory.file_, 0, static_cast<off_t>(page + offset), static_cast<off_t>(bytes)) != 0)
    return std::nullopt;
  memory.span_ = map(memory.file_, page + offset, bytes);
  if (memory.span_.empty()) return std::nullopt;
  return memory;
}

NodeMemory::~NodeMemory() {
  if (!span_.empty()) munmap(span_.data(), span_.size());
  if (file_ >= 0) close(file_);
}

}  // namespace h5score::comm
