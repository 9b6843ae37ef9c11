// The score file's protocol: create, write, suspend, resume, finish, and what is refused.
#include "h5score/h5/handle.hpp"

#include "storage/score_file_support.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

namespace h5score::storage::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void overwrite_bytes(const std::string& path, u64 offset, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file << bytes;
  ASSERT_TRUE(file.flush().good());
}

class ScoreFileProtocol : public ScoreFileTest {
 protected:
  ~ScoreFileProtocol() override {
    EXPECT_EQ(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL), 0) << "HDF5 handles are left open";
  }
};

TEST_F(ScoreFileProtocol, HoldsWhatWasWrittenInAnyOrder) {
  const auto spec = example(1000, 64);
  auto file = create(spec);
  EXPECT_FALSE(std::filesystem::exists(output_));
  EXPECT_EQ(file.todo().size(), 16U);
  for (u64 block = 16; block-- > 0;) write_block(file, spec, block);
  file.finish();
  EXPECT_FALSE(std::filesystem::exists(part()));
  expect_complete(output_, spec);
}

TEST_F(ScoreFileProtocol, DescribesItself) {
  const auto spec = example(100, 30);
  auto file = create(spec);
  write_block(file, spec, 1);
  file.suspend();
  const auto found = base::from_bytes<ScoreDescription>(read_scores_handler(base::to_bytes(part())));
  EXPECT_EQ(found.rows, 100U);
  EXPECT_EQ(found.boundaries, spec.boundaries);
  EXPECT_EQ(found.identity, spec.identity);
  EXPECT_EQ(found.inputs, spec.inputs);
  EXPECT_EQ(found.blocks_done(), 1U);
  EXPECT_EQ(found.rows_done(), 30U);
  EXPECT_FALSE(found.complete());
  ASSERT_EQ(found.columns.size(), spec.columns.size());
  for (std::size_t i = 0; i < spec.columns.size(); ++i) {
    EXPECT_EQ(found.columns[i].path, spec.columns[i].path);
    EXPECT_EQ(found.columns[i].type, spec.columns[i].type) << spec.columns[i].path;
    EXPECT_EQ(found.columns[i].row_shape, spec.columns[i].row_shape);
    EXPECT_EQ(found.column_extents[i].offset % 4096, 0U) << "pages are not shared between datasets";
  }
  ASSERT_EQ(found.tables.size(), 2U);
  EXPECT_EQ(found.tables[0].labels, spec.tables[0].labels);
  ASSERT_EQ(found.runs.size(), 1U);
  EXPECT_GT(found.runs[0].end_ns, found.runs[0].start_ns);
  RunFacts expected = facts();
  expected.end_ns = found.runs[0].end_ns;
  expected.blocks = 1;
  EXPECT_EQ(found.runs[0], expected);
}

TEST_F(ScoreFileProtocol, ResumesWhereItStopped) {
  const auto spec = example(1000, 100);
  {
    auto file = create(spec);
    for (const u64 block : {7U, 0U, 3U}) write_block(file, spec, block);
    file.suspend();
  }
  {
    auto file = resume(spec);
    EXPECT_THAT(file.todo(), ElementsAre(1, 2, 4, 5, 6, 8, 9));
    EXPECT_EQ(file.boundaries(), spec.boundaries);
    EXPECT_EQ(file.blocks_rejected(), 0U);
    write_block(file, spec, 1);  // lost: neither suspended nor synced
  }
  auto file = resume(spec);
  EXPECT_THAT(file.todo(), ElementsAre(1, 2, 4, 5, 6, 8, 9));
  for (const u64 block : file.todo()) write_block(file, spec, block);
  file.finish();
  expect_complete(output_, spec);
  EXPECT_EQ(read_scores(output_).runs.size(), 3U);
}

TEST_F(ScoreFileProtocol, RedoesDamagedBlocksAndTornEntries) {
  const auto spec = example(1000, 100);
  {
    auto file = create(spec);
    for (u64 block = 0; block < 10; ++block) write_block(file, spec, block);
    file.suspend();
  }
  const auto before = read_scores(part());
  overwrite_bytes(part(), before.column_extents[3].offset + 250 * 12, "x");      // block 2
  overwrite_bytes(part(), before.ledger_extent.offset + 5 * 8, "torn");          // CRC half of entry 5
  overwrite_bytes(part(), before.ledger_extent.offset + 7 * 8 + 4, "\x03\xff");  // flag half of entry 7
  auto file = resume(spec);
  EXPECT_THAT(file.todo(), ElementsAre(2, 5, 7));
  EXPECT_EQ(file.blocks_rejected(), 3U);
  EXPECT_EQ(read_scores(part()).blocks_done(), 7U) << "false claims are struck from the file";
  for (const u64 block : file.todo()) write_block(file, spec, block);
  file.finish();
  expect_complete(output_, spec);
}

TEST_F(ScoreFileProtocol, RefusesToReplaceUnlessTold) {
  put(output_, "precious");
  const auto spec = example(10, 5);
  EXPECT_THAT(error_of(ExitCode::cant_create, [&] { create(spec); }), HasSubstr("--overwrite"));
  EXPECT_EQ(contents(output_), "precious");
  std::ifstream reader(output_);
  ScoreFileOptions options;
  options.overwrite = true;
  auto file = create(spec, options);
  EXPECT_EQ(contents(output_), "precious") << "replaced only by complete scores";
  for (const u64 block : file.todo()) write_block(file, spec, block);
  file.finish();
  expect_complete(output_, spec);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}), "precious") << "who had it open keeps reading";
}

TEST_F(ScoreFileProtocol, RefusesAnUnfinishedRunUnlessTold) {
  const auto spec = example(10, 5);
  auto unfinished = create(spec);
  write_block(unfinished, spec, 0);
  unfinished.suspend();
  const auto old_inode = read_scores(part()).inode;
  const auto message = error_of(ExitCode::cant_create, [&] { create(spec); });
  EXPECT_THAT(message, HasSubstr("--resume"));
  EXPECT_THAT(message, HasSubstr("--overwrite"));
  EXPECT_FALSE(std::filesystem::exists(part() + ".tmp"));
  EXPECT_EQ(read_scores(part()).inode, old_inode);
  ScoreFileOptions options;
  options.overwrite = true;
  create(spec, options).suspend();
  EXPECT_NE(read_scores(part()).inode, old_inode);
}

TEST_F(ScoreFileProtocol, ReplacesAnUnfinishedRunWithoutResults) {
  const auto spec = example(10, 5);
  create(spec).suspend();
  const auto old_inode = read_scores(part()).inode;
  create(spec).suspend();
  EXPECT_NE(read_scores(part()).inode, old_inode);
}

TEST_F(ScoreFileProtocol, DisownsWhatTheRunClaimedAndNothingOlder) {
  const auto spec = example(20, 5);
  ScoreFileOptions options;
  options.sync_interval = 0;
  auto first = create(spec, options);
  write_block(first, spec, 2);
  first.suspend();
  {
    auto second = resume(spec, options);
    for (const u64 block : {u64{0}, u64{1}, u64{3}}) write_block(second, spec, block);
    second.disown();
    EXPECT_THROW(second.finish(), base::Error);
  }
  const auto left = read_scores(part());
  EXPECT_EQ(left.blocks_done(), 1U);
  EXPECT_TRUE(ledger_done(left.ledger[2]));
}

TEST_F(ScoreFileProtocol, ASealedFileIsCompleteAndKeepsItsNameUntilACopyTakesThatOfTheOutput) {
  const auto spec = example(20, 5);
  auto file = create(spec);
  for (const u64 block : file.todo()) write_block(file, spec, block);
  file.seal();
  expect_complete(part(), spec);
  EXPECT_FALSE(std::filesystem::exists(output_));
  const std::string path = folder_ + "/copy";
  std::filesystem::copy_file(part(), path);
  PosixFile copy(PosixCalls::system(), path, O_RDWR);
  file.finish_as(copy);
  expect_complete(output_, spec);
  EXPECT_FALSE(std::filesystem::exists(part()) || std::filesystem::exists(path));
}

TEST_F(ScoreFileProtocol, AFinishedPartFileIsRemovedOnlyIfNobodyWritesIt) {
  const auto spec = example(20, 5);
  auto file = create(spec);
  for (const u64 block : file.todo()) write_block(file, spec, block);
  file.suspend();
  const auto part_file = read_scores(part());
  {
    const auto writer = resume(spec);
    EXPECT_FALSE(remove_finished_part(output_, part_file));
  }
  auto other = part_file;
  ++other.inode;
  EXPECT_FALSE(remove_finished_part(output_, other));
  EXPECT_TRUE(std::filesystem::exists(part()));
  EXPECT_TRUE(remove_finished_part(output_, part_file));
  EXPECT_FALSE(std::filesystem::exists(part()));
}

TEST_F(ScoreFileProtocol, OneWriterAtATime) {
  const auto spec = example(10, 5);
  auto file = create(spec);
  ScoreFileOptions overwrite;
  overwrite.overwrite = true;
  for (const auto& message : {error_of(ExitCode::cant_create, [&] { create(spec, overwrite); }),
                              error_of(ExitCode::cant_create, [&] { resume(spec); })}) {
    EXPECT_THAT(message, HasSubstr("node17"));
    EXPECT_THAT(message, HasSubstr("4242"));
    EXPECT_THAT(message, HasSubstr("job 777"));
    EXPECT_THAT(message, HasSubstr("2023-11-14"));
  }
  for (const u64 block : file.todo()) write_block(file, spec, block);
  file.finish();
  expect_complete(output_, spec);
}

TEST_F(ScoreFileProtocol, ClearsWhatAKilledStartLeft) {
  put(part() + ".tmp", "half a header");
  create(example(10, 5)).suspend();
  EXPECT_EQ(read_scores(part()).rows, 10U);
  EXPECT_FALSE(std::filesystem::exists(part() + ".tmp"));
}

TEST_F(ScoreFileProtocol, NeverReplacesAnOutputThatAppeared) {
  const auto spec = example(10, 5);
  auto file = create(spec);
  for (const u64 block : file.todo()) write_block(file, spec, block);
  put(output_, "someone else's");
  EXPECT_THAT(error_of(ExitCode::cant_create, [&] { file.finish(); }), HasSubstr(part()));
  EXPECT_EQ(contents(output_), "someone else's");
  expect_complete(part(), spec);
}

TEST_F(ScoreFileProtocol, EmptyAndZeroWidthResults) {
  auto none = example(0, 5);
  auto empty = create(none);
  EXPECT_TRUE(empty.todo().empty());
  empty.finish();
  expect_complete(output_, none);
  std::filesystem::remove(output_);

  auto spec = example(10, 4);
  spec.columns.push_back(column("/nothing", {ElementKind::floating, 4}, {0}));
  auto file = create(spec);
  for (const u64 block : file.todo()) write_block(file, spec, block);
  file.finish();
  expect_complete(output_, spec);
}

TEST_F(ScoreFileProtocol, RefusesPlacesThatCannotBe) {
  const auto spec = example(10, 5);
  const auto at = [&](const std::string& path) {
    return error_of(ExitCode::cant_create, [&] { ScoreFile::create(path, spec, facts(), {}); });
  };
  EXPECT_THAT(at(folder_ + "/missing/scores.h5"), HasSubstr(folder_ + "/missing"));
  EXPECT_THAT(at(folder_), HasSubstr("it is a folder"));
  put(folder_ + "/file", "");
  EXPECT_THAT(at(folder_ + "/file/scores.h5"), HasSubstr("Not a directory"));
  EXPECT_THAT(at("/proc/scores.h5"), HasSubstr("/proc/scores.h5"));
}

TEST_F(ScoreFileProtocol, RefusesNamesThatCollide) {
  for (const std::string path :
       {"/label", "/inputs", "/h5score", "/h5score/x", "/label/x", "/z", "/inputs/a", "/", "x"}) {
    auto spec = example(10, 5);
    spec.columns.push_back(column(path, {ElementKind::floating, 4}));
    EXPECT_THAT(error_of(ExitCode::cant_create, [&] { create(spec); }), HasSubstr(path));
  }
  auto spec = example(10, 5);
  for (const std::string path : {"/row", "/pair", "/input/x"})  // names of axes give way
    spec.columns.push_back(column(path, {ElementKind::floating, 4}));
  create(spec).suspend();
  EXPECT_EQ(read_scores(part()).columns.size(), spec.columns.size());
}

TEST_F(ScoreFileProtocol, NamesTheFieldThatDiffers) {
  auto spec = example(10, 5);
  create(spec).suspend();
  spec.identity = R"({"model":{"hash":"xyz","features":3},"inputs":[{"path":"a b.h5","size":7}],"threads":[1]})";
  const auto message = error_of(ExitCode::usage, [&] { resume(spec); });
  EXPECT_THAT(message, HasSubstr(R"(model/hash: there "abc", now "xyz")"));
  EXPECT_THAT(message, HasSubstr("inputs/0/size: there 123456, now 7"));
  EXPECT_THAT(message, HasSubstr(R"(isa: there "avx2", now absent)"));
  EXPECT_THAT(message, HasSubstr("1 more"));
}

TEST_F(ScoreFileProtocol, RefusesAPartFileThatWasReplaced) {
  const auto spec = example(10, 5);
  create(spec).suspend();
  const auto old = read_scores(part());
  ScoreFileOptions overwrite;
  overwrite.overwrite = true;
  create(spec, overwrite).suspend();
  const auto message =
      error_of(ExitCode::data, [&] { ScoreFile::resume(output_, old, spec.identity, facts(), overwrite); });
  EXPECT_THAT(message, HasSubstr("changed"));
}

TEST_F(ScoreFileProtocol, RefusesWrongResults) {
  const auto spec = example(10, 5);
  auto file = create(spec);
  auto results = results_of(spec, 1);
  const u32 crc = base::crc32(results);
  results.pop_back();
  error_of(ExitCode::internal, [&] { file.write(1, results, crc); });
  results = results_of(spec, 1);
  error_of(ExitCode::internal, [&] { file.write(2, results, crc); });
  write_block(file, spec, 1);
  error_of(ExitCode::internal, [&] { file.write(1, results, base::crc32(results)); });
  EXPECT_THAT(error_of(ExitCode::internal, [&] { file.finish(); }), HasSubstr("not every block"));
  write_block(file, spec, 0);
  file.finish();
  expect_complete(output_, spec);
}

TEST_F(ScoreFileProtocol, EqualInputGivesEqualBytes) {
  const auto spec = example(500, 64);
  std::vector<std::string> files;
  for (const bool reverse : {false, true}) {
    auto file = ScoreFile::create(output_, spec, facts(reverse ? "a" : "b"), {});
    auto todo = file.todo();
    if (reverse) std::reverse(todo.begin(), todo.end());
    for (const u64 block : todo) write_block(file, spec, block);
    file.finish();
    files.push_back(contents_but_runs(output_));
    std::filesystem::remove(output_);
  }
  EXPECT_TRUE(files[0] == files[1]) << "even metadata, outside the records of the runs";
}

TEST_F(ScoreFileProtocol, KeepsTheNewestRunsWhenTheSlotsAreFull) {
  const auto spec = example(10, 5);
  create(spec).suspend();
  RunFacts run = facts();
  for (u64 i = 1; i <= 70; ++i) {
    run.start_ns += 1;
    run.ranks = i;
    run.host = std::string(61, 'h') + "éé";  // cut at a character
    ScoreFile::resume(output_, read_scores(part()), spec.identity, run, {}).suspend();
  }
  const auto runs = read_scores(part()).runs;
  ASSERT_EQ(runs.size(), 64U);
  EXPECT_EQ(runs.front().ranks, 7U);
  EXPECT_EQ(runs.back().ranks, 70U);
  EXPECT_EQ(runs.back().host, std::string(61, 'h') + "é");
}

}  // namespace
}  // namespace h5score::storage::testing
