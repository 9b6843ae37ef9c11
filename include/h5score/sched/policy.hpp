// Policies: which worker gets which block, and when. State machines without a clock, threads or messages, so that tests
// can play any order of events.
#pragma once

#include "h5score/base/types.hpp"

#include <memory>
#include <vector>

namespace h5score::sched {

using base::u32;
using base::u64;

/// Static: who gets which block is fixed beforehand. Dynamic: one block at a time to whoever asks. Guided: batches that
/// shrink towards the end, sized by the speed that each worker has shown.
enum class Schedule : base::u8 { static_, dynamic, guided };
const char* to_string(Schedule schedule);

/// The blocks to do and what is known about them; all vectors are parallel, `groups` may be empty.
struct Work {
  std::vector<u64> blocks;      ///< ascending
  std::vector<double> weights;  ///< expected cost, any unit, > 0
  std::vector<u64> groups;      ///< neighbours with equal values share stored bytes and stay on one worker if possible
  u32 workers = 1;
  bool worker0_works = true;  ///< static: worker 0 owns blocks too
};

/// A policy's answer to a worker that could take more work.
struct Next {
  enum class Kind : base::u8 { blocks, wait, done };
  Kind kind = Kind::done;
  std::vector<u64> blocks;  ///< to be done in this order; empty unless kind is blocks
};

/// Hands each block out once; again only if the worker that had it is lost before it was done.
class Policy {
 public:
  virtual ~Policy() = default;
  /// More work for `worker` at time `now` (seconds, any origin): `wait` if there is none unless another worker is lost,
  /// `done` if every block is done, or this worker is lost.
  virtual Next next(u32 worker, double now) = 0;
  /// `worker` has finished `block`. False if it did not hold the block (a lost worker's late result, a repetition).
  virtual bool done(u32 worker, u64 block, double now) = 0;
  /// `worker` will not answer any more; its unfinished blocks go to others.
  virtual void lost(u32 worker) = 0;
  /// Blocks not done yet.
  [[nodiscard]] virtual u64 remaining() const = 0;
};

std::unique_ptr<Policy> make_policy(Schedule schedule, Work work);

/// The blocks that each worker owns in the static schedule, ascending: block by block (group by group) in turn to the
/// worker with the least weight so far, so that neighbours are read one after the other. A group that outweighs a
/// quarter of a worker's share is split.
std::vector<std::vector<u64>> static_owners(const Work& work);

}  // namespace h5score::sched
