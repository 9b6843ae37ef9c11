// The input path over real files: nothing leaks, changes are noticed, failures are named.
#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/storage/decoder.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/name_node.hpp"

#include "message_of.hpp"
#include "storage/name_node_calls.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <numeric>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using ::testing::HasSubstr;

class InputFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("h5score-input-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "rows.h5").string();
    h5::initialise();
    std::vector<double> values(8000);
    std::iota(values.begin(), values.end(), 0.0);
    {
      const h5::Handle file(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), "file");
      h5::write_doubles(file, "/x", {1000, 8}, values);
      h5::write_strings(file, "/name", std::vector<std::string>(1000, "some text"));
    }
    ASSERT_EQ(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL), 0);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::string path_;
  base::AlignedBuffer payload_;
};

// All columns in their order.
void bind_all(Input& input) {
  Binding binding;
  for (u64 column = 0; column < input.table().columns; ++column) binding.features.push_back({.column = column});
  input.bind({binding}, {});
}

TEST_F(InputFiles, NoHandleStaysOpen) {
  {
    auto functions = storage_functions();
    const auto call = [&](const std::string& name, const auto& request) {
      return functions.at(name)(base::to_bytes(request));
    };
    const auto facts =
        base::from_bytes<FileFacts>(call("storage.describe", DescribeRequest{path_, "/x", {"name"}, {}}));
    ASSERT_EQ(facts.passthrough.size(), 1U);
    EXPECT_EQ(call("storage.read", ReadRequest{facts.passthrough[0].array, {3, 5}}).size(), 18U);
    EXPECT_THROW(call("storage.describe", DescribeRequest{path_, "/absent", {}, {}}), Error);
    EXPECT_THROW(call("storage.describe", DescribeRequest{path_, "/name", {}, {}}), Error);
    EXPECT_EQ(base::from_bytes<FileContents>(call("storage.list", path_)).datasets.size(), 2U);
    EXPECT_GT(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL), 0) << "the reader is kept for more rows";
  }
  EXPECT_EQ(H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL), 0);
}

TEST_F(InputFiles, FetchedRowsAreUsedInPlace) {
  h5::Sandbox name_node(storage_functions());
  Input input(name_node, {.inputs = {path_}});
  bind_all(input);
  const Decoder decoder(input.format());
  input.fetch({10, 20}, payload_);
  DecodedBlock block;
  EXPECT_EQ(decoder.tasks(payload_.view(), block), 0U);
  std::vector<double> tile(80);
  block.fill_tile(0, 0, 10, tile.data(), 8);
  EXPECT_EQ(tile.front(), 80.0);
  EXPECT_EQ(tile.back(), 159.0);
  EXPECT_EQ(input.bytes_read(), 640U);
}

TEST_F(InputFiles, RowsOutsideAreRefused) {
  h5::Sandbox name_node(storage_functions());
  Input input(name_node, {.inputs = {path_, path_}});
  bind_all(input);
  EXPECT_EQ(input.rows(), 2000U);
  message_of([&] { input.fetch({990, 1010}, payload_); }, ExitCode::internal);
  message_of([&] { input.fetch({1990, 2001}, payload_); }, ExitCode::internal);
  message_of([&] { static_cast<void>(input.payload_bound({5, 5})); }, ExitCode::internal);
}

TEST_F(InputFiles, AChangedFileIsNoticed) {
  h5::Sandbox name_node(storage_functions());
  Input input(name_node, {.inputs = {path_}});
  bind_all(input);
  input.check_unchanged();
  std::ofstream(path_, std::ios::app | std::ios::binary) << "more";
  EXPECT_THAT(message_of(
                  [&] {
                    input.fetch({0, 10}, payload_);
                  },
                  ExitCode::data),
              HasSubstr("rows.h5: changed while it was read"));
  EXPECT_THAT(message_of([&] { input.check_unchanged(); }, ExitCode::data), HasSubstr("size was"));
}

TEST_F(InputFiles, AFileThatIsTouchedIsNoticed) {
  h5::Sandbox name_node(storage_functions());
  Input input(name_node, {.inputs = {path_}});
  bind_all(input);
  std::filesystem::last_write_time(path_, std::filesystem::last_write_time(path_) + std::chrono::seconds(3));
  EXPECT_THAT(message_of([&] { input.check_unchanged(); }, ExitCode::data), HasSubstr("modification time"));
}

TEST_F(InputFiles, AFileThatVanishesIsNamed) {
  h5::Sandbox name_node(storage_functions());
  Input input(name_node, {.inputs = {path_}});
  bind_all(input);
  std::filesystem::remove(path_);
  EXPECT_THAT(message_of(
                  [&] {
                    input.fetch({0, 10}, payload_);
                  },
                  ExitCode::io),
              HasSubstr("rows.h5: cannot be opened"));
}

TEST_F(InputFiles, LocksOfOthersDoNotMatter) {
  const int writer = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(writer, LOCK_EX), 0);
  h5::Sandbox name_node(storage_functions());
  EXPECT_EQ(Input(name_node, {.inputs = {path_}}).rows(), 1000U);
  ::close(writer);
}

TEST_F(InputFiles, ADeadNameNodeIsReportedForEveryFile) {
  auto functions = storage_functions();
  functions["storage.describe"] = [](base::ByteView) -> base::Bytes { ::_exit(9); };
  h5::Sandbox name_node(functions);
  EXPECT_THAT(message_of([&] { Input(name_node, {.inputs = {path_}}); }, ExitCode::data),
              HasSubstr("rows.h5: the file crashes"));
}

}  // namespace
}  // namespace h5score::storage
