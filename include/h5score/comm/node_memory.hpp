// Memory that processes of one host share: one makes it, others map parts of it. It belongs to no file system, so
// nothing is left behind however the processes end. Not for MPI: whoever writes must tell the readers by a message.
#pragma once

#include "h5score/base/types.hpp"

#include <optional>
#include <span>
#include <string>
#include <utility>

namespace h5score::comm {

using base::u64;

/// What another process needs to find the memory, and to see that it found the right one.
struct NodeMemoryTicket {
  std::string path;  ///< empty: there is none
  u64 token = 0;
  u64 bytes = 0;
};
template <class A>
void archive(A& ar, NodeMemoryTicket& t) {
  ar(t.path, t.token, t.bytes);
}

class NodeMemory {
 public:
  /// Offsets of parts and their lengths must be multiples of this.
  static constexpr u64 page = 4096;

  /// `bytes` that are not backed by memory before a process attaches to them; nullopt where the system has none to
  /// share.
  static std::optional<NodeMemory> create(u64 bytes);
  /// Maps [offset, offset + bytes) of the memory that `ticket` tells of, and allocates it on the caller's node. nullopt
  /// where it cannot be had: made on another host or in another container, no memory left.
  static std::optional<NodeMemory> attach(const NodeMemoryTicket& ticket, u64 offset, u64 bytes);

  NodeMemory(NodeMemory&& other) noexcept { swap(other); }
  NodeMemory& operator=(NodeMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~NodeMemory();

  /// Of a memory that this process made; it must live until the others have attached.
  [[nodiscard]] const NodeMemoryTicket& ticket() const { return ticket_; }
  [[nodiscard]] std::span<std::byte> span() const { return span_; }

 private:
  NodeMemory() = default;
  void swap(NodeMemory& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(ticket_, other.ticket_);
    std::swap(span_, other.span_);
  }

  int file_ = -1;
  NodeMemoryTicket ticket_;
  std::span<std::byte> span_;
};

}  // namespace h5score::comm
