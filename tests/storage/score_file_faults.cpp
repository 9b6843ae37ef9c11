// The score file when system calls fail, stop short or lie, when the power goes, and when the file is damaged.
#include "storage/faulty_calls.hpp"
#include "storage/score_file_support.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <map>
#include <random>

namespace h5score::storage::testing {
namespace {

using ::testing::HasSubstr;

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

TEST_F(ScoreFileFaults, ADiskThatFailsWhileTheFileIsMadeFailsNothingElse) {
  const auto spec = example(300, 100);
  for (long writes = 0;; ++writes) {
    ASSERT_LT(writes, 100);
    calls_.writes_before_failure = writes;
    calls_.write_error = writes % 2 == 0 ? ENOSPC : EIO;
    try {
      create(spec, options_).suspend();
    } catch (const base::Error& error) {
      if (std::filesystem::exists(part())) break;  // the file was made; what failed is the record of its run
      EXPECT_EQ(error.code(), ExitCode::cant_create) << error.what();
      EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "nothing is left behind";
    }
  }
  calls_.writes_before_failure = -1;
  auto file = create(spec, options_);  // the library is as good as before
  write_all(file, spec);
  file.finish();
  expect_complete(output_, spec);
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
