// Blocks read by their assignments: pieces, what is read of a file, and files that are not what the root saw.
#include "h5score/storage/block_reader.hpp"

#include "h5score/base/error.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/name_node.hpp"

#include "message_of.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using base::RowRange;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr u64 rows = 20000;
constexpr u64 columns = 40;

class BlockReaderFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("h5score-block-reader-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "rows.h5").string();
    h5::initialise();
    values_.resize(rows * columns);
    std::iota(values_.begin(), values_.end(), 0.0F);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // One dataset; without chunks it is contiguous.
  void write(std::vector<hsize_t> chunk, bool gzip) {
    const h5::Handle file(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), "file");
    const std::array<hsize_t, 2> shape{rows, columns};
    const h5::Handle space(H5Screate_simple(2, shape.data(), nullptr), "space");
    const h5::Handle creation(H5Pcreate(H5P_DATASET_CREATE), "properties");
    if (!chunk.empty()) h5::check(H5Pset_chunk(creation.get(), 2, chunk.data()), "chunk");
    if (gzip) h5::check(H5Pset_shuffle(creation.get()), "shuffle");
    if (gzip) h5::check(H5Pset_deflate(creation.get(), 1), "gzip");
    const h5::Handle data(
        H5Dcreate2(file.get(), "/x", H5T_IEEE_F32LE, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), "x");
    h5::check(H5Dwrite(data.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values_.data()), "write");
    stored_bytes_ = H5Dget_storage_size(data.get());
  }

  std::filesystem::path folder_;
  std::string path_;
  std::vector<float> values_;
  u64 stored_bytes_ = 0;
};

// An input, and what another rank has of it.
struct Opened {
  explicit Opened(const std::vector<std::string>& paths)
      : name_node(storage_functions()), input(name_node, {.inputs = paths}) {
    Binding binding;
    for (u64 column = 0; column < input.table().columns; ++column) binding.features.push_back({.column = column});
    input.bind({binding}, {});
    decoder = std::make_unique<Decoder>(input.format());
    files = input.identities();
    reader = std::make_unique<BlockReader>(*decoder, files, "node7");
  }
  void assign(RowRange block) {
    input.assign(block, assignment);
    reader->open(assignment.view());
  }
  h5::Sandbox name_node;
  Input input;
  std::unique_ptr<Decoder> decoder;
  std::vector<FileIdentity> files;
  std::unique_ptr<BlockReader> reader;
  base::AlignedBuffer assignment;
};

// All features of a block, piece by piece.
std::vector<float> read_pieces(Opened& opened, RowRange block) {
  opened.assign(block);
  std::vector<float> all;
  while (opened.reader->next()) {
    EXPECT_EQ(opened.reader->range().begin * columns, all.size());
    EXPECT_EQ(opened.reader->range().begin % 256, 0U);
    const auto& piece = opened.reader->rows();
    EXPECT_EQ(piece.rows(), opened.reader->range().size());
    all.resize(all.size() + piece.rows() * columns);
    piece.fill_tile(0, 0, piece.rows(), all.data() + opened.reader->range().begin * columns, columns);
  }
  return all;
}

TEST_F(BlockReaderFiles, ContiguousRowsAreUsedWhereTheyWereRead) {
  write({}, false);
  Opened opened({path_});
  opened.assign({10, rows});
  u64 pieces = 0;
  while (opened.reader->next()) {
    const auto in_place = opened.reader->rows().in_place<float>(0);
    ASSERT_NE(in_place.first, nullptr);
    EXPECT_EQ(in_place.stride, columns);
    EXPECT_EQ(*in_place.first, values_[(10 + opened.reader->range().begin) * columns]);
    EXPECT_EQ(opened.reader->rows().in_place<double>(0).first, nullptr);
    ++pieces;
  }
  EXPECT_EQ(pieces, 2U);
  EXPECT_EQ(opened.reader->bytes_read(), (rows - 10) * columns * sizeof(float));
}

TEST_F(BlockReaderFiles, PiecesHoldTheBlocksRows) {
  for (const auto& chunk : std::vector<std::vector<hsize_t>>{{}, {1000, columns}, {100, 7}, {rows, columns}, {30, 3}})
    for (const bool gzip : {false, true}) {
      if (chunk.empty() && gzip) continue;
      write(chunk, gzip);
      Opened opened({path_});
      for (const RowRange block : {RowRange{0, rows}, RowRange{1, 2}, RowRange{700, 4321}})
        EXPECT_EQ(read_pieces(opened, block),
                  std::vector<float>(values_.data() + block.begin * columns, values_.data() + block.end * columns))
            << gzip;
    }
}

TEST_F(BlockReaderFiles, ChunksThatBlocksShareAreReadOnce) {
  for (const auto& chunk : std::vector<std::vector<hsize_t>>{{2000, columns}, {2000, 9}}) {
    write(chunk, true);
    Opened opened({path_});
    std::vector<float> all;
    for (u64 begin = 0; begin < rows; begin += 300) {
      const auto part = read_pieces(opened, {begin, std::min(rows, begin + 300)});
      all.insert(all.end(), part.begin(), part.end());
    }
    EXPECT_EQ(all, values_);
    EXPECT_LE(opened.reader->bytes_read(), stored_bytes_ + 4096);  // with small holes between chunks
  }
}

TEST_F(BlockReaderFiles, SharedChunksOfPayloadsAreDecodedOnce) {
  write({2000, 9}, true);
  Opened opened({path_});
  DecodedBlock block;
  base::AlignedBuffer payload;
  std::vector<u64> tasks;
  std::vector<float> part(100 * columns);
  for (const u64 begin : {u64{0}, u64{500}, u64{1950}, u64{1950}, u64{0}}) {
    opened.input.fetch({begin, begin + 100}, payload);
    tasks.push_back(opened.decoder->tasks(payload.view(), block));
    for (u64 task = 0; task < tasks.back(); ++task) opened.decoder->decode(task, block);
    block.fill_tile(0, 0, 100, part.data(), columns);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), values_.data() + begin * columns)) << begin;
  }
  EXPECT_THAT(tasks, ::testing::ElementsAre(5, 0, 5, 10, 5));
}

TEST_F(BlockReaderFiles, FilesAreTakenOneByOne) {
  write({500, columns}, true);
  const auto other = (folder_ / "other.h5").string();
  std::filesystem::copy_file(path_, other);
  std::reverse(values_.begin(), values_.end());
  write({500, columns}, true);
  Opened opened({other, path_});
  EXPECT_EQ(opened.files.size(), 2U);
  EXPECT_EQ(read_pieces(opened, {4900, rows})[0], 4900.0F * columns);
  // The same chunk row of the next file: not what is kept of the first.
  EXPECT_EQ(read_pieces(opened, {rows + 4990, 2 * rows}).back(), 0.0F);
}

TEST_F(BlockReaderFiles, AMissingFileIsNamedWithItsHost) {
  write({}, false);
  Opened opened({path_});
  opened.assign({0, 100});
  std::filesystem::remove(path_);
  EXPECT_THAT(
      message_of([&] { opened.reader->next(); }, ExitCode::no_input),
      AllOf(HasSubstr("node7: "), HasSubstr("rows.h5: cannot be opened (No such file"), HasSubstr("--io scatter")));
}

TEST_F(BlockReaderFiles, AnotherFileIsNamedWithItsHost) {
  write({}, false);
  const auto time = std::filesystem::last_write_time(path_);
  const auto refused = [&](const std::function<void()>& change) {
    Opened opened({path_});
    change();
    opened.assign({0, 100});
    return message_of([&] { opened.reader->next(); }, ExitCode::data);
  };
  EXPECT_THAT(refused([&] { std::ofstream(path_, std::ios::app | std::ios::binary) << "more"; }),
              AllOf(HasSubstr("node7: " + path_), HasSubstr("another file"), HasSubstr("bytes instead of")));
  EXPECT_THAT(refused([&] { std::filesystem::last_write_time(path_, time + std::chrono::seconds(3)); }),
              AllOf(HasSubstr("node7: " + path_), HasSubstr("modification time")));
  EXPECT_THAT(refused([&] {
                const auto before = std::filesystem::last_write_time(path_);
                std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary).seekp(500) << "other";
                std::filesystem::last_write_time(path_, before);
              }),
              AllOf(HasSubstr("node7: " + path_), HasSubstr("first 4096 bytes")));
}

TEST_F(BlockReaderFiles, AFileThatChangesWhileItIsReadIsNoticed) {
  write({}, false);
  Opened opened({path_});
  opened.assign({0, rows});
  ASSERT_TRUE(opened.reader->next());
  std::filesystem::resize_file(path_, 20'000);
  EXPECT_THAT(message_of([&] { opened.reader->next(); }, ExitCode::data),
              AllOf(HasSubstr("node7: "), HasSubstr("changed while it was read")));
}

TEST_F(BlockReaderFiles, RowsThatAreTakenAwayWhileTheyAreUsedAreNotScores) {
  write({}, false);
  Opened opened({path_});
  opened.assign({0, rows});
  ASSERT_TRUE(opened.reader->next());
  std::filesystem::resize_file(path_, 8192);
  const auto lying = opened.reader->rows().in_place<float>(0);
  ASSERT_NE(lying.first, nullptr);
  EXPECT_EQ(lying.first[1000 * columns], 0);
  EXPECT_THAT(message_of([&] { opened.reader->next(); }, ExitCode::io),
              AllOf(HasSubstr("node7: "), HasSubstr("rows.h5: reading failed")));
}

TEST_F(BlockReaderFiles, DamagedAssignmentsAreRefused) {
  write({1000, 16}, true);
  Opened opened({path_});
  opened.input.assign({0, 2000}, opened.assignment);
  const base::Bytes good(opened.assignment.view().begin(), opened.assignment.view().end());
  u64 refused = 0;
  for (std::size_t size = 0; size < good.size(); size += 7) {
    EXPECT_THROW(opened.reader->open(base::ByteView(good).first(size)), Error);
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    base::Bytes bad = good;
    bad[i] ^= std::byte{0x81};
    try {
      opened.reader->open(bad);
      while (opened.reader->next()) {
      }
    } catch (const std::exception&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, good.size() / 2);
}

}  // namespace
}  // namespace h5score::storage
