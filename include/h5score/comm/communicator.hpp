// The communicator that the engine sees: a small interface with a serial twin (SerialCommunicator), an MPI one
// (MpiCommunicator) and a throwing double in tests. Byte counts are 64-bit; messages of any size are split inside.
#pragma once

#include "h5score/base/types.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace h5score::comm {

using base::u32;
using base::u64;

enum class Tag : int { control = 1, payload = 2, result = 3, failure = 4, stop = 5 };

/// A pending nonblocking operation. Destroying a pending one never communicates: it is leaked to MPI and forgotten,
/// which only happens while the program is failing. The buffers of a leaked operation must not be freed either: MPI may
/// still write to them.
class Request {
 public:
  Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  virtual ~Request() = default;
  /// Makes progress; true once complete (then stays true). Throws Error(io) if the operation failed.
  virtual bool test() = 0;
};

struct Envelope {
  u32 source = 0;
  Tag tag = Tag::control;
  u64 bytes = 0;
};

/// What was communicated so far by this rank; tests assert these. Counted where the bytes leave: a message at its
/// sender, a scatter or broadcast at rank 0, a gather at each rank (its own part).
struct Traffic {
  u64 messages = 0;
  u64 message_bytes = 0;
  u64 collectives = 0;
  u64 collective_bytes = 0;
};

/// Not thread-safe: one thread makes all calls. Collective operations are started in the same order by every rank.
/// While rank 0 waits in a blocking operation, a message with Tag::failure (comm/failure.hpp) ends the wait with its
/// error.
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;
  [[nodiscard]] virtual u32 rank() const = 0;
  [[nodiscard]] virtual u32 size() const = 0;
  [[nodiscard]] bool root() const { return rank() == 0; }
  [[nodiscard]] virtual std::string host() const = 0;
  [[nodiscard]] virtual Traffic traffic() const = 0;

  virtual void barrier() = 0;
  /// Replaces `data` everywhere by rank 0's.
  virtual void broadcast(base::Bytes& data) = 0;
  /// Every rank's bytes at rank 0, by rank; empty elsewhere. The sum must be below 2^31; throws Error(internal) if not.
  virtual std::vector<base::Bytes> gather(base::ByteView data) = 0;
  virtual u64 all_max(u64 value) = 0;

  // Nonblocking. Buffers must stay alive and in place until the request is complete.
  virtual std::unique_ptr<Request> send(base::ByteView data, u32 to, Tag tag) = 0;
  /// `data` has exactly the message's size, which both sides know or probe() told.
  virtual std::unique_ptr<Request> receive(std::span<std::byte> data, u32 from, Tag tag) = 0;
  /// A message that waits to be received, if any: the same one until its receive() is called. Makes progress.
  virtual std::optional<Envelope> probe() = 0;
  /// Scatters parts[r] of rank 0's `data` to rank r's `mine`; parts are byte counts, known at rank 0 only (may be empty
  /// elsewhere); the sum must be below 2^31, which the caller guarantees.
  virtual std::unique_ptr<Request> scatter(base::ByteView data, std::span<const u64> parts,
                                           std::span<std::byte> mine) = 0;
  virtual std::unique_ptr<Request> gather(base::ByteView mine, std::span<std::byte> data,
                                          std::span<const u64> parts) = 0;
  /// Makes pending transfers progress.
  virtual void progress() = 0;
  /// Ends all ranks. Never returns.
  [[noreturn]] virtual void abort(int exit_code) = 0;
};

}  // namespace h5score::comm
