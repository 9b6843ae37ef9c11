// From payloads to rows, on every rank: inflate, unshuffle, verify, place, convert. Needs no file and no other rank.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/types.hpp"
#include "h5score/storage/layout.hpp"

#include <memory>
#include <span>
#include <vector>

namespace h5score::storage {

struct PayloadHeader;

/// One block's rows. Reuse an object for many blocks: its buffers are kept. It may point into the payload it was
/// decoded from, which therefore must stay in place while it is used. Reading is safe from many threads.
class DecodedBlock {
 public:
  DecodedBlock();
  DecodedBlock(DecodedBlock&&) noexcept;
  DecodedBlock& operator=(DecodedBlock&&) noexcept;
  ~DecodedBlock();

  [[nodiscard]] u64 rows() const;
  /// Number of features of RowFormat::bindings[binding].
  [[nodiscard]] u64 features(u64 binding) const;

  /// Makes the features of one binding for rows [first_row, first_row + count) in T (float or double): row-major,
  /// `stride` >= features() elements from row to row. Elements from features() to stride become zero; rows from `count`
  /// on are the caller's. Integers and float64 are rounded to the nearest T; then come the treatment (which compares
  /// with missing values in the stored type), differences, and the scaling to total_count, in T.
  template <class T>
  void fill_tile(u64 binding, u64 first_row, u64 count, T* out, u64 stride) const;

  /// The rows of one binding where they lie, if fill_tile() would only copy them: native T, all columns in order, no
  /// treatment. Aligned to an element, nothing behind the last feature of the last row may be read.
  template <class T>
  struct Rows {
    const T* first = nullptr;  ///< of the block's first row; null: use fill_tile()
    u64 stride = 0;            ///< elements from row to row
  };
  template <class T>
  [[nodiscard]] Rows<T> in_place(u64 binding) const;
  /// Where each feature of one binding lies as a column of its own, if fill_tile() would only copy them: then
  /// `columns` are the addresses of the block's first row, of native T and aligned to an element. Else false.
  template <class T>
  [[nodiscard]] bool columns_in_place(u64 binding, std::vector<const std::byte*>& columns) const;

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
  friend class BlockReader;
  // As tasks(), of a payload in parts: its header, and its segments in the header's order.
  u64 tasks(const PayloadHeader& header, std::span<const base::ByteView> segments, DecodedBlock& block) const;
  // True if `block` still has the decoded chunks of this chunk row, so that tasks() does not look at their segments.
  bool keeps(const DecodedBlock& block, const PayloadHeader& header, u64 array, u64 chunk_row) const;

  class Impl;
  std::unique_ptr<Impl> impl_;
};

extern template void DecodedBlock::fill_tile(u64, u64, u64, float*, u64) const;
extern template void DecodedBlock::fill_tile(u64, u64, u64, double*, u64) const;
extern template DecodedBlock::Rows<float> DecodedBlock::in_place(u64) const;
extern template DecodedBlock::Rows<double> DecodedBlock::in_place(u64) const;
extern template bool DecodedBlock::columns_in_place<float>(u64, std::vector<const std::byte*>&) const;
extern template bool DecodedBlock::columns_in_place<double>(u64, std::vector<const std::byte*>&) const;

}  // namespace h5score::storage
