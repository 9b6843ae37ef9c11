// One array of a block: which of its chunks are to be decoded, and where its rows are then.
#pragma once

#include "h5score/base/aligned_buffer.hpp"

#include "array_rows.hpp"
#include "payload.hpp"

#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace h5score::storage {

/// Undoes the filters that `mask` does not skip.
using Undo = std::function<void(base::ByteView stored, u32 mask, std::span<std::byte> out)>;

/// Reused from block to block. Keeps the decoded chunks of the last chunk row, since the next block may begin there.
class BlockArray {
 public:
  struct Use {
    bool together = false;  ///< the rows are needed as whole rows that follow each other
    bool own_codec = true;  ///< all filters are Codec's
  };

  /// Begins a block; all arguments but `use` must stay in place. Throws Error(internal) where the segments are not
  /// those of these rows.
  void open(const ArrayFormat& format, const Segments& own, std::span<const base::ByteView> segments, Use use);
  /// Segments that are to be decoded, each once, in any order, on any thread.
  [[nodiscard]] const std::vector<u64>& to_decode() const { return to_decode_; }
  void decode(u64 segment, base::AlignedBuffer& scratch, const Undo& undo);
  /// To be called when all are decoded.
  void close();

  [[nodiscard]] ArrayRows rows() const;
  /// A chunk's first element, for messages.
  [[nodiscard]] std::vector<u64> origin(u64 segment) const;

  /// True if the chunks of this chunk row that have filters are still there: open() does not look at their segments.
  [[nodiscard]] bool keeps(u64 chunk_row) const { return kept_ == chunk_row; }
  void forget() { kept_.reset(); }

 private:
  [[nodiscard]] u64 chunk_row(u64 segment) const;
  [[nodiscard]] u32 mask(u64 segment) const;
  [[nodiscard]] bool filtered(u64 segment) const;
  [[nodiscard]] bool stays_shuffled(u64 segment) const;
  [[nodiscard]] bool goes_on(u64 segment) const;
  [[nodiscard]] base::RowRange rows_in(u64 segment) const;
  void open_chunks(Use use);
  void open_stretches();
  void open_together();
  void add_stretch(u64 segment);
  void place_from(u64 segment, const std::byte* chunk);

  const ArrayFormat* format_ = nullptr;
  const Segments* own_ = nullptr;
  std::span<const base::ByteView> segments_;
  std::optional<ChunkGrid> grid_;
  bool own_codec_ = true;
  bool in_stretches_ = false;
  const std::byte* rows_ = nullptr;
  base::AlignedBuffer together_;
  std::vector<Stretch> stretches_;
  std::vector<base::AlignedBuffer> chunks_;  // decoded: of every segment, or of the last chunk row if it goes on
  std::vector<u64> to_decode_;
  std::optional<u64> kept_;  // chunk row
  u64 kept_at_ = 0;          // in chunks_
};

}  // namespace h5score::storage
