// `--io direct`: a rank reads and decodes its own blocks, by the byte ranges that the root assigned to it. Needs no
// HDF5 library and no chunk map: an assignment carries what one block needs.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/types.hpp"
#include "h5score/storage/decoder.hpp"

#include <memory>
#include <string>
#include <vector>

namespace h5score::storage {

/// What makes a file the same on every host.
struct FileIdentity {
  std::string path;
  u64 size = 0;
  base::i64 mtime_ns = 0;
  u64 head_hash = 0;  ///< of the first 4 KiB
};
template <class A>
void archive(A& ar, FileIdentity& v) {
  ar(v.path, v.size, v.mtime_ns, v.head_hash);
}

/// Throws Error(no_input) where the file is missing on this host, Error(data) where it is another one; both name
/// `host`.
void check_identity(const FileIdentity& file, const std::string& host);

/// False where H5SCORE_MAP=off in the environment forbids to use pages of files where the page cache has them.
bool maps_files();
/// True if a file lies on a local file system, whose pages a BlockReader uses so. False also where it cannot be opened.
bool can_map(const std::string& path);

/// One thread's reader. Buffers and open files are kept from block to block.
class BlockReader {
 public:
  /// `decoder` and `files` (Input::identities()) must outlive the reader. A file's identity is checked when it is first
  /// read. `host` is named in messages; empty on the host that made `files`: there size and time alone are checked.
  BlockReader(const Decoder& decoder, const std::vector<FileIdentity>& files, std::string host);
  BlockReader(BlockReader&&) noexcept;
  BlockReader& operator=(BlockReader&&) noexcept;
  ~BlockReader();

  // In pieces that stay in the L2 cache where the layout allows it, else whole chunks.
  /// Begins a block; `assignment` (of Input::assign()) must stay in place until the last piece was used.
  void open(base::ByteView assignment);
  /// Reads and decodes the next piece; false after the last one. Throws Error(io) and Error(data) like Input::fetch()
  /// and Decoder::open(), naming the host.
  bool next(const Poll& poll = {});
  /// Its rows, and where they lie within the block: pieces follow each other and begin at multiples of 256 rows.
  [[nodiscard]] const DecodedBlock& rows() const;
  [[nodiscard]] base::RowRange range() const;

  /// The whole block as the payload that Decoder::tasks() takes, for decoding on several threads.
  void fetch(base::ByteView assignment, base::AlignedBuffer& payload, const Poll& poll = {});

  /// Bytes read by this object so far.
  [[nodiscard]] u64 bytes_read() const;
  /// Seconds that reading them took; the rest of next() is decoding.
  [[nodiscard]] double read_seconds() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace h5score::storage
