// Decoding and evaluation of one payload on all threads of a lane.
#include "job_scorer.hpp"

#include "h5score/base/error.hpp"

#include "clock.hpp"

#include <algorithm>

namespace h5score::run {
void PayloadScorer::score(base::ByteView payload, const BlockPlace& place, PhaseTimes& phases, const Poll& poll) {
  const double start = now();
  const u64 tasks = decoder_.tasks(payload, block_);
  pool_.run(
      tasks, [this](u64 task, u64) { decoder_.decode(task, block_); }, poll);
  const u64 rows = block_.rows();
  if (rows != place.rows)
    throw base::Error(base::ExitCode::internal, "a payload holds other rows than its block",
                      std::to_string(rows) + " instead of " + std::to_string(place.rows));
  const double decoded = now();

  const u64 item_rows = rows_.item_rows();
  pool_.run((rows + item_rows - 1) / item_rows,
            [&](u64 item, u64 thread) {
              static const Poll no_poll = [] {};
              const base::RowRange range{item * item_rows, std::min(rows, (item + 1) * item_rows)};
              rows_.score({block_, range, range.begin}, place, scratch_[thread], thread == 0 ? poll : no_poll);
            },
            poll);

  // Conversion to the model's type happens tile by tile, but it is decoding: its share of the threads' time goes there.
  double convert = 0;
  double evaluate = 0;
  for (auto& scratch : scratch_) {
    const auto times = scratch.take_times();
    convert += times.convert;
    evaluate += times.evaluate;
  }
  const double loop = now() - decoded;
  const double converting = convert + evaluate > 0 ? loop * convert / (convert + evaluate) : 0;
  phases.decode += decoded - start + converting;
  phases.score += loop - converting;
}

void JobScorer::score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
                      const Poll& poll) {
  payloads_.score(payload, results_.place(block, results, sums_), phases, poll);
  results_.add_sums(block, results, sums_);
}

}  // namespace h5score::run
