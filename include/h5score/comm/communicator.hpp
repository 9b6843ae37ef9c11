// The communicator that the engine sees: a small interface with a serial twin (SerialCommunicator), an MPI one
// (MpiCommunicator) and a throwing double in tests. Byte counts are 64-bit; messages of any size are split inside.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "h5score/base/types.hpp"

namespace h5score::comm {

using base::u32;
using base::u64;

enum class Tag : int { control = 1, assignment = 2, payload = 3, result = 4, failure = 5 };

/// A pending nonblocking operation. Destroying a pending one never communicates: it is leaked to MPI and forgotten, which
/// only happens while the program is failing.
class Request {
 public:
  virtual ~Request() = default;
  /// Makes progress; true once complete (then stays true).
  virtual bool test() = 0;
};

struct Envelope {
  u32 source = 0;
  Tag tag = Tag::control;
  u64 bytes = 0;
};

/// What was communicated so far by this rank; tests assert these.
struct Traffic {
  u64 messages = 0;
  u64 message_bytes = 0;
  u64 collectives = 0;
  u64 collective_bytes = 0;
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  [[nodiscard]] virtual u32 rank() const = 0;
  [[nodiscard]] virtual u32 size() const = 0;
  [[nodiscard]] bool root() const { return rank() == 0; }
  [[nodiscard]] virtual std::string host() const = 0;
  [[nodiscard]] virtual Traffic traffic() const = 0;

  virtual void barrier() = 0;
  /// Replaces `data` everywhere by rank 0's.
  virtual void broadcast(base::Bytes& data) = 0;
  /// Every rank's bytes at rank 0, by rank; empty elsewhere.
  virtual std::vector<base::Bytes> gather(base::ByteView data) = 0;
  virtual u64 all_max(u64 value) = 0;

  // Nonblocking. Buffers must stay alive and in place until the request is complete.
  virtual std::unique_ptr<Request> send(base::ByteView data, u32 to, Tag tag) = 0;
  virtual std::unique_ptr<Request> receive(std::span<std::byte> data, u32 from, Tag tag) = 0;
  /// A message that waits to be received, if any. Makes progress.
  virtual std::optional<Envelope> probe() = 0;
  /// Scatters parts[r] of rank 0's `data` to rank r's `mine`; parts are byte counts, known at rank 0 only (may be empty
  /// elsewhere); the sum must be below 2^31, which the caller guarantees.
  virtual std::unique_ptr<Request> scatter(base::ByteView data, std::span<const u64> parts, std::span<std::byte> mine) = 0;
  virtual std::unique_ptr<Request> gather(base::ByteView mine, std::span<std::byte> data, std::span<const u64> parts) = 0;
  /// Makes pending transfers progress.
  virtual void progress() = 0;
  /// Ends all ranks. Never returns.
  [[noreturn]] virtual void abort(int exit_code) = 0;
};

}  // namespace h5score::comm
