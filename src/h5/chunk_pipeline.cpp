// One-chunk datasets in a core-driver file: H5Dwrite_chunk() puts the stored bytes in, H5Dread() runs the filters.
#include "h5score/h5/chunk_pipeline.hpp"

#include "h5score/base/narrow.hpp"
#include "h5score/h5/handle.hpp"
#include "h5score/h5/io.hpp"

#include <cstdint>
#include <map>
#include <mutex>

namespace h5score::h5 {
namespace {

using base::Error;
using base::ExitCode;

// The library is one, so its lock is.
std::mutex& library_lock() {
  static std::mutex lock;
  return lock;
}

// The library refuses a second file of the same name while the first is open: each pipeline names its own.
Handle memory_file(const void* owner) {
  initialise();
  const std::string what = "a file in memory cannot be made";
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), what, ExitCode::internal);
  constexpr std::size_t growth = std::size_t{1} << 20;
  check(H5Pset_fapl_core(access.get(), growth, false), what, ExitCode::internal);
  const std::string name = "h5score-chunk-" + std::to_string(reinterpret_cast<std::uintptr_t>(owner));
  return {H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), what, ExitCode::internal};
}

Handle creation_properties(const ChunkKind& kind, u32 mask, const Handle& type) {
  const std::string what = "a chunk's properties cannot be set";
  Handle creation(H5Pcreate(H5P_DATASET_CREATE), what, ExitCode::internal);
  const std::vector<hsize_t> chunk(kind.chunk.begin(), kind.chunk.end());
  check(H5Pset_chunk(creation.get(), base::narrow<int>(chunk.size()), chunk.data()), what);
  check(H5Pset_fill_value(creation.get(), type.get(), kind.fill.data()), what);
  check(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), what);
  for (std::size_t i = 0; i < kind.filters.size(); ++i) {
    if ((mask >> i & 1U) != 0) continue;
    const auto& filter = kind.filters[i];
    const std::string label = std::to_string(filter.id) + " (" + filter.name + ")";
    if (H5Zfilter_avail(static_cast<H5Z_filter_t>(filter.id)) <= 0) {
      H5Eclear2(H5E_DEFAULT);
      throw Error(ExitCode::data, "a chunk cannot be decoded", "this machine's HDF5 lacks the filter " + label,
                  "install its plugin on every node and set HDF5_PLUGIN_PATH");
    }
    // Optional: a filter that can only decode (szip without its encoder) must not prevent the dataset.
    check(H5Pset_filter(creation.get(), static_cast<H5Z_filter_t>(filter.id), H5Z_FLAG_OPTIONAL, filter.values.size(),
                        filter.values.data()),
          "filter " + label + " cannot be used");
  }
  return creation;
}

// Without a chunk cache, so that every read decodes what was just written.
Handle uncached_access() {
  const std::string what = "a dataset access list cannot be made";
  Handle access(H5Pcreate(H5P_DATASET_ACCESS), what, ExitCode::internal);
  check(H5Pset_chunk_cache(access.get(), 0, 0, 0), what, ExitCode::internal);
  return access;
}

}  // namespace

class ChunkPipeline::Impl {
 public:
  explicit Impl(ChunkKind kind) : kind_(std::move(kind)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    const std::lock_guard guard(library_lock());
    datasets_.clear();
    type_ = {};
    file_ = {};
  }

  void decode(base::ByteView stored, u32 mask, std::span<std::byte> out) {
    const std::lock_guard guard(library_lock());
    const Handle& dataset = dataset_for(mask);
    const std::vector<hsize_t> origin(kind_.chunk.size(), 0);
    check(H5Dwrite_chunk(dataset.get(), H5P_DEFAULT, 0, origin.data(), stored.size(), stored.data()),
          "a chunk cannot be decoded");
    check(H5Dread(dataset.get(), type_.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()), "a chunk cannot be decoded");
  }

 private:
  // A dataset without the filters that `mask` skips: H5Dread() after H5Dwrite_chunk() with a mask applies them all the
  // same (HDF5 1.10.8).
  const Handle& dataset_for(u32 mask) {
    Handle& dataset = datasets_[mask];
    if (dataset) return dataset;
    if (!file_) file_ = memory_file(this);
    if (!type_) type_ = datatype(kind_.type);
    const std::vector<hsize_t> extents(kind_.chunk.begin(), kind_.chunk.end());
    const std::string what = "a dataset in memory cannot be made";
    const Handle space(H5Screate_simple(base::narrow<int>(extents.size()), extents.data(), nullptr), what);
    const Handle creation = creation_properties(kind_, mask, type_);
    const Handle access = uncached_access();
    const std::string name = std::to_string(mask);
    dataset = Handle(
        H5Dcreate2(file_.get(), name.c_str(), type_.get(), space.get(), H5P_DEFAULT, creation.get(), access.get()),
        what);
    return dataset;
  }

  ChunkKind kind_;
  Handle file_;
  Handle type_;
  std::map<u32, Handle> datasets_;  // by filter mask
};

ChunkPipeline::ChunkPipeline(ChunkKind kind) : impl_(std::make_unique<Impl>(std::move(kind))) {}
ChunkPipeline::ChunkPipeline(ChunkPipeline&&) noexcept = default;
ChunkPipeline& ChunkPipeline::operator=(ChunkPipeline&&) noexcept = default;
ChunkPipeline::~ChunkPipeline() = default;

void ChunkPipeline::decode(base::ByteView stored, u32 mask, std::span<std::byte> out) {
  impl_->decode(stored, mask, out);
}

}  // namespace h5score::h5
