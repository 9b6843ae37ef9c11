// The file of a compressed copy: made and filled by HDF5, finished and checked by its bytes.
#include "h5score/storage/compressed_copy.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include "score_layout.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::check;
using h5::Handle;

void copy_bytes(const PosixFile& from, const Extent& source, const PosixFile& to, const Extent& target) {
  if (source.size != target.size)
    throw Error(ExitCode::internal, to.path() + ": its records have another size than the part file's");
  base::AlignedBuffer buffer(source.size);
  from.read(buffer.span(), source.offset);
  to.write(buffer.view(), target.offset);
}

}  // namespace

std::string copy_path(const std::string& output) {
  return part_path(output) + ".copy";
}

class CompressedCopy::Impl {
 public:
  Impl(const std::string& output, const ScoreDescription& part, ScoreFileSpec spec, u32 level, PosixCalls& calls)
      : part_(part), path_(copy_path(output)) {
    file_ = PosixFile(calls, path_, O_RDWR | O_CREAT | O_EXCL);
    try {
      spec.gzip = level;
      spec.boundaries = part.boundaries;
      spec.inputs = part.inputs;
      spec.identity = part.identity;
      spec.features = part.features;
      spec.options = part.options;
      written_ = layout::open_with_metadata(path_, spec);
    } catch (...) {
      discard();
      throw;
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    datasets_.clear();
    written_ = {};
    discard();
  }

  void write(const CopyPlan::Chunk& chunk, ByteView packed) {
    const auto& column = part_.columns[chunk.column.column];
    auto& dataset = datasets_[chunk.column.column];
    if (!dataset) dataset = h5::open_dataset(written_, column.path);
    std::vector<hsize_t> offset(1 + column.row_shape.size(), 0);
    offset[0] = chunk.rows.begin;
    check(H5Dwrite_chunk(dataset.get(), H5P_DEFAULT, 0, offset.data(), packed.size(), packed.data()),
          path_ + ", " + column.path + ": row " + std::to_string(chunk.rows.begin) + " cannot be written",
          ExitCode::io);
  }

  void close(const PosixFile& part) {
    for (auto& [column, dataset] : datasets_) dataset.close(path_ + ": cannot be written");
    datasets_.clear();
    written_.close(path_ + ": cannot be written");
    const auto copy = read_scores(path_);
    copy_bytes(part, part_.ledger_extent, file_, copy.ledger_extent);
    copy_bytes(part, part_.runs_extent, file_, copy.runs_extent);
    file_.sync_all();
  }

  [[nodiscard]] std::vector<Extent> map(const CopyPlan& plan) const {
    std::vector<Extent> places;
    for (const auto& column : plan.columns) {
      const auto& path = part_.columns[column.column].path;
      const auto facts = h5::describe_dataset(path_, path);
      const auto chunks = h5::map_chunks(facts, 0, column.chunks);
      if (chunks.address.size() != column.chunks)
        throw Error(ExitCode::data, path_ + ", " + path + ": has other chunks than were written");
      for (u64 i = 0; i < column.chunks; ++i) {
        const bool skipped = !chunks.mask.empty() && chunks.mask[i] != 0;
        if (chunks.address[i] == h5::no_address || skipped)
          throw Error(ExitCode::data, path_ + ", " + path + ": chunk " + std::to_string(i) + " is not there");
        places.push_back({chunks.address[i], chunks.size[i]});
      }
    }
    return places;
  }

  void check_description() const {
    const auto copy = read_scores(path_);
    const auto part = read_scores(part_.path);
    const auto same_column = [](const ScoreColumn& a, const ScoreColumn& b) {
      return a.path == b.path && a.type == b.type && a.row_shape == b.row_shape;
    };
    const auto same_table = [](const LabelTable& a, const LabelTable& b) {
      return a.path == b.path && a.labels == b.labels;
    };
    const bool same =
        std::equal(copy.columns.begin(), copy.columns.end(), part.columns.begin(), part.columns.end(), same_column) &&
        std::equal(copy.tables.begin(), copy.tables.end(), part.tables.begin(), part.tables.end(), same_table) &&
        copy.inputs == part.inputs && copy.boundaries == part.boundaries && copy.ledger == part.ledger &&
        copy.runs == part.runs && copy.identity == part.identity && copy.features == part.features &&
        copy.options == part.options;
    if (!same) throw Error(ExitCode::internal, path_ + ": is not a copy of the part file");
  }

  [[nodiscard]] PosixFile& file() { return file_; }

 private:
  void discard() const {
    // A file that was renamed has another path now.
    if (file_.path() == path_ && file_.is_at_path()) static_cast<void>(::unlink(path_.c_str()));
  }

  const ScoreDescription& part_;
  std::string path_;
  PosixFile file_;
  Handle written_;  // open by HDF5 until close()
  std::map<u64, Handle> datasets_;
};

CompressedCopy::CompressedCopy(const std::string& output, const ScoreDescription& part, ScoreFileSpec spec, u32 level,
                               PosixCalls& calls)
    : impl_(std::make_unique<Impl>(output, part, std::move(spec), level, calls)) {}
CompressedCopy::~CompressedCopy() = default;
void CompressedCopy::write(const CopyPlan::Chunk& chunk, ByteView packed) {
  impl_->write(chunk, packed);
}
void CompressedCopy::close(const PosixFile& part) {
  impl_->close(part);
}
std::vector<Extent> CompressedCopy::map(const CopyPlan& plan) const {
  return impl_->map(plan);
}
void CompressedCopy::check_description() const {
  impl_->check_description();
}
PosixFile& CompressedCopy::file() {
  return impl_->file();
}

std::optional<u64> available_space(const std::string& path, PosixCalls& calls) {
  const PosixFile folder(calls, folder_of(path), O_RDONLY | O_DIRECTORY);
  struct statvfs space {};
  if (calls.fstatvfs(folder.descriptor(), &space) != 0) return std::nullopt;
  return base::checked_mul(space.f_bavail, space.f_frsize);
}

}  // namespace h5score::storage
