// Blocks by their assignments: cut into pieces, each read into one buffer and decoded from there while it is in the
// cache.
#include "h5score/storage/block_reader.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"

#include "assigned_block.hpp"
#include "byte_reader.hpp"
#include "mapped_reader.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

namespace h5score::storage {
namespace {

using base::ByteView;
using base::Error;
using base::RowRange;
using Clock = std::chrono::steady_clock;

}  // namespace

class BlockReader::Impl {
 public:
  Impl(const Decoder& decoder, const std::vector<FileIdentity>& files, std::string host)
      : decoder_(decoder), files_(files), host_(std::move(host)) {}

  void open(ByteView assignment) {
    rows_ = {0, 0};
    block_.open(assignment, decoder_.format(), files_.size());
    ranges_.clear();
  }

  bool next(const Poll& poll) {
    naming_host([&] { mapped_.check(); });  // the piece before: nobody uses it any more
    mapped_.release();
    open_file_.reset();
    if (rows_.end == block_.rows()) return false;
    if (rows_.end == 0) block_.choose_size(decoder_.format(), [this](u32 number) { return maps(number); });
    rows_ = {rows_.end, block_.piece_end(rows_.end)};
    block_.cut(rows_, part_, [this](const PayloadHeader& header, u64 array, u64 chunk_row) {
      return decoder_.keeps(decoded_, header, array, chunk_row);
    });
    u64 end = 0;
    segments_.clear();
    unread_.clear();
    each_segment([&](u32 file, u64 address, u64 size) {
      if (size == 0 || address == AssignedBlock::kept) {
        segments_.emplace_back();
      } else if (file == AssignedArray::enclosed) {
        segments_.push_back(block_.enclosed(address, size));
      } else if (const auto view = mapped(file, address, size)) {
        segments_.push_back(*view);
        if (poll) poll();
      } else {
        const u64 offset = align_up(end);
        add_range(file, {address, size, offset});
        unread_.push_back({segments_.size(), offset, size});
        segments_.emplace_back();
        end = offset + size;
      }
    });
    buffer_.resize(end);
    for (const auto& [segment, offset, size] : unread_) segments_[segment] = buffer_.view().subspan(offset, size);
    naming_host([&] {
      read(buffer_.data(), poll);
      const u64 tasks = decoder_.tasks(part_.header, segments_, decoded_);
      for (u64 task = 0; task < tasks; ++task) {
        decoder_.decode(task, decoded_);
        if (poll) poll();
      }
    });
    return true;
  }

  void fetch(ByteView assignment, base::AlignedBuffer& payload, const Poll& poll) {
    open(assignment);
    block_.cut({0, block_.rows()}, part_, {});
    const base::Bytes body = base::to_bytes(part_.header);
    const u64 size = body.size();
    u64 end = sizeof size + size;
    std::vector<std::pair<u64, ByteView>> copies;
    each_segment([&](u32 file, u64 address, u64 bytes) {
      if (bytes == 0) return;
      const u64 offset = align_up(end);
      if (file == AssignedArray::enclosed)
        copies.emplace_back(offset, block_.enclosed(address, bytes));
      else
        add_range(file, {address, bytes, offset});
      end = offset + bytes;
    });
    payload.resize(end);
    std::memcpy(payload.data(), &size, sizeof size);
    std::memcpy(payload.data() + sizeof size, body.data(), body.size());
    for (const auto& [offset, bytes] : copies) std::memcpy(payload.data() + offset, bytes.data(), bytes.size());
    rows_ = {block_.rows(), block_.rows()};
    naming_host([&] { read(payload.data(), poll); });
  }

  [[nodiscard]] const DecodedBlock& decoded() const { return decoded_; }
  [[nodiscard]] RowRange range() const { return rows_; }
  [[nodiscard]] u64 bytes_read() const { return reader_.bytes_read() + mapped_.bytes_mapped(); }
  [[nodiscard]] double read_seconds() const { return read_seconds_; }

 private:
  // Calls visit(file, address, size) for the segments of the part.
  template <class Visit>
  void each_segment(Visit visit) const {
    for (std::size_t i = 0; i < part_.arrays.size(); ++i)
      for (std::size_t k = 0; k < part_.arrays[i].addresses.size(); ++k)
        visit(part_.arrays[i].file, part_.arrays[i].addresses[k], part_.header.arrays[i].sizes[k]);
  }

  // Before memory is taken for it.
  void add_range(u32 file, const ByteRange& range) {
    const u64 size = files_[file].size;
    if (range.size > size || range.address > size - range.size)
      throw Error(base::ExitCode::internal, "an assignment is malformed", "it lies outside " + files_[file].path);
    ranges_[file].push_back(range);
  }

  // Elements of sparse matrices are used as numbers of columns after they were checked: they must not change meanwhile.
  bool maps(u32 number) {
    if (decoder_.format().kind == TableKind::sparse) return false;
    bool usable = false;
    naming_host([&] { usable = mapped_.usable(number, descriptor(number)); });
    return usable;
  }

  std::optional<ByteView> mapped(u32 number, u64 address, u64 size) {
    if (!block_.maps() || !maps(number)) return std::nullopt;
    const auto start = Clock::now();
    const auto view = mapped_.view(number, descriptor(number), file(number), address, size);
    read_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    return view;
  }

  // Once for each piece it is checked that the file is still the same.
  int descriptor(u32 number) {
    if (!open_file_ || open_file_->first != number) open_file_.emplace(number, reader_.descriptor(file(number)));
    return open_file_->second;
  }

  void read(std::byte* buffer, const Poll& poll) {
    const auto start = Clock::now();
    for (auto& [number, ranges] : ranges_) {
      if (ranges.empty()) continue;
      reader_.read(file(number), ranges, buffer, poll);
      ranges.clear();
    }
    read_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
  }

  const ByteFile& file(u32 number) {
    const auto [found, first] = checked_.try_emplace(number);
    if (first) {
      const FileIdentity& identity = files_[number];
      try {
        if (!host_.empty()) check_identity(identity, host_);
      } catch (...) {
        checked_.erase(found);
        throw;
      }
      found->second = {.path = identity.path, .size = identity.size, .mtime_ns = identity.mtime_ns};
    }
    return found->second;
  }

  template <class Action>
  void naming_host(Action action) const {
    try {
      action();
    } catch (const Error& error) {
      const bool named = host_.empty() || std::string_view(error.what()).starts_with(host_ + ": ");
      if (named) throw;
      throw error.in(host_);
    }
  }

  const Decoder& decoder_;
  const std::vector<FileIdentity>& files_;
  std::string host_;
  std::map<u32, ByteFile> checked_;  // by number: those whose identity was checked
  ByteReader reader_;
  MappedReader mapped_;
  std::optional<std::pair<u32, int>> open_file_;  // number and descriptor
  AssignedBlock block_;
  Assignment part_;                               // of the piece
  std::map<u32, std::vector<ByteRange>> ranges_;  // to be read, by file
  base::AlignedBuffer buffer_;
  std::vector<ByteView> segments_;
  struct Unread {
    u64 segment = 0;
    u64 offset = 0;
    u64 size = 0;
  };
  std::vector<Unread> unread_;  // segments that come to lie in `buffer_`
  DecodedBlock decoded_;
  RowRange rows_;
  double read_seconds_ = 0;
};

BlockReader::BlockReader(const Decoder& decoder, const std::vector<FileIdentity>& files, std::string host)
    : impl_(std::make_unique<Impl>(decoder, files, std::move(host))) {}
BlockReader::BlockReader(BlockReader&&) noexcept = default;
BlockReader& BlockReader::operator=(BlockReader&&) noexcept = default;
BlockReader::~BlockReader() = default;

void BlockReader::open(ByteView assignment) {
  impl_->open(assignment);
}
bool BlockReader::next(const Poll& poll) {
  return impl_->next(poll);
}
const DecodedBlock& BlockReader::rows() const {
  return impl_->decoded();
}
base::RowRange BlockReader::range() const {
  return impl_->range();
}
void BlockReader::fetch(ByteView assignment, base::AlignedBuffer& payload, const Poll& poll) {
  impl_->fetch(assignment, payload, poll);
}
u64 BlockReader::bytes_read() const {
  return impl_->bytes_read();
}
double BlockReader::read_seconds() const {
  return impl_->read_seconds();
}

}  // namespace h5score::storage
