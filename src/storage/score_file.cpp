// Writes results by pwrite and keeps the ledger behind the synced data.
#include "h5score/storage/score_file.hpp"

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/base/narrow.hpp"

#include "part_file.hpp"
#include "run_owner.hpp"
#include "score_layout.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <future>
#include <limits>
#include <optional>
#include <utility>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using Clock = std::chrono::steady_clock;

template <class T>
std::span<std::byte> writable_bytes(std::vector<T>& values) {
  return std::as_writable_bytes(std::span(values));
}

}  // namespace

class ScoreFile::Impl {
 public:
  Impl(std::string output, PosixFile file, ScoreDescription description, ScoreFileOptions options)
      : output_(std::move(output)),
        options_(std::move(options)),
        description_(std::move(description)),
        file_(std::move(file)),
        size_(static_cast<u64>(file_.status().st_size)),
        written_(description_.blocks()) {
    check_places();
  }

  void begin_run(const RunFacts& run);
  void verify_ledger();
  [[nodiscard]] const std::vector<u64>& boundaries() const { return description_.boundaries; }
  [[nodiscard]] std::vector<u64> todo() const;
  [[nodiscard]] u64 result_bytes(u64 block) const { return rows(block) * row_bytes_; }
  [[nodiscard]] u64 rejected() const { return rejected_; }
  void write(u64 block, ByteView results, u32 crc, const Poll& poll);
  [[nodiscard]] ScorePlaces places() const;
  void write_rest(u64 offset, ByteView bytes, const Poll& poll);
  void written(u64 block, u32 crc);
  void suspend();
  void disown();
  void seal();
  void finish();
  void finish_as(PosixFile& copy);
  [[nodiscard]] const ScoreDescription& description() const { return description_; }
  [[nodiscard]] const PosixFile& file() const { return file_; }

 private:
  [[nodiscard]] u64 rows(u64 block) const { return boundaries().at(block + 1) - boundaries()[block]; }
  [[nodiscard]] Extent slice(std::size_t column, u64 block) const;
  [[nodiscard]] bool matches(u64 block, base::AlignedBuffer& buffer) const;
  void check_places();
  void check_usable() const;
  void check_unwritten(u64 block) const;
  void start_sync();
  void complete_sync();
  void settle();
  void write_entries(std::vector<u64> blocks) const;
  [[nodiscard]] u64 record_offset() const { return description_.runs_extent.offset + run_slot_ * layout::run_bytes; }
  void write_record() const;
  void end_run();

  [[nodiscard]] PosixCalls& calls() const { return options_.calls != nullptr ? *options_.calls : PosixCalls::system(); }

  std::string output_;
  ScoreFileOptions options_;
  ScoreDescription description_;  // its ledger is what the file's ledger says
  std::vector<u64> row_bytes_of_;
  u64 row_bytes_ = 0;
  u64 rejected_ = 0;
  PosixFile file_;
  u64 size_;  ///< everything is allocated before the first block
  std::vector<bool> written_;
  std::vector<u64> ledger_before_;            ///< as this run found it
  std::vector<std::pair<u64, u32>> pending_;  // block and CRC: written, not synced
  std::vector<std::pair<u64, u32>> syncing_;  // written before the sync that is under way
  Clock::time_point last_sync_ = Clock::now();
  bool unusable_ = false;
  bool sealed_ = false;
  RunFacts run_;
  u64 run_slot_ = 0;
  std::optional<RunOwner> owner_;
  std::future<void> sync_;  // last: waits for the helper thread before the file is closed
};

// A file that cannot take every block's bytes at a known place (a compressed one, a damaged one) is refused.
void ScoreFile::Impl::check_places() {
  for (std::size_t i = 0; i < description_.columns.size(); ++i) {
    const ScoreColumn& column = description_.columns[i];
    row_bytes_of_.push_back(column.row_bytes());
    row_bytes_ = base::checked_add(row_bytes_, row_bytes_of_.back());
    if (description_.column_extents.at(i).size != base::checked_mul(description_.rows, row_bytes_of_.back()))
      throw Error(ExitCode::data, file_.path() + ", " + column.path + ": cannot be written in place",
                  "it is stored compressed or in pieces");
  }
  static_cast<void>(base::checked_mul(description_.rows, row_bytes_));
  if (description_.runs_extent.size != layout::run_slots * layout::run_bytes ||
      description_.ledger_extent.size != description_.blocks() * sizeof(u64) ||
      description_.alive_extent.size % (layout::run_slots * sizeof(layout::SignOfLife)) != 0)
    throw Error(ExitCode::data, file_.path() + ": the ledger or the records of its runs are missing");
}

// Notes the run in the first free slot, or in the place of the oldest run.
void ScoreFile::Impl::begin_run(const RunFacts& run) {
  std::vector<layout::RunRecord> records(layout::run_slots);
  file_.read(writable_bytes(records), description_.runs_extent.offset);
  const auto start = [](const layout::RunRecord& record) { return layout::unpack(record).start_ns; };
  const auto slot = std::min_element(records.begin(), records.end(),
                                     [&](const auto& a, const auto& b) { return start(a) < start(b); });
  run_slot_ = static_cast<u64>(slot - records.begin());
  run_ = run;
  if (run_.start_ns == 0) run_.start_ns = now_ns();
  // The latest start owns the file, also where the clocks of hosts differ, or a record is damaged.
  std::vector<layout::SignOfLife> signs(description_.alive_extent.size / sizeof(layout::SignOfLife));
  file_.read(writable_bytes(signs), description_.alive_extent.offset);
  const auto after = [&](i64 other) {
    if (other >= run_.start_ns && other < std::numeric_limits<i64>::max()) run_.start_ns = other + 1;
  };
  for (const auto& record : records) after(start(record));
  for (const auto& sign : signs) after(sign.start_ns);
  run_.end_ns = 0;
  run_.blocks = 0;
  ledger_before_ = description_.ledger;
  write_record();
  owner_.emplace(calls(), file_, description_.alive_extent, run_slot_, run_.start_ns);
}

void ScoreFile::Impl::write_record() const {
  file_.write(layout::pack(run_), record_offset());
}

Extent ScoreFile::Impl::slice(std::size_t column, u64 block) const {
  const u64 bytes = row_bytes_of_[column];
  return {description_.column_extents[column].offset + boundaries()[block] * bytes, rows(block) * bytes};
}

// Re-reads the stored results of a block and compares their CRC with the ledger's.
bool ScoreFile::Impl::matches(u64 block, base::AlignedBuffer& buffer) const {
  u32 crc = 0;
  for (std::size_t i = 0; i < row_bytes_of_.size(); ++i) {
    const Extent place = slice(i, block);
    buffer.resize(place.size);
    file_.read(buffer.span(), place.offset);
    crc = base::crc32(buffer.view(), crc);
  }
  return crc == ledger_crc(description_.ledger[block]);
}

// The description may be older than the lock, so the ledger is read again. A claim that does not hold is struck from
// the file at once.
void ScoreFile::Impl::verify_ledger() {
  auto& ledger = description_.ledger;
  file_.read(writable_bytes(ledger), description_.ledger_extent.offset);
  base::AlignedBuffer buffer;
  std::vector<u64> rejected;
  for (u64 block = 0; block < ledger.size(); ++block) {
    if (ledger[block] == 0) continue;
    written_[block] = ledger_done(ledger[block]) && matches(block, buffer);
    if (written_[block]) continue;
    ledger[block] = 0;
    rejected.push_back(block);
  }
  rejected_ = rejected.size();
  ledger_before_ = ledger;
  write_entries(std::move(rejected));
}

std::vector<u64> ScoreFile::Impl::todo() const {
  std::vector<u64> blocks;
  for (u64 block = 0; block < written_.size(); ++block)
    if (!written_[block]) blocks.push_back(block);
  return blocks;
}

void ScoreFile::Impl::check_usable() const {
  if (unusable_) throw Error(ExitCode::io, file_.path() + ": can no longer be written", "an earlier error or its end");
}

void ScoreFile::Impl::check_unwritten(u64 block) const {
  if (block >= written_.size() || written_[block])
    throw Error(ExitCode::internal,
                file_.path() + ": block " + std::to_string(block) + " is none of the file's or written already");
}

void ScoreFile::Impl::write(u64 block, ByteView results, u32 crc, const Poll& poll) {
  check_usable();
  check_unwritten(block);
  if (results.size() != result_bytes(block))
    throw Error(ExitCode::internal,
                file_.path() + ": the results of block " + std::to_string(block) + " are of another size");
  for (std::size_t i = 0; i < row_bytes_of_.size(); ++i) {
    const Extent place = slice(i, block);
    file_.write(results.first(place.size), place.offset, poll);
    results = results.subspan(place.size);
  }
  written(block, crc);
}

ScorePlaces ScoreFile::Impl::places() const {
  ScorePlaces places{.path = std::filesystem::absolute(file_.path()).string(),
                     .rows = description_.rows,
                     .mark_offset = record_offset(),
                     .mark = {},
                     .offsets = {},
                     .row_bytes = row_bytes_of_};
  const layout::RunRecord record = layout::pack(run_);
  places.mark.assign(record.begin(), record.end());
  for (const Extent& extent : description_.column_extents) places.offsets.push_back(extent.offset);
  return places;
}

// The place came through a message: outside the results it would destroy the file.
void ScoreFile::Impl::write_rest(u64 offset, ByteView bytes, const Poll& poll) {
  check_usable();
  const auto& extents = description_.column_extents;
  const bool inside = std::any_of(extents.begin(), extents.end(), [&](const Extent& extent) {
    return offset >= extent.offset && offset - extent.offset <= extent.size &&
           bytes.size() <= extent.size - (offset - extent.offset);
  });
  if (!inside)
    throw Error(ExitCode::internal, file_.path() + ": " + std::to_string(bytes.size()) + " bytes at offset " +
                                        std::to_string(offset) + " are no results");
  file_.write(bytes, offset, poll);
}

void ScoreFile::Impl::written(u64 block, u32 crc) {
  check_usable();
  check_unwritten(block);
  if (sync_.valid() && sync_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) complete_sync();
  written_[block] = true;
  ++run_.blocks;
  pending_.emplace_back(block, crc);
  const std::chrono::duration<double> since = Clock::now() - last_sync_;
  if (!sync_.valid() && since.count() >= options_.sync_interval) start_sync();
}

// On a helper thread, because syncing may take seconds in which the root has to serve the other ranks.
void ScoreFile::Impl::start_sync() {
  syncing_.swap(pending_);
  last_sync_ = Clock::now();
  sync_ = std::async(std::launch::async, [this] { file_.sync_data(); });
}

// Only now may the ledger claim the blocks that were written before the sync began.
void ScoreFile::Impl::complete_sync() {
  if (!sync_.valid()) return;
  try {
    sync_.get();
    std::vector<u64> blocks;
    for (const auto& [block, crc] : syncing_) {
      description_.ledger[block] = ledger_entry(crc);
      blocks.push_back(block);
    }
    write_entries(std::move(blocks));
    syncing_.clear();
  } catch (const Error&) {
    unusable_ = true;
    throw;
  }
}

// Only these entries, not what lies between them: a run that was taken over and has not learned of it yet would undo
// the claims of the new one. Its own are true for both.
void ScoreFile::Impl::write_entries(std::vector<u64> blocks) const {
  if (blocks.empty()) return;
  owner_->check();
  std::sort(blocks.begin(), blocks.end());
  for (std::size_t first = 0, end = 0; first < blocks.size(); first = end) {
    for (end = first + 1; end < blocks.size() && blocks[end] == blocks[end - 1] + 1;) ++end;
    const auto entries = std::span(description_.ledger).subspan(blocks[first], end - first);
    file_.write(std::as_bytes(entries), description_.ledger_extent.offset + blocks[first] * sizeof(u64));
  }
}

// Everything written so far is synced and claimed.
void ScoreFile::Impl::settle() {
  check_usable();
  complete_sync();
  start_sync();
  complete_sync();
}

void ScoreFile::Impl::end_run() {
  owner_->check();
  run_.end_ns = now_ns();
  write_record();
  unusable_ = true;  // a failure from here on is final, and after success there is nothing left to write
  file_.sync_all();
}

void ScoreFile::Impl::suspend() {
  if (!sealed_) settle();
  owner_->end();
  if (!sealed_) end_run();
  file_.close();
}

void ScoreFile::Impl::disown() {
  if (sync_.valid()) sync_.wait();
  unusable_ = true;
  std::vector<u64> own;
  for (u64 block = 0; block < ledger_before_.size(); ++block)
    if (description_.ledger[block] != ledger_before_[block]) own.push_back(block);
  description_.ledger = ledger_before_;
  write_entries(std::move(own));
  file_.sync_data();
}

void ScoreFile::Impl::seal() {
  settle();
  std::vector<u64> stored(description_.ledger.size());
  file_.read(writable_bytes(stored), description_.ledger_extent.offset);
  if (stored != description_.ledger || !std::all_of(stored.begin(), stored.end(), ledger_done))
    throw Error(ExitCode::internal, file_.path() + ": not every block is written",
                std::to_string(todo().size()) + " are missing");
  end_run();
  if (const auto size = static_cast<u64>(file_.status().st_size); size != size_)
    throw Error(ExitCode::io, file_.path() + ": was cut or grown by another program during the run",
                "it has " + std::to_string(size) + " bytes instead of " + std::to_string(size_));
  sealed_ = true;
}

void ScoreFile::Impl::finish() {
  if (!sealed_) seal();
  owner_->check();
  owner_->end();
  publish(calls(), file_, output_, options_.overwrite);
  file_.close();
}

void ScoreFile::Impl::finish_as(PosixFile& copy) {
  if (!sealed_) throw Error(ExitCode::internal, file_.path() + ": a copy was made of an unfinished file");
  owner_->check();
  owner_->end();
  publish(calls(), copy, output_, options_.overwrite);
  copy.close();
  if (file_.is_at_path() && ::unlink(file_.path().c_str()) != 0)
    throw Error(ExitCode::io, file_.path() + ": cannot be removed", base::errno_text(errno),
                output_ + " is complete: remove it by hand");
  sync_folder(calls(), folder_of(output_));
  file_.close();
}

ScoreFile::ScoreFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ScoreFile::ScoreFile(ScoreFile&&) noexcept = default;
ScoreFile& ScoreFile::operator=(ScoreFile&&) noexcept = default;
ScoreFile::~ScoreFile() = default;

ScoreFile ScoreFile::create(const std::string& output, const ScoreFileSpec& spec, const RunFacts& run,
                            const ScoreFileOptions& options) {
  auto& calls = options.calls != nullptr ? *options.calls : PosixCalls::system();
  PosixFile file = create_part_file(calls, output, spec, run.host, options);
  ScoreDescription description = read_scores(file.path());  // what a resumed run will see
  auto impl = std::make_unique<Impl>(output, std::move(file), std::move(description), options);
  impl->begin_run(run);
  return ScoreFile(std::move(impl));
}

ScoreFile ScoreFile::resume(const std::string& output, const ScoreDescription& part, const std::string& identity,
                            const RunFacts& run, const ScoreFileOptions& options) {
  auto& calls = options.calls != nullptr ? *options.calls : PosixCalls::system();
  PosixFile file = open_part_file(calls, output, part, run.host, options);
  require_same_identity(file.path(), part.identity, identity);
  layout::require_consistent(part);
  auto impl = std::make_unique<Impl>(output, std::move(file), part, options);
  impl->begin_run(run);  // first, so that no other run begins meanwhile
  impl->verify_ledger();
  return ScoreFile(std::move(impl));
}

const std::vector<u64>& ScoreFile::boundaries() const {
  return impl_->boundaries();
}
std::vector<u64> ScoreFile::todo() const {
  return impl_->todo();
}
u64 ScoreFile::result_bytes(u64 block) const {
  return impl_->result_bytes(block);
}
u64 ScoreFile::blocks_rejected() const {
  return impl_->rejected();
}
void ScoreFile::write(u64 block, ByteView results, u32 crc, const Poll& poll) {
  impl_->write(block, results, crc, poll);
}
ScorePlaces ScoreFile::places() const {
  return impl_->places();
}
void ScoreFile::write_rest(u64 offset, ByteView bytes, const Poll& poll) {
  impl_->write_rest(offset, bytes, poll);
}
void ScoreFile::written(u64 block, u32 crc) {
  impl_->written(block, crc);
}
void ScoreFile::suspend() {
  impl_->suspend();
}
void ScoreFile::disown() {
  impl_->disown();
}
void ScoreFile::seal() {
  impl_->seal();
}
void ScoreFile::finish() {
  impl_->finish();
}
void ScoreFile::finish_as(PosixFile& copy) {
  impl_->finish_as(copy);
}
const ScoreDescription& ScoreFile::description() const {
  return impl_->description();
}
const PosixFile& ScoreFile::file() const {
  return impl_->file();
}

}  // namespace h5score::storage
