// From payloads to rows, on every rank: inflate, unshuffle, verify, place, convert. Needs no file and no other rank.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/types.hpp"
#include "h5score/storage/layout.hpp"

#include <memory>

namespace h5score::storage {

/// One block's rows. Reuse an object for many blocks: its buffers are kept. It may point into the payload it was
/// decoded from, which therefore must stay in place while it is used. Reading is safe from many threads.
class DecodedBlock {
 public:
  DecodedBlock();
  DecodedBlock(DecodedBlock&&) noexcept;
  DecodedBlock& operator=(DecodedBlock&&) noexcept;
  ~DecodedBlock();

  [[nodiscard]] u64 rows() const;
  [[nodiscard]] u64 features() const;

  /// Converts the selected columns of rows [first_row, first_row + count) to T (float or double): row-major,
  /// `stride` >= features() elements from row to row. Columns from features() to stride become zero; rows from `count`
  /// on are the caller's. Integers and float64 are rounded to the nearest T.
  template <class T>
  void fill_tile(u64 first_row, u64 count, T* out, u64 stride) const;

  /// The block's elements of passthrough column i: rows() * RowFormat::passthrough[i].row_bytes() bytes.
  [[nodiscard]] base::ByteView passthrough(u64 i) const;

 private:
  friend class Decoder;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Decodes payloads of one run. Immutable: one instance serves all threads, each with its own DecodedBlock.
class Decoder {
 public:
  explicit Decoder(RowFormat format);
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

  [[nodiscard]] const RowFormat& format() const;

  /// Decodes a whole payload into `block`. Throws Error(data) with file, dataset and chunk for corrupt data or a filter
  /// that this machine's HDF5 does not have, Error(internal) for a payload that is not of this run. `poll` is called
  /// between chunks.
  void open(base::ByteView payload, DecodedBlock& block, const Poll& poll = {}) const;

  // The same in steps, to decode the chunks of one payload on several threads: tasks(), then decode() for every task in
  // any order, each once; different tasks may run at the same time. Then the block is complete.
  /// Prepares `block` and returns the number of tasks (0: nothing is left to do).
  u64 tasks(base::ByteView payload, DecodedBlock& block) const;
  void decode(u64 task, DecodedBlock& block) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

extern template void DecodedBlock::fill_tile(u64, u64, float*, u64) const;
extern template void DecodedBlock::fill_tile(u64, u64, double*, u64) const;

}  // namespace h5score::storage
