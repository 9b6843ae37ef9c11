// Ranks that write their own results: the same bytes as the root alone would write, and no page written by two hosts.
#include "h5score/storage/score_writer.hpp"

#include "storage/score_writer_support.hpp"

#include <gmock/gmock.h>
#include <linux/magic.h>
#include <sys/wait.h>

#include <cerrno>
#include <mutex>
#include <set>
#include <thread>

namespace h5score::storage::testing {
namespace {

using ::testing::HasSubstr;
using Owners = std::vector<Ownership>;

class ScoreWriterTest : public ScoreFileTest, public ::testing::WithParamInterface<Owners> {
 protected:
  /// The bytes of a file that the root has written alone.
  std::string written_by_root(const ScoreFileSpec& spec) {
    auto file = create(spec);
    for (const u64 block : file.todo()) write_block(file, spec, block);
    file.finish();
    std::string bytes = contents_but_runs(output_);
    std::filesystem::remove(output_);
    return bytes;
  }
};

// Blocks of an odd number of rows: their edges lie anywhere in a page.
ScoreFileSpec odd_blocks() {
  return example(20'011, 1'733);
}

TEST_P(ScoreWriterTest, ThreadsOfSeveralRanksWriteWhatTheRootWouldWrite) {
  const auto spec = odd_blocks();
  const std::string expected = written_by_root(spec);
  auto file = create(spec);
  constexpr u64 threads_per_rank = 2;
  const u64 stride = GetParam().size() * threads_per_rank;
  std::vector<std::unique_ptr<ScoreWriter>> writers;
  std::vector<std::vector<Message>> messages(stride);
  std::vector<std::thread> threads;
  for (const Ownership ownership : GetParam())
    writers.push_back(std::make_unique<ScoreWriter>(file.places(), ownership, 0.001, "node18"));
  for (u64 thread = 0; thread < stride; ++thread)
    threads.emplace_back([&, thread] {
      ScoreWriter& writer = *writers[thread % writers.size()];
      for (u64 block = thread; block + 1 < spec.boundaries.size(); block += stride)
        messages[thread].push_back(write_block(writer, spec, block));
    });
  for (auto& thread : threads) thread.join();
  for (const auto& writer : writers) writer->sync();
  for (u64 thread = 0; thread < stride; ++thread)
    for (const auto& message : messages[thread]) {
      EXPECT_LT(message.number, writers[thread % writers.size()]->synced());
      book(file, message);
    }
  file.finish();
  expect_complete(output_, spec);
  EXPECT_TRUE(contents_but_runs(output_) == expected);
}

// A rank of its own process: leaves its messages in a file.
void run_rank(const ScorePlaces& places, Ownership ownership, const ScoreFileSpec& spec, u64 first, u64 stride,
              const std::string& mailbox) {
  ScoreWriter writer(places, ownership, 30, "node18");
  std::vector<Message> messages;
  for (u64 block = first; block + 1 < spec.boundaries.size(); block += stride)
    messages.push_back(write_block(writer, spec, block));
  writer.sync();
  const Bytes bytes = base::to_bytes(messages);
  std::ofstream(mailbox, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

TEST_P(ScoreWriterTest, ProcessesWriteWhatTheRootWouldWrite) {
  const auto spec = odd_blocks();
  const std::string expected = written_by_root(spec);
  auto file = create(spec);
  const ScorePlaces places = base::from_bytes<ScorePlaces>(base::to_bytes(file.places()));
  const u64 ranks = GetParam().size();
  const auto mailbox = [&](u64 rank) { return folder_ + "/" + std::to_string(rank); };
  std::vector<pid_t> children;
  for (u64 rank = 0; rank < ranks; ++rank) {
    children.push_back(::fork());
    ASSERT_GE(children.back(), 0);
    if (children.back() != 0) continue;
    try {
      run_rank(places, GetParam()[rank], spec, rank, ranks, mailbox(rank));
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }
  for (u64 rank = 0; rank < ranks; ++rank) {
    const std::string bytes = contents(mailbox(rank));
    for (const auto& message : base::from_bytes<std::vector<Message>>(std::as_bytes(std::span(bytes))))
      book(file, message);
  }
  file.finish();
  EXPECT_TRUE(contents_but_runs(output_) == expected);
}

INSTANTIATE_TEST_SUITE_P(Owners, ScoreWriterTest,
                         ::testing::Values(Owners(3, Ownership::all), Owners(3, Ownership::pages),
                                           Owners(3, Ownership::none),
                                           Owners{Ownership::all, Ownership::pages, Ownership::none}));

using ScoreWriterPlaces = ScoreFileTest;

/// Notes which pages are written.
class PageRecorder : public PosixCalls {
 public:
  ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset) override {
    const auto begin = static_cast<u64>(offset);
    for (u64 page = begin / 4096; page * 4096 < begin + size; ++page) pages_.insert(page);
    return PosixCalls::pwrite(fd, data, size, offset);
  }
  [[nodiscard]] const std::set<u64>& pages() const { return pages_; }
  [[nodiscard]] u64 shared_with(const PageRecorder& other) const {
    return static_cast<u64>(
        std::count_if(pages_.begin(), pages_.end(), [&](u64 page) { return other.pages_.contains(page); }));
  }

 private:
  std::set<u64> pages_;
};

TEST_F(ScoreWriterPlaces, HostsNeverWriteTheSamePage) {
  const auto spec = odd_blocks();
  PageRecorder root;
  PageRecorder same_host;
  PageRecorder host_b;
  PageRecorder host_c;
  ScoreFileOptions options;
  options.calls = &root;
  auto file = create(spec, options);
  ScoreWriter writers[] = {{file.places(), Ownership::all, 30, "a", &same_host},
                           {file.places(), Ownership::pages, 30, "b", &host_b},
                           {file.places(), Ownership::pages, 30, "c", &host_c}};
  for (const u64 block : file.todo()) {
    ScoreWriter& writer = writers[block % 3];
    const Message message = write_block(writer, spec, block);
    if (block % 3 == 0) {
      EXPECT_TRUE(message.rests.empty());
    }
    EXPECT_LE(message.rests.size(), 2 * spec.columns.size());
    for (const auto& rest : message.rests) EXPECT_LT(rest.size(), 4096U);
    writer.sync();
    book(file, message);
  }
  file.finish();
  expect_complete(output_, spec);
  EXPECT_GT(host_b.pages().size(), 10U);
  EXPECT_GT(host_c.pages().size(), 10U);
  EXPECT_EQ(host_b.shared_with(host_c), 0U);
  for (const auto* host_a : {&root, &same_host}) {
    EXPECT_EQ(host_b.shared_with(*host_a), 0U);
    EXPECT_EQ(host_c.shared_with(*host_a), 0U);
  }
}

TEST_F(ScoreWriterPlaces, BlocksOfWholePagesLeaveNothingToTheRoot) {
  auto spec = example(3 * 4096, 4096);
  auto file = create(spec);
  ScoreWriter writer(file.places(), Ownership::pages, 30, "b");
  for (const u64 block : file.todo()) EXPECT_TRUE(write_block(writer, spec, block).rests.empty()) << block;
}

TEST_F(ScoreWriterPlaces, BlocksWithinAPageAreTheRoots) {
  const auto spec = example(20, 10);
  auto file = create(spec);
  ScoreWriter writer(file.places(), Ownership::pages, 30, "b");
  for (const u64 block : file.todo()) {
    const Message message = write_block(writer, spec, block);
    u64 bytes = 0;
    for (const auto& rest : message.rests) bytes += rest.size();
    EXPECT_EQ(bytes, file.result_bytes(block));
    writer.sync();
    book(file, message);
  }
  file.finish();
  expect_complete(output_, spec);
}

TEST_F(ScoreWriterPlaces, EmptyFilesAndColumnsWithoutBytes) {
  auto spec = example(10, 4);
  spec.columns.push_back(column("/nothing", {ElementKind::floating, 4}, {0}));
  auto file = create(spec);
  ScoreWriter writer(file.places(), Ownership::all, 30, "a");
  for (const u64 block : file.todo()) book(file, write_block(writer, spec, block));
  file.finish();
  expect_complete(output_, spec);
  std::filesystem::remove(output_);
  auto none = create(example(0, 4));
  EXPECT_EQ(direct_write_problem(none.places(), "a"), "");
  none.finish();
}

TEST_F(ScoreWriterPlaces, AResumedRunHasAMarkOfItsOwn) {
  const auto spec = example(100, 10);
  ScorePlaces first;
  {
    auto file = create(spec);
    first = file.places();
    ScoreWriter writer(first, Ownership::all, 30, "a");
    book(file, write_block(writer, spec, 3));
    file.suspend();
  }
  RunFacts later = facts();
  later.start_ns += 1;
  auto file = ScoreFile::resume(output_, read_scores(part()), spec.identity, later, {});
  EXPECT_EQ(file.todo().size(), 9U);
  EXPECT_NE(file.places().mark, first.mark);
  ScoreWriter writer(file.places(), Ownership::all, 30, "a");
  for (const u64 block : file.todo()) book(file, write_block(writer, spec, block));
  file.finish();
  expect_complete(output_, spec);
}

TEST_F(ScoreWriterPlaces, RefusesMissingAndOtherFiles) {
  const auto spec = example(100, 10);
  auto file = create(spec);
  const ScorePlaces right = file.places();
  const auto refusal = [](const ScorePlaces& places) {
    const auto message = error_of(ExitCode::cant_create, [&] { ScoreWriter(places, Ownership::pages, 30, "node18"); });
    EXPECT_THAT(message, HasSubstr("host node18"));
    EXPECT_THAT(message, HasSubstr(places.path));
    EXPECT_EQ(direct_write_problem(places, "node18"), message);
    ScoreWriter(places, Ownership::none, 30, "node18");  // needs no file
    return message;
  };
  EXPECT_EQ(direct_write_problem(right, "node18"), "");
  EXPECT_EQ(right.path.front(), '/');
  ScorePlaces places = right;
  places.path += "x";
  EXPECT_THAT(refusal(places), HasSubstr("No such file"));
  RunFacts later = facts();
  later.start_ns += 1;
  places.path = folder_ + "/other.h5.part";
  auto other = ScoreFile::create(folder_ + "/other.h5", spec, later, {});
  EXPECT_EQ(std::filesystem::file_size(places.path), std::filesystem::file_size(right.path));
  EXPECT_THAT(refusal(places), HasSubstr("another file there"));
  places.path = folder_ + "/short";
  std::ofstream(places.path) << "short";
  EXPECT_THAT(refusal(places), HasSubstr("another file there"));
}

TEST_F(ScoreWriterPlaces, RefusesResultsThatHaveNoPlace) {
  const auto spec = example(100, 10);
  auto file = create(spec);
  const auto description = read_scores(part());
  const auto& extents = description.column_extents;
  const std::string eight(8, 'x');
  const auto bytes = std::as_bytes(std::span(eight));
  for (const u64 offset : {u64{0}, description.ledger_extent.offset, extents[0].offset - 1,
                           extents[0].offset + extents[0].size - 7, ~u64{0} - 3})
    EXPECT_THAT(error_of(ExitCode::internal, [&] { file.write_rest(offset, bytes); }), HasSubstr("no results"));
  file.write_rest(extents[0].offset + extents[0].size - 8, bytes);
  ScoreWriter writer(file.places(), Ownership::all, 30, "a");
  std::vector<ScoreWriter::Rest> rests;
  const Bytes results = results_of(spec, 0);
  error_of(ExitCode::internal, [&] { writer.write({0, 9}, results, rests); });
  error_of(ExitCode::internal, [&] { writer.write({95, 105}, results, rests); });
  EXPECT_EQ(writer.write({0, 10}, results, rests), 0U);
  error_of(ExitCode::internal, [&] { file.written(10, 0); });
  file.written(0, base::crc32(results));
  error_of(ExitCode::internal, [&] { file.written(0, base::crc32(results)); });
}

/// A file system of a given kind.
class KindOfFileSystem : public PosixCalls {
 public:
  explicit KindOfFileSystem(u32 magic) : magic_(magic) {}
  int statfs(const char* /*path*/, struct statfs* status) override {
    status->f_type = magic_;
    if (magic_ != 0) return 0;
    errno = ENOENT;
    return -1;
  }

 private:
  u32 magic_;
};

TEST(ScoreWriterOwnership, IsWhatTheFileSystemAllows) {
  const auto choose = [](u32 magic, bool on_root_host) {
    KindOfFileSystem calls(magic);
    return choose_ownership("/some/scores.h5.part", on_root_host, &calls);
  };
  constexpr u32 lustre = 0x0BD00BD0;
  constexpr u32 gpfs = 0x47504653;
  for (const u32 magic : {lustre, gpfs, u32{BTRFS_SUPER_MAGIC}, u32{TMPFS_MAGIC}}) {
    EXPECT_EQ(choose(magic, true), Ownership::all);
    EXPECT_EQ(choose(magic, false), Ownership::pages);
  }
  for (const u32 magic : {u32{NFS_SUPER_MAGIC}, u32{FUSE_SUPER_MAGIC}, u32{0x12345678}, u32{0}})
    for (const bool on_root_host : {false, true}) EXPECT_EQ(choose(magic, on_root_host), Ownership::none);
  EXPECT_EQ(choose_ownership("/proc/self", true), Ownership::none);
  EXPECT_EQ(choose_ownership("/no/such/file", true), Ownership::none);
}

}  // namespace
}  // namespace h5score::storage::testing
