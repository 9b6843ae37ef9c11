// Offsets and transposition, through pieces of arrays that the name node reads.
#include "sparse_matrix.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/storage/posix_file.hpp"

#include "name_node_calls.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace h5score::storage {
namespace {

using base::Bytes;
using base::Error;
using base::ExitCode;
using base::i64;
using base::RowRange;

constexpr u64 piece = u64{1} << 20;  // elements that the name node reads at a time
constexpr base::ElementType integers{.kind = base::ElementKind::signed_integer, .size = 8};

// Reads elements of a one-dimensional dataset, converted.
Bytes read(h5::Sandbox& name_node, h5::DatasetFacts facts, const base::ElementType& type, RowRange elements,
           const Poll& poll) {
  facts.read_as = type;
  const ReadRequest request{facts, elements};
  auto bytes = name_node.call("storage.read", base::to_bytes(request), facts.file, poll);
  if (bytes.size() != elements.size() * type.size)
    throw Error(ExitCode::internal, facts.file + ": the name node served another number of bytes");
  return bytes;
}

std::vector<i64> read_integers(h5::Sandbox& name_node, const h5::DatasetFacts& facts, RowRange elements,
                               const Poll& poll) {
  const Bytes bytes = read(name_node, facts, integers, elements, poll);
  std::vector<i64> numbers(elements.size());
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

// Pieces end where chunks do, so that no chunk is read twice.
u64 piece_end(const h5::DatasetFacts& facts, RowRange range) {
  u64 end = range.begin + piece;
  if (!facts.chunk.empty()) end = std::max(end / facts.chunk[0], range.begin / facts.chunk[0] + 1) * facts.chunk[0];
  return std::min(end, range.end);
}

[[noreturn]] void damaged(const SparseFacts& facts, const std::string& why) {
  throw Error(ExitCode::data, facts.indices.file + ": '" + facts.name + "' is not a valid sparse matrix", why);
}

class Transposition {
 public:
  Transposition(h5::Sandbox& name_node, const SparseFacts& facts, RowRange rows, const Poll& poll)
      : name_node_(name_node),
        facts_(facts),
        rows_(rows),
        value_size_(facts.values.read_as->size),
        poll_(poll),
        columns_(read_offsets(name_node, facts, poll)) {}

  // Runs of elements whose columns are wanted.
  void choose(const std::vector<bool>& wanted) {
    for (u64 column = 0; column < facts_.columns; ++column) {
      if ((!wanted.empty() && !wanted[column]) || columns_[column] == columns_[column + 1]) continue;
      if (!runs_.empty() && runs_.back().end == columns_[column])
        runs_.back().end = columns_[column + 1];
      else
        runs_.push_back({columns_[column], columns_[column + 1]});
    }
  }

  std::vector<u64> count_rows() {
    std::vector<u64> offsets(rows_.size() + 1);
    each_piece([&](RowRange, const std::vector<i64>& rows) {
      for (const i64 row : rows)
        if (inside(row)) ++offsets[static_cast<u64>(row) - rows_.begin + 1];
    });
    for (u64 i = 0; i < rows_.size(); ++i) offsets[i + 1] += offsets[i];
    return offsets;
  }

  // Brings the elements of some rows (counted from the first) in order.
  void sort_rows(RowRange group, const std::vector<u64>& offsets, std::vector<u32>& columns, Bytes& values) {
    const u64 first = offsets[group.begin];
    std::vector<u64> next(offsets.begin() + static_cast<std::ptrdiff_t>(group.begin),
                          offsets.begin() + static_cast<std::ptrdiff_t>(group.end));
    columns.resize(offsets[group.end] - first);
    values.resize(columns.size() * value_size_);
    each_piece([&](RowRange elements, const std::vector<i64>& rows) {
      const Bytes stored = read(name_node_, facts_.values, *facts_.values.read_as, elements, poll_);
      u64 column = column_of(elements.begin);
      for (u64 i = 0; i < rows.size(); ++i) {
        while (columns_[column + 1] <= elements.begin + i) ++column;
        if (!inside(rows[i])) continue;
        const u64 row = static_cast<u64>(rows[i]) - rows_.begin;
        if (row < group.begin || row >= group.end) continue;
        const u64 place = next[row - group.begin]++ - first;
        columns[place] = static_cast<u32>(column);
        std::memcpy(values.data() + place * value_size_, stored.data() + i * value_size_, value_size_);
      }
    });
  }

  [[nodiscard]] u64 value_size() const { return value_size_; }

 private:
  template <class Visit>
  void each_piece(Visit visit) {
    for (const auto& run : runs_)
      for (u64 begin = run.begin; begin < run.end;) {
        const RowRange elements{begin, piece_end(facts_.indices, {begin, run.end})};
        const auto rows = read_integers(name_node_, facts_.indices, elements, poll_);
        visit(elements, rows);
        begin = elements.end;
      }
  }

  // Throws for a row that does not exist; false for one that is not selected.
  [[nodiscard]] bool inside(i64 row) const {
    if (row < 0 || static_cast<u64>(row) >= facts_.rows)
      damaged(facts_, "'indices' names row " + std::to_string(row) + " of " + std::to_string(facts_.rows));
    return static_cast<u64>(row) >= rows_.begin && static_cast<u64>(row) < rows_.end;
  }

  [[nodiscard]] u64 column_of(u64 element) const {
    return static_cast<u64>(std::upper_bound(columns_.begin(), columns_.end(), element) - columns_.begin()) - 1;
  }

  h5::Sandbox& name_node_;
  const SparseFacts& facts_;
  RowRange rows_;
  u64 value_size_;
  const Poll& poll_;
  std::vector<u64> columns_;  // where they begin
  std::vector<RowRange> runs_;
};

// A file without a name: it is gone when it is closed, however that happens.
class Spool {
 public:
  Spool() : file_(open()) {}
  void write(const void* data, u64 size, u64 offset, const Poll& poll) const {
    file_.write({static_cast<const std::byte*>(data), size}, offset, poll);
  }
  /// To be called when all is written.
  static std::shared_ptr<const ByteFile> bytes(const std::shared_ptr<Spool>& spool) {
    spool->facts_ = stat_file("/proc/self/fd/" + std::to_string(spool->file_.descriptor()));
    spool->facts_.ours_alone = true;
    return {spool, &spool->facts_};
  }

 private:
  static PosixFile open() {
    const char* folder = std::getenv("TMPDIR");
    if (folder == nullptr || *folder == '\0') folder = "/tmp";
    try {
      return {PosixCalls::system(), folder, O_TMPFILE | O_RDWR, 0600};
    } catch (const Error&) {  // NFS has no files without names
      const std::string path = std::string(folder) + "/h5score-rows-" + std::to_string(::getpid());
      PosixFile file(PosixCalls::system(), path, O_CREAT | O_EXCL | O_RDWR, 0600);
      static_cast<void>(::unlink(path.c_str()));  // where it cannot be removed, it is only untidy
      return file;
    }
  }
  PosixFile file_;
  ByteFile facts_;
};

}  // namespace

std::vector<u64> read_offsets(h5::Sandbox& name_node, const SparseFacts& facts, const Poll& poll) {
  const u64 elements = facts.indices.shape[0];
  const u64 count = facts.offsets.shape[0];
  std::vector<u64> offsets;
  offsets.reserve(count);
  for (u64 begin = 0; begin < count;) {
    const RowRange part{begin, piece_end(facts.offsets, {begin, count})};
    for (const i64 offset : read_integers(name_node, facts.offsets, part, poll)) {
      const u64 before = offsets.empty() ? 0 : offsets.back();
      const bool fits = offset >= 0 && static_cast<u64>(offset) >= before && static_cast<u64>(offset) <= elements;
      if (!fits || (offsets.empty() && offset != 0))
        damaged(facts, "'indptr' has " + std::to_string(offset) + " at position " + std::to_string(offsets.size()) +
                           ", after " + std::to_string(before) + "; there are " + std::to_string(elements) +
                           " elements");
      offsets.push_back(static_cast<u64>(offset));
    }
    begin = part.end;
  }
  if (offsets.back() != elements)
    damaged(facts, "'indptr' ends at " + std::to_string(offsets.back()) + ", but there are " +
                       std::to_string(elements) + " elements");
  return offsets;
}

TransposedRows transpose(h5::Sandbox& name_node, const SparseFacts& facts, const std::vector<bool>& wanted,
                         RowRange rows, u64 memory, const Poll& poll) {
  Transposition transposition(name_node, facts, rows, poll);
  transposition.choose(wanted);
  TransposedRows result;
  result.offsets = transposition.count_rows();
  const u64 elements = result.offsets.back();
  const u64 value_size = transposition.value_size();
  result.values_address = base::checked_mul(elements, sizeof(u32)) / 64 * 64 + 64;
  const auto spool = std::make_shared<Spool>();
  std::vector<u32> columns;
  Bytes values;
  for (RowRange group{0, 0}; group.begin < rows.size(); group.begin = group.end) {
    const u64 first = result.offsets[group.begin];
    const u64 most = std::max<u64>(1, memory / (sizeof(u32) + value_size));
    const auto fits = std::upper_bound(result.offsets.begin(), result.offsets.end(), first + most);
    group.end = std::max(group.begin + 1, static_cast<u64>(fits - result.offsets.begin()) - 1);
    transposition.sort_rows(group, result.offsets, columns, values);
    spool->write(columns.data(), columns.size() * sizeof(u32), first * sizeof(u32), poll);
    spool->write(values.data(), values.size(), result.values_address + first * value_size, poll);
  }
  result.bytes = Spool::bytes(spool);
  return result;
}

}  // namespace h5score::storage
