// Pieces of a block one after the other, or a whole block on several threads.
#include "reading_scorer.hpp"

#include "h5score/base/error.hpp"

#include "clock.hpp"

#include <algorithm>
#include <utility>

namespace h5score::run {

void ReadingScorer::score(base::ByteView assignment, const BlockPlace& place, PhaseTimes& phases, const Poll& poll) {
  if (payloads_.threads() > 1)
    score_whole(assignment, place, phases, poll);
  else
    score_pieces(assignment, place, phases, poll);
}

void ReadingScorer::score_pieces(base::ByteView assignment, const BlockPlace& place, PhaseTimes& phases,
                                 const Poll& poll) {
  reader_.open(assignment);
  const double reading_before = reader_.read_seconds();
  u64 rows = 0;
  for (double time = now(); reader_.next(poll);) {
    const double decoded = now();
    phases.decode += decoded - std::exchange(time, decoded);
    const base::RowRange range = reader_.range();
    if (range.begin != rows || range.end > place.rows) break;
    rows_.score({reader_.rows(), {0, range.size()}, range.begin}, place, scratch_, poll);
    rows = range.end;
    const double scored = now();
    phases.score += scored - std::exchange(time, scored);
  }
  if (rows != place.rows)
    throw base::Error(base::ExitCode::internal, "an assignment holds other rows than its block",
                      std::to_string(rows) + " instead of " + std::to_string(place.rows));
  const double reading = std::min(reader_.read_seconds() - reading_before, phases.decode);
  phases.fetch += reading;
  phases.decode -= reading;
  const double convert = std::min(scratch_.take_times().convert, phases.score);
  phases.decode += convert;
  phases.score -= convert;
}

void ReadingScorer::score_whole(base::ByteView assignment, const BlockPlace& place, PhaseTimes& phases,
                                const Poll& poll) {
  const double start = now();
  reader_.fetch(assignment, payload_, poll);
  phases.fetch += now() - start;
  payloads_.score(payload_.view(), place, phases, poll);
}

}  // namespace h5score::run
