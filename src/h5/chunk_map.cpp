// Where the chunks of a dataset lie, without H5Dget_chunk_info*(): in HDF5 1.10 each of its calls walks the whole
// index.
#include "h5score/base/narrow.hpp"
#include "h5score/h5/dataset.hpp"
#include "h5score/h5/handle.hpp"
#include "h5score/h5/io.hpp"

#include "open_dataset.hpp"
#include "recording_driver.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace h5score::h5 {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 most_chunks = u64{1} << 28;  // 4 GiB of map

// The chunk grid of a dataset.
struct Grid {
  explicit Grid(const DatasetFacts& facts) : chunk(facts.chunk) {
    for (std::size_t axis = 0; axis < chunk.size(); ++axis)
      extent.push_back((facts.shape[axis] + chunk[axis] - 1) / chunk[axis]);
    for (std::size_t axis = 1; axis < chunk.size(); ++axis) per_row = base::checked_mul(per_row, extent[axis]);
  }
  std::vector<u64> chunk;
  std::vector<u64> extent;  // chunks along each axis
  u64 per_row = 1;          // chunks in one chunk row
};

u64 file_size(const DatasetFacts& facts) {
  struct stat status {};
  if (::stat(facts.file.c_str(), &status) != 0)
    throw Error(ExitCode::no_input, facts.file + ": cannot be opened", base::errno_text(errno));
  return static_cast<u64>(status.st_size);
}

// Collects a map, checking what the index claims.
class Collector {
 public:
  Collector(const DatasetFacts& facts, u64 chunks) : facts_(facts), file_size_(file_size(facts)) {
    map_.address.assign(chunks, no_address);
    map_.size.assign(chunks, 0);
  }
  void put(u64 index, u64 address, u64 size, u32 mask) {
    if (size == 0 || address > file_size_ || size > file_size_ - address || size > ~u32{0})
      throw Error(ExitCode::data, facts_.file + ": " + facts_.name + ": the chunk index is damaged",
                  "chunk " + std::to_string(index) + " claims " + std::to_string(size) + " bytes at " +
                      std::to_string(address) + ", the file has " + std::to_string(file_size_));
    map_.address[index] = address;
    map_.size[index] = static_cast<u32>(size);
    if (mask == 0) return;
    if (map_.mask.empty()) map_.mask.assign(map_.size.size(), 0);
    map_.mask[index] = mask;
  }
  ChunkMap take() { return std::move(map_); }

 private:
  const DatasetFacts& facts_;
  u64 file_size_;
  ChunkMap map_;
};

#if H5SCORE_CHUNK_ITER

struct Visit {
  const Grid& grid;
  u64 first;  // linear index of the map's first chunk
  u64 count;
  u64 user_block;
  Collector& collector;
  std::optional<Error> error;
};

int visit_chunk(const hsize_t* offset, unsigned mask, haddr_t address, hsize_t size, void* data) noexcept {
  auto& visit = *static_cast<Visit*>(data);
  u64 index = 0;
  for (std::size_t axis = 0; axis < visit.grid.chunk.size(); ++axis)
    index = index * visit.grid.extent[axis] + offset[axis] / visit.grid.chunk[axis];
  if (index < visit.first || index - visit.first >= visit.count) return H5_ITER_CONT;
  try {
    visit.collector.put(index - visit.first, visit.user_block + address, size, mask);
    return H5_ITER_CONT;
  } catch (const Error& error) {
    visit.error = error;
  } catch (const std::exception& error) {
    visit.error = Error(ExitCode::internal, error.what());
  }
  return H5_ITER_ERROR;
}

// Releases before 1.14.4 leave the user block out of the addresses.
u64 missing_user_block(const Handle& file) {
  if (H5_VERSION_GE(1, 14, 4)) return 0;
  const Handle creation(H5Fget_create_plist(file.get()), "a file's properties cannot be read");
  hsize_t size = 0;
  check(H5Pget_userblock(creation.get(), &size), "a file's user block cannot be read");
  return size;
}

void collect(const DatasetFacts& facts, const Grid& grid, u64 first, u64 count, Collector& collector) {
  const OpenDataset open(facts, lock_free_access());
  Visit visit{grid, first, count, missing_user_block(open.file), collector, {}};
  const herr_t result = H5Dchunk_iter(open.dataset.get(), H5P_DEFAULT, visit_chunk, &visit);
  if (visit.error) throw *visit.error;
  check(result, facts.file + ": " + facts.name + ": the chunk index cannot be read");
}

#else

// The coordinates of a chunk's first element, moved on in C order.
class Cursor {
 public:
  Cursor(const Grid& grid, u64 index) : grid_(grid), offset_(grid.chunk.size()) {
    for (std::size_t axis = offset_.size(); axis-- > 0;) {
      offset_[axis] = index % grid.extent[axis] * grid.chunk[axis];
      index /= grid.extent[axis];
    }
  }
  void next() {
    for (std::size_t axis = offset_.size(); axis-- > 0;) {
      offset_[axis] += grid_.chunk[axis];
      if (axis == 0 || offset_[axis] < grid_.extent[axis] * grid_.chunk[axis]) return;
      offset_[axis] = 0;
    }
  }
  [[nodiscard]] const hsize_t* offset() const { return offset_.data(); }

 private:
  const Grid& grid_;
  std::vector<hsize_t> offset_;
};

herr_t keep_function(unsigned /*n*/, const H5E_error2_t* record, void* data) {
  *static_cast<std::string*>(data) = record->func_name;
  return 1;  // the innermost is enough
}

// H5Dread_chunk() fails for a chunk that was never written as for a damaged index; but only in the first case is the
// error its own and not one of the index's functions below it. (H5Dget_chunk_storage_size() fails for both, too.)
bool never_written() {
  std::string function;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_function, &function);
  return function == "H5D__chunk_direct_read";
}

void collect(const DatasetFacts& facts, const Grid& grid, u64 first, u64 count, Collector& collector) {
  Recorder recorder;
  const OpenDataset open(facts, recording_access(recorder));
  const std::string what = facts.file + ": " + facts.name + ": the chunk index cannot be read";
  recorder.recording = true;
  Cursor cursor(grid, first);
  std::byte unused[8];
  for (u64 index = 0; index < count; ++index, cursor.next()) {
    recorder.reads = 0;
    u32 mask = 0;
    if (H5Dread_chunk(open.dataset.get(), H5P_DEFAULT, cursor.offset(), &mask, unused) >= 0 && recorder.reads == 1) {
      collector.put(index, recorder.address, recorder.size, mask);
      continue;
    }
    if (!never_written()) throw_failure(what, ExitCode::data);
    H5Eclear2(H5E_DEFAULT);
    // Nothing at all was ever written: no need to fail for each chunk.
    if (index == 0 && H5Dget_storage_size(open.dataset.get()) == 0) return;
  }
}

#endif

}  // namespace

ChunkMap map_chunks(const DatasetFacts& facts, u64 first, u64 count) {
  const Grid grid(facts);
  const u64 chunks = base::checked_mul(count, grid.per_row);
  if (chunks == 0) return {};
  if (chunks > most_chunks)
    throw Error(ExitCode::data, facts.file + ": " + facts.name + ": too many chunks",
                std::to_string(chunks) + ", at most " + std::to_string(most_chunks), "select fewer rows with --rows");
  Collector collector(facts, chunks);
  collect(facts, grid, first * grid.per_row, chunks, collector);
  return collector.take();
}

}  // namespace h5score::h5
