// Reads, decodes and scores the blocks whose byte ranges a rank was told, on the threads of one lane.
#pragma once

#include "h5score/storage/block_reader.hpp"

#include "job_scorer.hpp"
#include "row_scorer.hpp"

#include <string>
#include <vector>

namespace h5score::run {

class ReadingScorer {
 public:
  /// The first three must outlive the scorer. `host` is named in messages; empty on the root's. With one thread a block
  /// is read, decoded and scored in pieces that stay in the L2 cache; several share a block that is there whole.
  ReadingScorer(const storage::Decoder& decoder, const RowScorer& rows, const std::vector<storage::FileIdentity>& files,
                const std::string& host, u64 threads)
      : rows_(rows), reader_(decoder, files, host), payloads_(decoder, rows, threads) {}

  /// Adds its times to fetch, decode and score. Throws as BlockReader and PayloadScorer do.
  void score(base::ByteView assignment, const BlockPlace& place, PhaseTimes& phases, const Poll& poll);
  [[nodiscard]] u64 bytes_read() const { return reader_.bytes_read(); }
  /// Of whole payloads, the most so far.
  [[nodiscard]] u64 buffer_bytes() const { return payload_.capacity(); }

 private:
  void score_pieces(base::ByteView assignment, const BlockPlace& place, PhaseTimes& phases, const Poll& poll);
  void score_whole(base::ByteView assignment, const BlockPlace& place, PhaseTimes& phases, const Poll& poll);

  const RowScorer& rows_;
  storage::BlockReader reader_;
  RowScorer::Scratch scratch_;
  PayloadScorer payloads_;
  base::AlignedBuffer payload_;
};

}  // namespace h5score::run
