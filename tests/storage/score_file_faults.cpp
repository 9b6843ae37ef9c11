// The score file when system calls fail, stop short or lie, when the power goes, and when the file is damaged.
#include "storage/score_file_support.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <thread>

namespace h5score::storage::testing {
namespace {

using ::testing::HasSubstr;

/// Fails the calls it is told to; counts down to a failing pwrite.
class FaultyCalls : public PosixCalls {
 public:
  ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
    if (writes_before_failure-- == 0) return fail(EIO);
    if (short_and_interrupted) {
      interrupt_ = !interrupt_;
      if (interrupt_) return fail(EINTR);
      size = std::min<std::size_t>(size, 333);
    }
    return PosixCalls::pwrite(fd, data, size, offset);
  }
  ssize_t pread(int fd, void* data, std::size_t size, off_t offset) override {
    return PosixCalls::pread(fd, data, short_and_interrupted ? std::min<std::size_t>(size, 77) : size, offset);
  }
  int open(const char* path, int flags, mode_t mode) override {
    return open_error != 0 ? fail(open_error) : PosixCalls::open(path, flags, mode);
  }
  int fdatasync(int fd) override { return sync_error != 0 ? fail(sync_error) : PosixCalls::fdatasync(fd); }
  int fsync(int fd) override { return sync_error != 0 ? fail(sync_error) : PosixCalls::fsync(fd); }
  int fallocate(int fd, off_t size) override {
    return reserve_error != 0 ? fail(reserve_error) : PosixCalls::fallocate(fd, size);
  }
  int fstatvfs(int fd, struct statvfs* status) override {
    const int result = PosixCalls::fstatvfs(fd, status);
    if (no_space) status->f_bavail = 1;
    return result;
  }
  int rename(const char* from, const char* to, unsigned flags) override {
    return no_rename_flags && flags != 0 ? fail(EINVAL) : PosixCalls::rename(from, to, flags);
  }
  int lock(int fd) override { return lock_error != 0 ? fail(lock_error) : PosixCalls::lock(fd); }

  long writes_before_failure = -1;
  bool short_and_interrupted = false;
  bool no_space = false;
  bool no_rename_flags = false;
  int open_error = 0;
  int sync_error = 0;
  int reserve_error = 0;
  int lock_error = 0;

 private:
  static int fail(int reason) {
    errno = reason;
    return -1;
  }
  bool interrupt_ = false;
};

/// A disk that may forget, when the power goes, any part of what was written since the last sync began.
class ForgetfulDisk : public PosixCalls {
 public:
  explicit ForgetfulDisk(bool syncs_lie = false) : syncs_lie_(syncs_lie) {}

  ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
    const std::lock_guard guard(mutex_);
    Write before{offset, std::string(size, '\0')};
    EXPECT_EQ(PosixCalls::pread(fd, before.old.data(), size, offset), static_cast<ssize_t>(size));
    unsynced_.push_back(std::move(before));
    return PosixCalls::pwrite(fd, data, size, offset);
  }
  int fdatasync(int /*fd*/) override {
    std::unique_lock guard(mutex_);
    const auto before = static_cast<std::ptrdiff_t>(unsynced_.size());
    guard.unlock();  // what is written while a sync runs may or may not be in it: here it is not
    std::this_thread::yield();
    guard.lock();
    if (!syncs_lie_) unsynced_.erase(unsynced_.begin(), unsynced_.begin() + before);
    ++syncs_;
    synced_.notify_all();
    return 0;
  }

  [[nodiscard]] u64 syncs() {
    const std::lock_guard guard(mutex_);
    return syncs_;
  }
  /// Gives a sync the time to end; none may be on its way.
  void wait_for_more_syncs_than(u64 syncs) {
    std::unique_lock guard(mutex_);
    synced_.wait_for(guard, std::chrono::milliseconds(20), [&] { return syncs_ > syncs; });
  }

  /// Takes back, of each unsynced write, nothing, all or a part from some multiple of 8 bytes on.
  void lose_power(const std::string& path, std::mt19937& random) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    for (auto write = unsynced_.rbegin(); write != unsynced_.rend(); ++write) {
      const std::size_t begin = std::uniform_int_distribution<std::size_t>(0, write->old.size())(random) / 8 * 8;
      if (random() % 3 == 0) continue;
      file.seekp(write->offset + static_cast<std::streamoff>(begin));
      file.write(write->old.data() + begin, static_cast<std::streamsize>(write->old.size() - begin));
    }
    ASSERT_TRUE(file.flush().good());
  }

 private:
  struct Write {
    off_t offset;
    std::string old;
  };
  bool syncs_lie_;
  std::mutex mutex_;
  std::condition_variable synced_;
  u64 syncs_ = 0;
  std::vector<Write> unsynced_;
};

class ScoreFileFaults : public ScoreFileTest {
 protected:
  ScoreFileFaults() {
    options_.calls = &calls_;
    options_.warn = [this](const std::string& text) { warnings_ += text + "\n"; };
  }
  void write_all(ScoreFile& file, const ScoreFileSpec& spec) {
    for (const u64 block : file.todo()) write_block(file, spec, block);
  }
  FaultyCalls calls_;
  ScoreFileOptions options_;
  std::string warnings_;
};

TEST_F(ScoreFileFaults, ShortAndInterruptedCallsAreContinued) {
  calls_.short_and_interrupted = true;
  const auto spec = example(300, 100);
  auto file = create(spec, options_);
  write_block(file, spec, 1);
  file.suspend();
  auto resumed = resume(spec, options_);
  EXPECT_EQ(resumed.todo().size(), 2U);
  write_all(resumed, spec);
  resumed.finish();
  expect_complete(output_, spec);
  EXPECT_EQ(warnings_, "");
}

TEST_F(ScoreFileFaults, FailedWriteNamesPathAndOffset) {
  const auto spec = example(300, 100);
  auto file = create(spec, options_);
  const u64 offset = read_scores(part()).column_extents[2].offset + 100 * 12;
  calls_.writes_before_failure = 2;
  const auto message = error_of(ExitCode::io, [&] { write_block(file, spec, 1); });
  EXPECT_THAT(message, HasSubstr(part() + ": writing at offset " + std::to_string(offset)));
  EXPECT_THAT(message, HasSubstr("Input/output error"));
}

TEST_F(ScoreFileFaults, FailedSyncIsFinalAndClaimsNothing) {
  const auto spec = example(300, 100);
  {
    auto file = create(spec, options_);
    write_all(file, spec);
    calls_.sync_error = EIO;
    EXPECT_THAT(error_of(ExitCode::io, [&] { file.finish(); }), HasSubstr("syncing"));
    calls_.sync_error = 0;  // the kernel has forgotten: a second sync would succeed without the lost pages
    error_of(ExitCode::io, [&] { file.finish(); });
    error_of(ExitCode::io, [&] { file.suspend(); });
  }
  EXPECT_EQ(read_scores(part()).blocks_done(), 0U);
  EXPECT_FALSE(std::filesystem::exists(output_));
}

TEST_F(ScoreFileFaults, FailedBackgroundSyncIsReportedByTheNextCall) {
  options_.sync_interval = 0;
  const auto spec = example(300, 100);
  auto file = create(spec, options_);
  calls_.sync_error = EIO;
  write_block(file, spec, 0);
  error_of(ExitCode::io, [&] { file.suspend(); });
  EXPECT_EQ(read_scores(part()).blocks_done(), 0U);
}

TEST_F(ScoreFileFaults, FullDiskIsSaidBeforeTheRun) {
  const auto spec = example(300, 100);
  calls_.reserve_error = ENOSPC;
  EXPECT_THAT(error_of(ExitCode::cant_create, [&] { create(spec, options_); }), HasSubstr("No space left"));
  calls_.reserve_error = EOPNOTSUPP;  // a file system that cannot reserve, and statvfs says no
  calls_.no_space = true;
  EXPECT_THAT(error_of(ExitCode::cant_create, [&] { create(spec, options_); }), HasSubstr("No space left"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "nothing is left behind";
  calls_.no_space = false;
  create(spec, options_).suspend();
  EXPECT_THAT(warnings_, HasSubstr("cannot reserve space"));
}

TEST_F(ScoreFileFaults, ReadOnlyAndForbiddenFolders) {
  const auto spec = example(300, 100);
  calls_.open_error = EROFS;
  EXPECT_THAT(error_of(ExitCode::cant_create, [&] { create(spec, options_); }), HasSubstr("Read-only file system"));
  calls_.open_error = EACCES;
  EXPECT_THAT(error_of(ExitCode::cant_create, [&] { create(spec, options_); }), HasSubstr("Permission denied"));
  calls_.open_error = 0;
  calls_.sync_error = EIO;
  error_of(ExitCode::cant_create, [&] { create(spec, options_); });
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(ScoreFileFaults, FilesThatCannotBeOpenedSayForWhat) {
  const auto open = [](int flags) { return [flags] { PosixFile(PosixCalls::system(), "/no/such/file", flags); }; };
  EXPECT_EQ(error_of(ExitCode::io, open(O_RDONLY)), "/no/such/file: cannot be opened (No such file or directory)");
  EXPECT_EQ(error_of(ExitCode::cant_create, open(O_RDWR)),
            "/no/such/file: cannot be opened for writing (No such file or directory)");
}

TEST_F(ScoreFileFaults, FileSystemsWithoutLocksOrRenameFlags) {
  const auto spec = example(300, 100);
  calls_.no_rename_flags = true;
  calls_.lock_error = ENOLCK;
  auto file = create(spec, options_);
  EXPECT_THAT(warnings_, HasSubstr("cannot be locked (No locks available)"));
  write_all(file, spec);
  std::ofstream(output_) << "someone else's";
  error_of(ExitCode::cant_create, [&] { file.finish(); });
  std::filesystem::remove(output_);
  auto complete = resume(spec, options_);
  EXPECT_TRUE(complete.todo().empty());
  complete.finish();
  expect_complete(output_, spec);

  options_.overwrite = true;
  options_.locking = FileLocking::on;
  EXPECT_THAT(error_of(ExitCode::cant_create, [&] { create(spec, options_); }), HasSubstr("cannot be locked"));
  warnings_.clear();
  options_.locking = FileLocking::off;
  create(spec, options_).suspend();
  EXPECT_EQ(warnings_, "");
}

// Writes some blocks, loses power, and returns how many false claims the next run finds.
u64 false_claims(const std::string& output, const ScoreFileSpec& spec, bool syncs_lie, unsigned seed) {
  std::mt19937 random(seed);
  ForgetfulDisk disk(syncs_lie);
  ScoreFileOptions options;
  options.calls = &disk;
  options.overwrite = true;
  options.sync_interval = 0;
  {
    auto file = ScoreFile::create(output, spec, facts(), options);
    auto blocks = file.todo();
    std::shuffle(blocks.begin(), blocks.end(), random);
    blocks.resize(random() % blocks.size());
    for (const u64 block : blocks) {
      const u64 before = disk.syncs();
      write_block(file, spec, block);
      if (random() % 3 != 0) disk.wait_for_more_syncs_than(before);  // else the sync runs beside the next writes
    }
  }
  disk.lose_power(part_path(output), random);
  options.calls = nullptr;
  auto file = ScoreFile::resume(output, read_scores(part_path(output)), spec.identity, facts(), options);
  for (const u64 block : file.todo()) write_block(file, spec, block);
  const u64 rejected = file.blocks_rejected();
  file.finish();
  expect_complete(output, spec);
  return rejected;
}

TEST_F(ScoreFileFaults, LostPowerNeverLeavesAFalseClaim) {
  const auto spec = example(400, 10);
  for (unsigned seed = 0; seed < 25; ++seed) EXPECT_EQ(false_claims(output_, spec, false, seed), 0U) << "seed " << seed;
}

TEST_F(ScoreFileFaults, DisksThatLieAboutSyncsAreFoundOut) {
  const auto spec = example(400, 10);
  u64 rejected = 0;
  for (unsigned seed = 0; seed < 10; ++seed) rejected += false_claims(output_, spec, true, seed);
  EXPECT_GT(rejected, 0U);
}

// In a child process, because HDF5 may crash on damaged files; a run reads part files in such a child too.
int read_in_child(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    try {
      const auto found = read_scores(path);
      ::_exit(found.ledger.size() == found.blocks() && found.boundaries.back() == found.rows ? 0 : 2);
    } catch (const base::Error&) {
      ::_exit(1);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(ScoreFileFaults, DamagedMetadataGivesAnErrorOrASoundDescription) {
  create(example(40, 10)).suspend();
  std::string sound;
  {
    std::ifstream in(part(), std::ios::binary);
    sound.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::mt19937 random(7);
  std::map<int, int> outcomes;
  for (int i = 0; i < 150; ++i) {
    std::string damaged = sound;
    for (int flips = 0; flips < 8;) {  // most of the file is padding: damage only bytes that say something
      char& byte = damaged[random() % damaged.size()];
      if (byte == 0 && random() % 200 != 0) continue;
      byte = static_cast<char>(random());
      ++flips;
    }
    std::ofstream(output_, std::ios::binary) << damaged;
    ++outcomes[read_in_child(output_)];
  }
  EXPECT_EQ(outcomes[2], 0);
  EXPECT_EQ(outcomes[3], 0);
  EXPECT_GT(outcomes[1], 10) << "the damage is noticed";
}

TEST_F(ScoreFileFaults, OtherFilesAreNoScoreFiles) {
  std::ofstream(output_) << "text";
  EXPECT_THAT(error_of(ExitCode::data, [&] { read_scores(output_); }), HasSubstr(output_));
  EXPECT_THAT(error_of(ExitCode::no_input, [&] { read_scores(folder_ + "/none"); }), HasSubstr("No such file"));
}

}  // namespace
}  // namespace h5score::storage::testing
